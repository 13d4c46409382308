"""GSM8K: grade-school word problems whose answer is one whole number (MIT, OpenAI).

A row is ``{"question", "answer"}``. The reference is what follows the last ``#### ``, commas removed.
"""

from deimos.prompts.dataset import Dataset, PromptParts, dataset_source
from deimos.prompts.rows import SourceRow, text_of
from deimos.prompts.text import MATH, user
from deimos.recipe import RecipeError

DATA = Dataset(
    "gsm8k", "math", "openai/gsm8k", "740312add88f781978c0658806c59bc2815b9866", "MIT",
    sizes={"train": 7_473, "test": 1_319}, config="main",
)  # fmt: skip


def to_parts(row: SourceRow, *, instruction: str = MATH) -> PromptParts:
    """A question and its number; RecipeError for a row of another shape."""
    _, marked, reference = text_of(row, "answer").rpartition("#### ")
    reference = reference.strip().replace(",", "")
    if not marked or not reference:
        raise RecipeError(f"{row.where}: the answer has no '#### ' with the reference behind it")
    return PromptParts(user(text_of(row, "question"), instruction), reference)


gsm8k = dataset_source(DATA, to_parts)
