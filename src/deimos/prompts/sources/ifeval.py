"""IFEval: 541 prompts that ask for what a program can check (Apache-2.0, Google).

The prompt goes as it is, without an instruction of ours. The reference is ``{"instruction_id_list",
"kwargs"}``, one set of arguments a rule, nulls left out. It is a test set: its prompts are not to be
trained on (``ifeval_like`` has prompts of the same kind that may be). There are no golds to check a
grader with: nobody has written the answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deimos.prompts.dataset import Dataset, Row, text_of, texts_of
from deimos.prompts.order import taken
from deimos.prompts.text import user
from deimos.recipe import RecipeError
from deimos.registry import source
from deimos.types import Prompt

DATA = Dataset(
    "ifeval", "google/IFEval", "966cd89545d6b6acfd7638bc708b98261ca58e84", "Apache-2.0",
    splits={"test": "train"},
)  # fmt: skip
"""The Hub calls its only split ``train``; it is a test set."""


@source("ifeval", paths=("path", "dataset"), sizes={"test": 541})
def ifeval(
    *,
    take: int | None,
    seed: int,
    split: str = "test",
    path: str | None = None,
    dataset: str = DATA.hub,
    revision: str | None = None,
) -> list[Prompt]:
    """All prompts of IFEval, in the seed's order.

    Args:
        take: how many; None takes all.
        seed: of the order.
        split: ``test``.
        path: a local file (``prompt``, ``instruction_id_list``, ``kwargs``), or a folder with it.
        dataset: Hub id, or a local folder laid out like the Hub's.
        revision: Hub commit; a known one unless given.

    Raises:
        RecipeError: as ``Dataset.rows``; a row of another shape.
    """
    rows = DATA.rows(split, path=path, dataset=dataset, revision=revision)
    prompts = [
        Prompt.of(
            task="ifeval", kind="instruction", messages=user(text_of(row, "prompt"), ""),
            reference=rules_of(row), source=row.origin, licence=DATA.licence,
        )
        for row in rows
    ]  # fmt: skip
    return taken(prompts, take, seed, f"ifeval {split}")


def rules_of(
    row: Row, ids_column: str = "instruction_id_list", kwargs_column: str = "kwargs"
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
    told = [{k: v for k, v in each.items() if v is not None} for each in kwargs]
    return {"instruction_id_list": ids, "kwargs": told}
