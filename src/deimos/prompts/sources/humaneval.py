r"""HumanEval (MIT, OpenAI) and HumanEval+ (Apache-2.0, EvalPlus): functions to be completed.

The reference is ``{"tests", "entry_point", "setup"}``. ``tests`` is code that defines
``check(candidate)``; it is passed by calling ``check`` with the function named ``entry_point``.
``setup`` is the prompt's own code (imports, helper functions, the signature with its docstring): it
is run before ``tests`` in the process that holds them, because some tests use the prompt's helpers
(``poly``, ``encode_cyclic``, ``encode_shift``). HumanEval/32 of HumanEval+ is faulty upstream: its
own solution fails its tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from deimos.prompts.dataset import Dataset, Row, text_of
from deimos.prompts.order import taken
from deimos.prompts.text import CODE, code_answer, user
from deimos.recipe import RecipeError
from deimos.registry import source
from deimos.types import Prompt

DATA = Dataset(
    "humaneval", "openai/openai_humaneval", "7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544", "MIT",
    splits={"test": "test"}, config="openai_humaneval",
)  # fmt: skip
PLUS = Dataset(
    "humaneval_plus", "evalplus/humanevalplus", "d32357cf319e50e9c8d8dab5ea876c72b0fd321b",
    "Apache-2.0", splits={"test": "test"},
)  # fmt: skip


def _asked(prompt: Prompt) -> str:
    """The code to be completed, without our words around it."""
    return prompt.reference["setup"]


@source(
    "humaneval",
    paths=("path", "dataset"),
    sizes={"test": 164},
    asked=_asked,
    solutions=lambda **options: _solutions(DATA, **options),
)
def humaneval(
    *,
    take: int | None,
    seed: int,
    split: str = "test",
    path: str | None = None,
    dataset: str = DATA.hub,
    revision: str | None = None,
    instruction: str = CODE,
) -> list[Prompt]:
    """The 164 problems with OpenAI's tests, in the seed's order.

    Args:
        take: how many; None takes all.
        seed: of the order.
        split: ``test``.
        path: a local file (``prompt``, ``entry_point``, ``test``), or a folder with it.
        dataset: Hub id, or a local folder laid out like the Hub's.
        revision: Hub commit; a known one unless given.
        instruction: put behind the code, after a blank line; "" leaves it out.

    Raises:
        RecipeError: as ``Dataset.rows``; a row of another shape.
    """
    rows = DATA.rows(split, path=path, dataset=dataset, revision=revision)
    return taken((_prompt(DATA, row, instruction) for row in rows), take, seed, "humaneval")


@source(
    "humaneval_plus",
    paths=("path", "dataset"),
    sizes={"test": 164},
    asked=_asked,
    solutions=lambda **options: _solutions(PLUS, **options),
)
def humaneval_plus(
    *,
    take: int | None,
    seed: int,
    split: str = "test",
    path: str | None = None,
    dataset: str = PLUS.hub,
    revision: str | None = None,
    instruction: str = CODE,
) -> list[Prompt]:
    """The same 164 problems with EvalPlus' many more tests; options and errors as ``humaneval``."""
    rows = PLUS.rows(split, path=path, dataset=dataset, revision=revision)
    return taken((_prompt(PLUS, row, instruction) for row in rows), take, seed, "humaneval_plus")


def _solutions(
    data: Dataset,
    *,
    split: str = "test",
    instruction: str = CODE,
    path: str | None = None,
    dataset: str | None = None,
    revision: str | None = None,
) -> Iterator[tuple[str, Prompt]]:
    rows: Iterable[Row] = data.rows(split, path=path, dataset=dataset, revision=revision)
    for row in rows:
        solution = row.data.get("canonical_solution")
        if not isinstance(solution, str):
            raise RecipeError(f"{row.where}: has no 'canonical_solution' to check with")
        yield code_answer(row.data["prompt"] + solution), _prompt(data, row, instruction)


def _prompt(data: Dataset, row: Row, instruction: str) -> Prompt:
    text_of(row, "prompt")
    code = row.data["prompt"].strip("\n") + "\n"  # a signature's indentation is to be kept
    question = f"Complete this Python function.\n\n```python\n{code}```"
    return Prompt.of(
        task=data.name, kind="code", messages=user(question, instruction),
        reference={
            "tests": text_of(row, "test") + "\n",
            "entry_point": text_of(row, "entry_point"),
            "setup": code,
        },
        source=row.origin, licence=data.licence,
    )  # fmt: skip
