"""AIME 2024: thirty problems whose answers are whole numbers from 0 to 999.

The problems are the MAA's, widely passed on for evaluation; there is nothing to train on here, so
the only split is ``test``. Leading zeros of a gold (``073``) are the math grader's affair.
"""

from __future__ import annotations

from deimos.prompts.dataset import Dataset, text_of
from deimos.prompts.order import taken
from deimos.prompts.text import MATH, user
from deimos.recipe import RecipeError
from deimos.registry import source
from deimos.types import Prompt

DATA = Dataset(
    "aime", "HuggingFaceH4/aime_2024", "2fe88a2f1091d5048c0f36abc874fb997b3dd99a",
    "Apache-2.0 (the collection); problems (c) MAA", splits={"test": "train"},
)  # fmt: skip
"""The Hub calls its only split ``train``."""


@source("aime", paths=("path", "dataset"), sizes={"test": 30})
def aime(
    *,
    take: int | None,
    seed: int,
    split: str = "test",
    path: str | None = None,
    dataset: str = DATA.hub,
    revision: str | None = None,
    instruction: str = MATH,
) -> list[Prompt]:
    """The problems of both papers of 2024, in the seed's order.

    Args:
        take: how many; None takes all.
        seed: of the order.
        split: ``test``.
        path: a local file (``problem`` and ``answer`` or ``expected_answer``), or a folder with it.
        dataset: Hub id, or a local folder laid out like the Hub's.
        revision: Hub commit; a known one unless given.
        instruction: put behind each problem, after a blank line; "" leaves it out.

    Raises:
        RecipeError: as ``Dataset.rows``; a row of another shape.
    """
    prompts = []
    for row in DATA.rows(split, path=path, dataset=dataset, revision=revision):
        given = row.data.get("expected_answer", row.data.get("answer"))
        gold = str(given).strip()
        if isinstance(given, bool) or not (gold.isascii() and gold.isdigit()):
            raise RecipeError(f"{row.where}: the answer {given!r} is no whole number")
        prompts.append(
            Prompt.of(
                task="aime24", kind="math", messages=user(text_of(row, "problem"), instruction),
                reference=gold, source=row.origin, licence=DATA.licence,
            )
        )  # fmt: skip
    return taken(prompts, take, seed, f"aime {split}")
