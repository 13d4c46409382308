r"""HumanEval (MIT, OpenAI) and HumanEval+ (Apache-2.0, EvalPlus): functions to be completed.

The reference is ``{"tests", "entry_point", "setup"}``. ``tests`` is code that defines
``check(candidate)``; calling ``check`` with the function named ``entry_point`` must not fail.
``setup`` is the prompt's own code (imports, helper functions, the signature with its docstring): it
is run before ``tests`` in the process that holds them, because some tests use the prompt's helpers
(``poly``, ``encode_cyclic``, ``encode_shift``). HumanEval/32 of HumanEval+ is faulty upstream: its
own solution fails its tests. A row is ``{"prompt", "entry_point", "test", "canonical_solution"}``.
"""

from deimos.prompts.dataset import Dataset, PromptParts, dataset_source
from deimos.prompts.rows import SourceRow, text_of
from deimos.prompts.text import CODE, code_answer, user
from deimos.recipe import RecipeError
from deimos.types import Prompt

DATA = Dataset(
    "humaneval", "code", "openai/openai_humaneval", "7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544",
    "MIT", sizes={"test": 164}, config="openai_humaneval",
)  # fmt: skip
PLUS = Dataset(
    "humaneval_plus", "code", "evalplus/humanevalplus", "d32357cf319e50e9c8d8dab5ea876c72b0fd321b",
    "Apache-2.0", sizes={"test": 164},
)  # fmt: skip


def to_parts(row: SourceRow, *, instruction: str = CODE) -> PromptParts:
    """A function to complete and its tests; RecipeError for a row of another shape."""
    text_of(row, "prompt")
    code = row.data["prompt"].strip("\n") + "\n"  # a signature's indentation is to be kept
    reference = {
        "tests": text_of(row, "test") + "\n",
        "entry_point": text_of(row, "entry_point"),
        "setup": code,
    }
    question = f"Complete this Python function.\n\n```python\n{code}```"
    return PromptParts(user(question, instruction), reference)


def extract_code(prompt: Prompt) -> str:
    """The code to be completed, without our words around it."""
    return prompt.reference["setup"]


def solution(row: SourceRow) -> str:
    """The problem's own solution as an answer; RecipeError if it has none."""
    written = row.data.get("canonical_solution")
    if not isinstance(written, str):
        raise RecipeError(f"{row.where}: has no 'canonical_solution' to check with")
    return code_answer(row.data["prompt"] + written)


humaneval = dataset_source(DATA, to_parts, asked=extract_code, solution=solution)
humaneval_plus = dataset_source(PLUS, to_parts, asked=extract_code, solution=solution)
