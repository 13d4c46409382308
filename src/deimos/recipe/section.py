"""What all sections of a recipe have in common: strict types, and no keys but their own."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)


class Section(BaseModel):
    """Base of all recipe sections: unknown keys are errors, values keep their types and don't change.

    A text is no number, a truth value is none either, and numbers are finite.
    """

    later: ClassVar[tuple[str, ...]] = ()
    """Keys that came when there were runs already: at their defaults they are not written, so that the
    stages of those runs keep their identities."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @model_serializer(mode="wrap")
    def _without_unused(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields, later = type(self).model_fields, type(self).later
        unused = {key for key in later if getattr(self, key) == fields[key].default}
        return {key: value for key, value in dump(self).items() if key not in unused}


Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Text = Annotated[str, Field(min_length=1)]
