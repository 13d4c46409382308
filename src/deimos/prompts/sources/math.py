r"""Competition mathematics: Hendrycks' MATH (MIT), and its 500 test problems MATH-500 (MIT).

A row is ``{"problem", "level", "type" | "subject", "answer" | "solution"}``. The reference is the
``answer``, else the last ``\boxed{…}`` of the ``solution``. Two training problems whose box is empty
upstream are left out, and a problem that stands there twice is asked once. MATH-500 is a part of MATH's
test split; one problem stands in both splits of MATH.

Options of their own: ``levels`` (1 to 5; two problems have no level, and come only if no level is
named) and, of MATH, ``subjects`` by the Hub's names (``number_theory``); none named takes all.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from deimos.prompts.dataset import Dataset, PromptParts, dataset_source
from deimos.prompts.rows import SourceRow, reference_of, text_of
from deimos.prompts.text import MATH, last_box, level_of, user
from deimos.recipe import RecipeError

DATA = Dataset(
    "math", "math", "EleutherAI/hendrycks_math", "21a5633873b6a120296cce3e2df9d5550074f4a3", "MIT",
    sizes={"train": 7_497, "test": 5_000},
    part_sizes={
        "levels": {
            1: {"train": 564, "test": 437}, 2: {"train": 1_348, "test": 894},
            3: {"train": 1_592, "test": 1_131}, 4: {"train": 1_690, "test": 1_214},
            5: {"train": 2_301, "test": 1_324},
        }
    },
)  # fmt: skip
DATA_500 = Dataset(
    "math500", "math", "HuggingFaceH4/MATH-500", "6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be", "MIT",
    sizes={"test": 500},
)  # fmt: skip
SUBJECTS = (
    "algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory",
    "prealgebra", "precalculus",
)  # fmt: skip
LEVELS = (1, 2, 3, 4, 5)


def rows_of(
    read: Callable[..., Iterator[SourceRow]],
    *,
    path: str | None = None,
    levels: Sequence[int] = (),
    subjects: Sequence[str] = (),
) -> Iterator[SourceRow]:
    """Rows of some levels and subjects; on the Hub each subject is a subset, a file has them all."""
    _check("math", "levels", levels, LEVELS)
    _check("math", "subjects", subjects, SUBJECTS)
    subsets = [s for s in SUBJECTS if not subjects or s in subjects] if path is None else [None]
    for subset in subsets:
        for row in read(config=subset):
            if _has_level(row, levels) and (not subjects or _subject(row) in subjects):
                yield row


def rows_of_500(
    read: Callable[..., Iterator[SourceRow]], *, levels: Sequence[int] = ()
) -> Iterator[SourceRow]:
    """Rows of some levels."""
    _check("math500", "levels", levels, LEVELS)
    return (row for row in read() if _has_level(row, levels))


def to_parts(row: SourceRow, *, instruction: str = MATH) -> PromptParts | None:
    """A problem and its answer; None if its box is empty, RecipeError if it has neither."""
    answer = row.data.get("answer")
    reference: str | None = None
    if isinstance(answer, str) and answer.strip():
        reference = reference_of(row, "answer")
    else:
        reference = last_box(text_of(row, "solution"))
        if reference is None:
            raise RecipeError(f"{row.where}: its solution has no \\boxed{{…}} and it has no answer")
    if not reference:
        return None
    return PromptParts(
        user(text_of(row, "problem"), instruction), reference, level=level_of(row.data)
    )


math = dataset_source(DATA, to_parts, rows=rows_of, unique=True)
math500 = dataset_source(DATA_500, to_parts, rows=rows_of_500, unique=True)


def _has_level(row: SourceRow, levels: Sequence[int]) -> bool:
    return not levels or level_of(row.data) in map(str, levels)


def _subject(row: SourceRow) -> str:
    name = str(row.data.get("type") or row.data.get("subject") or "")
    return re.sub(r"\s+", "_", name.strip().lower().replace("&", "and"))


def _check(name: str, option: str, values: Sequence[object], accepted: Sequence[object]) -> None:
    for value in values:
        if value not in accepted:
            known = ", ".join(map(str, accepted))
            raise RecipeError(f"{name}: {option} has {value!r}: accepted: {known}")
