"""GSM8K: grade-school word problems with one whole number as answer (MIT, OpenAI).

Rows of OpenAI's shape, ``{"question", "answer"}``. The reference is what stands behind the last
``####``, commas removed; the worked solution is not used.
"""

from __future__ import annotations

from deimos.prompts.dataset import Dataset, Row
from deimos.prompts.order import taken
from deimos.prompts.text import MATH, user
from deimos.recipe import RecipeError
from deimos.registry import source
from deimos.types import Prompt

DATA = Dataset(
    "gsm8k", "openai/gsm8k", "740312add88f781978c0658806c59bc2815b9866", "MIT", config="main"
)
INSTRUCTION = MATH


@source("gsm8k", paths=("path", "dataset"), sizes={"train": 7_473, "test": 1_319})
def gsm8k(
    *,
    take: int | None,
    seed: int,
    split: str = "train",
    path: str | None = None,
    dataset: str = DATA.hub,
    revision: str | None = None,
    instruction: str = INSTRUCTION,
) -> list[Prompt]:
    """Prompts of one split, in the seed's order.

    Args:
        take: how many; None takes all.
        seed: of the order.
        split: ``train`` or ``test``; with a single file, only what it is said to hold.
        path: a local JSONL file, or a folder with ``<split>.jsonl``; no Hub then.
        dataset: Hub id, or a local folder laid out like the Hub's.
        revision: Hub commit; a known one unless given.
        instruction: put behind each question, after a blank line; "" leaves it out.

    Raises:
        RecipeError: unknown split, unreadable file, no Hub to be had, a row of another shape.
    """
    rows = DATA.rows(split, path=path, dataset=dataset, revision=revision)
    return taken([_prompt(row, instruction) for row in rows], take, seed, f"gsm8k {split}")


def _prompt(row: Row, instruction: str) -> Prompt:
    question, answer = row.data.get("question"), row.data.get("answer")
    if not isinstance(question, str) or not isinstance(answer, str):
        raise RecipeError(
            f"{row.where}: needs the texts 'question' and 'answer', has {sorted(row.data)}"
        )
    _, marked, gold = answer.rpartition("#### ")
    gold = gold.strip().replace(",", "")
    if not marked or not gold:
        raise RecipeError(f"{row.where}: the answer has no '#### ' with a gold behind it")
    return Prompt.of(
        task="gsm8k", kind="math", messages=user(question, instruction),
        reference=gold, source=row.origin, licence=DATA.licence,
    )  # fmt: skip
