"""IFEval: 541 prompts that ask for what a program can check (Apache-2.0, Google).

The prompt goes as it is, without an instruction of ours. The reference is ``{"instruction_id_list",
"kwargs"}``, one set of arguments a rule, nulls left out. It is a test set: its prompts are not to be
trained on (``ifeval_like`` has prompts of the same kind that may be). A grader cannot be checked with
it: nobody has written right answers.
"""

from collections.abc import Mapping
from typing import Any

from deimos.prompts.dataset import Dataset, PromptParts, dataset_source
from deimos.prompts.rows import SourceRow, text_of, texts_of
from deimos.prompts.text import user
from deimos.recipe import RecipeError

DATA = Dataset(
    "ifeval", "instruction", "google/IFEval", "966cd89545d6b6acfd7638bc708b98261ca58e84",
    "Apache-2.0", sizes={"test": 541}, hub_splits={"test": "train"},
)  # fmt: skip


def to_parts(row: SourceRow) -> PromptParts:
    """A prompt and its rules; RecipeError for a row of another shape."""
    return PromptParts(user(text_of(row, "prompt"), ""), rules_of(row))


ifeval = dataset_source(DATA, to_parts)


def rules_of(
    row: SourceRow, ids_column: str = "instruction_id_list", kwargs_column: str = "kwargs"
) -> dict[str, Any]:
    """A row's rules as a reference: ids, and for each its arguments without nulls.

    Raises:
        RecipeError: no rules, or not one set of arguments for each.
    """
    ids, given = texts_of(row, ids_column), row.data.get(kwargs_column)
    kwargs = given if isinstance(given, list) else []
    if not ids or len(kwargs) != len(ids) or not all(isinstance(k, Mapping) for k in kwargs):
        raise RecipeError(
            f"{row.where}: needs {ids_column!r}, and in {kwargs_column!r} one object for each"
        )
    arguments = [{k: v for k, v in each.items() if v is not None} for each in kwargs]
    return {"instruction_id_list": ids, "kwargs": arguments}
