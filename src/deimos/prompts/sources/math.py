r"""Competition mathematics: Hendrycks' MATH (MIT), and its 500 test problems MATH-500 (MIT).

The reference is the ``answer`` of a row, else the last ``\boxed{…}`` of its ``solution``; two
training problems whose box is empty upstream are left out, and one that stands there twice is once. MATH-500 is a part of MATH's test split;
one problem stands in both splits of MATH.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from deimos.prompts.dataset import Dataset, Row, text_of
from deimos.prompts.order import once, taken
from deimos.prompts.text import MATH, last_box, user
from deimos.recipe import RecipeError
from deimos.registry import source
from deimos.types import Prompt

DATA = Dataset(
    "math", "EleutherAI/hendrycks_math", "21a5633873b6a120296cce3e2df9d5550074f4a3", "MIT"
)
"""On the Hub each subject is a subset of its own; a local file has all in one."""
DATA_500 = Dataset(
    "math500", "HuggingFaceH4/MATH-500", "6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be", "MIT",
    splits={"test": "test"},
)  # fmt: skip
SUBJECTS = (
    "algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory",
    "prealgebra", "precalculus",
)  # fmt: skip
LEVELS = (1, 2, 3, 4, 5)


@source("math", paths=("path", "dataset"), sizes={"train": 7_497, "test": 5_000})
def math(
    *,
    take: int | None,
    seed: int,
    split: str = "train",
    levels: Sequence[int] = (),
    subjects: Sequence[str] = (),
    path: str | None = None,
    dataset: str = DATA.hub,
    revision: str | None = None,
    instruction: str = MATH,
) -> list[Prompt]:
    """Prompts of one split of MATH, in the seed's order, each question once.

    Args:
        take: how many; None takes all.
        seed: of the order.
        split: ``train`` (7,497) or ``test`` (5,000).
        levels: 1 to 5; none named takes all (two problems have no level, and go with all only).
        subjects: by the Hub's names (``number_theory``); none named takes all.
        path: a local file (``problem``, ``level``, ``type``, ``solution`` or ``answer``), or a
            folder with one a split; no Hub then.
        dataset: Hub id, or a local folder laid out like the Hub's.
        revision: Hub commit; a known one unless given.
        instruction: put behind each problem, after a blank line; "" leaves it out.

    Raises:
        RecipeError: unknown split, level or subject; as ``Dataset.rows``; a row without a gold.
    """
    _known("math", "levels", levels, LEVELS)
    _known("math", "subjects", subjects, SUBJECTS)
    rows: Iterator[Row]
    if path is not None:
        rows = DATA.rows(split, path=path)
    else:
        parts = [s for s in SUBJECTS if not subjects or s in subjects]
        rows = (
            row
            for part in parts
            for row in DATA.rows(split, dataset=dataset, revision=revision, config=part)
        )
    wanted = [row for row in rows if _wanted(row, levels, subjects)]
    return taken(_prompts("math", wanted, instruction), take, seed, f"math {split}")


@source("math500", paths=("path", "dataset"), sizes={"test": 500})
def math500(
    *,
    take: int | None,
    seed: int,
    split: str = "test",
    levels: Sequence[int] = (),
    path: str | None = None,
    dataset: str = DATA_500.hub,
    revision: str | None = None,
    instruction: str = MATH,
) -> list[Prompt]:
    """The 500 problems of MATH's test split that OpenAI held out, in the seed's order.

    Options and errors as ``math``; the only split is ``test``.
    """
    _known("math500", "levels", levels, LEVELS)
    rows = DATA_500.rows(split, path=path, dataset=dataset, revision=revision)
    wanted = [row for row in rows if _wanted(row, levels, ())]
    return taken(_prompts("math500", wanted, instruction), take, seed, f"math500 {split}")


def _prompts(task: str, rows: Sequence[Row], instruction: str) -> list[Prompt]:
    found = (
        Prompt.of(
            task=task, kind="math", messages=user(text_of(row, "problem"), instruction),
            reference=gold, source=row.origin, licence=DATA.licence,
        )
        for row in rows
        if (gold := _gold(row))
    )  # fmt: skip
    return once(found)


def _gold(row: Row) -> str:
    """The reference; "" where the box is empty.

    Raises:
        RecipeError: neither answer nor box.
    """
    answer = row.data.get("answer")
    if isinstance(answer, str) and answer.strip():
        return answer.strip()
    gold = last_box(text_of(row, "solution"))
    if gold is None:
        raise RecipeError(f"{row.where}: its solution has no \\boxed{{…}} and it has no answer")
    return gold


def _wanted(row: Row, levels: Sequence[int], subjects: Sequence[str]) -> bool:
    if levels and _level(row) not in levels:
        return False
    said = str(row.data.get("type") or row.data.get("subject") or "")
    subject = re.sub(r"\s+", "_", said.strip().lower().replace("&", "and"))
    return not subjects or subject in subjects


def _level(row: Row) -> int | None:
    digits = re.search(r"\d", str(row.data.get("level", "")))
    return int(digits.group()) if digits else None


def _known(name: str, option: str, values: Sequence[object], accepted: Sequence[object]) -> None:
    for value in values:
        if value not in accepted:
            told = ", ".join(map(str, accepted))
            raise RecipeError(f"{name}: {option} has {value!r}: accepted: {told}")
