"""AIME 2024: thirty problems whose answers are whole numbers from 0 to 999.

The problems are the MAA's, widely passed on for evaluation; none are for training, so the only split
is ``test``. Leading zeros of a reference (``073``) are left to the math grader. A row is ``{"problem",
"answer" | "expected_answer"}``.
"""

from deimos.prompts.dataset import Dataset, PromptParts, dataset_source
from deimos.prompts.rows import SourceRow, text_of
from deimos.prompts.text import MATH, user
from deimos.recipe import RecipeError

DATA = Dataset(
    "aime", "math", "HuggingFaceH4/aime_2024", "2fe88a2f1091d5048c0f36abc874fb997b3dd99a",
    "Apache-2.0 (the collection); problems (c) MAA",
    sizes={"test": 30}, hub_splits={"test": "train"},
)  # fmt: skip


def to_parts(row: SourceRow, *, instruction: str = MATH) -> PromptParts:
    """A problem and its number; RecipeError for a row of another shape."""
    given = row.data.get("expected_answer", row.data.get("answer"))
    reference = str(given).strip()
    if isinstance(given, bool) or not (reference.isascii() and reference.isdigit()):
        raise RecipeError(f"{row.where}: the answer {given!r} is not a whole number")
    return PromptParts(user(text_of(row, "problem"), instruction), reference, "aime24")


aime = dataset_source(DATA, to_parts)
