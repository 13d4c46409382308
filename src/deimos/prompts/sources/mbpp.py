r"""MBPP (CC-BY-4.0, Google) and MBPP+ (Apache-2.0, EvalPlus): small functions from a sentence.

The reference is ``{"tests", "entry_point", "setup"?}``. ``tests`` is a list of assertions (MBPP+:
one program), run with the candidate's function in reach; ``setup`` is run before them in the process
that holds them, and never sees the candidate. In two problems (367 and 927) the set-up makes objects
of a class that the candidate has to bring: there it stands at the head of ``tests`` instead.

Splits by the authors: problems 1-10 are for few-shot prompts, 11-510 to test, 511-600 to validate,
601-974 to train. MBPP+ is a part of the whole (378 of the sanitized 427), so it is a test set.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from deimos.prompts.dataset import SUFFIXES, Dataset, Row, text_of, texts_of
from deimos.prompts.order import once, taken
from deimos.prompts.text import CODE, code_answer, user
from deimos.recipe import RecipeError
from deimos.registry import source
from deimos.types import Prompt

SPLITS: Mapping[str, range] = {
    "prompt": range(1, 11), "test": range(11, 511), "validation": range(511, 601),
    "train": range(601, 975),
}  # fmt: skip
"""Which problems are in which split, by ``task_id``."""
DATA = Dataset(
    "mbpp", "google-research-datasets/mbpp", "4bb6404fdc6cacfda99d4ac4205087b89d32030c",
    "CC-BY-4.0", splits={name: name for name in SPLITS},
)  # fmt: skip
PLUS = Dataset(
    "mbpp_plus", "evalplus/mbppplus", "b2d74c91837c3f2a20c1299ae98133cbe7cfa077",
    "Apache-2.0 (tests), CC-BY-4.0 (problems)", splits={"test": "test"},
)  # fmt: skip
SETUP_AFTER = (367, 927)
"""Problems whose set-up needs the candidate's own class."""
BEGINS = "\n\nThe function must be named "
"""Where our words begin behind a problem's."""
_FORMULA = re.compile(r"^write an? (?:python )?function (?:to|that|which) ", re.IGNORECASE)


def _asked(prompt: Prompt) -> str:
    """The problem's own sentences, without "Write a function to", which most of them begin with."""
    return _FORMULA.sub("", prompt.messages[-1]["content"].partition(BEGINS)[0])


@source(
    "mbpp",
    paths=("path", "dataset"),
    sizes={"train": 374, "validation": 90, "test": 499, "prompt": 10},
    asked=_asked,
    solutions=lambda **options: _solutions(**options),
)
def mbpp(
    *,
    take: int | None,
    seed: int,
    split: str = "train",
    subset: Literal["full", "sanitized"] = "full",
    challenge: bool = False,
    path: str | None = None,
    dataset: str = DATA.hub,
    revision: str | None = None,
    instruction: str = CODE,
) -> list[Prompt]:
    """Prompts of one split, in the seed's order, each once (two of the test split are alike).

    Args:
        take: how many; None takes all.
        seed: of the order.
        split: ``train`` (374), ``validation`` (90), ``test`` (500) or ``prompt`` (10).
        subset: all 974 problems, or the 427 that were gone over by hand.
        challenge: also test with the harder assertions that a few problems have.
        path: a local file with all splits (``task_id`` tells them), or a folder with it.
        dataset: Hub id, or a local folder laid out like the Hub's.
        revision: Hub commit; a known one unless given.
        instruction: put behind all, after a blank line; "" leaves it out.

    Raises:
        RecipeError: as ``Dataset.rows``; a row of another shape.
    """
    rows = _rows(split, subset, path, dataset, revision)
    prompts = (_prompt(DATA, row, instruction, challenge) for row in rows)
    return taken(once(prompts), take, seed, f"mbpp {subset} {split}")


@source(
    "mbpp_plus",
    paths=("path", "dataset"),
    sizes={"test": 378},
    asked=_asked,
    solutions=lambda **options: _plus_solutions(**options),
)
def mbpp_plus(
    *,
    take: int | None,
    seed: int,
    split: str = "test",
    path: str | None = None,
    dataset: str = PLUS.hub,
    revision: str | None = None,
    instruction: str = CODE,
) -> list[Prompt]:
    """378 problems with EvalPlus' many more tests, in the seed's order.

    Args:
        take: how many; None takes all.
        seed: of the order.
        split: ``test``.
        path: a local file (``prompt``, ``code``, ``test_list``, ``test``), or a folder with it.
        dataset: Hub id, or a local folder laid out like the Hub's.
        revision: Hub commit; a known one unless given.
        instruction: put behind all, after a blank line; "" leaves it out.

    Raises:
        RecipeError: as ``Dataset.rows``; a row of another shape.
    """
    rows = PLUS.rows(split, path=path, dataset=dataset, revision=revision)
    return taken((_prompt(PLUS, row, instruction) for row in rows), take, seed, "mbpp_plus")


def _solutions(
    *,
    split: str = "train",
    subset: Literal["full", "sanitized"] = "full",
    challenge: bool = False,
    path: str | None = None,
    dataset: str = DATA.hub,
    revision: str | None = None,
    instruction: str = CODE,
) -> Iterator[tuple[str, Prompt]]:
    """(answer, prompt) of every problem of a split, the answer its own solution."""
    for row in _rows(split, subset, path, dataset, revision):
        yield _own_answer(row), _prompt(DATA, row, instruction, challenge)


def _plus_solutions(
    *,
    split: str = "test",
    path: str | None = None,
    dataset: str = PLUS.hub,
    revision: str | None = None,
    instruction: str = CODE,
) -> Iterator[tuple[str, Prompt]]:
    """(answer, prompt) of every problem, the answer its own solution."""
    for row in PLUS.rows(split, path=path, dataset=dataset, revision=revision):
        yield _own_answer(row), _prompt(PLUS, row, instruction)


def _rows(
    split: str, subset: str, path: str | None, dataset: str, revision: str | None
) -> Iterator[Row]:
    if split not in SPLITS:
        raise RecipeError(f"mbpp: split = {split!r}: accepted: {', '.join(SPLITS)}")
    if path is not None and Path(path).is_dir():
        path = _file(Path(path), subset)
    for row in DATA.rows(split, path=path, dataset=dataset, revision=revision, config=subset):
        number = row.data.get("task_id")
        if not isinstance(number, int):
            raise RecipeError(f"{row.where}: needs the number 'task_id', has {sorted(row.data)}")
        if number in SPLITS[split]:
            yield row


def _prompt(data: Dataset, row: Row, instruction: str, challenge: bool = False) -> Prompt:
    asserts = texts_of(row, "test_list")
    if not asserts:
        raise RecipeError(f"{row.where}: needs assertions in 'test_list', has {sorted(row.data)}")
    name = entry_point(_code(row), asserts)
    if name is None:
        raise RecipeError(f"{row.where}: its assertions call no function that its 'code' defines")
    question = (
        f"{text_of(row, 'text', 'prompt')}{BEGINS}`{name}`. For example, this must hold:\n\n"
        f"```python\n{asserts[0].strip()}\n```"
    )
    setup = "\n".join([*texts_of(row, "test_imports"), str(row.data.get("test_setup_code") or "")])
    setup = setup.replace("\r\n", "\n").strip()
    whole = row.data.get("test")
    tests: str | list[str]
    if isinstance(whole, str) and whole.strip():
        tests = whole
    else:
        tests = [*asserts, *(texts_of(row, "challenge_test_list") if challenge else ())]
    if setup and row.data.get("task_id") in SETUP_AFTER and isinstance(tests, list):
        tests, setup = [setup, *tests], ""
    return Prompt.of(
        task=data.name, kind="code", messages=user(question, instruction),
        reference={"tests": tests, "entry_point": name, **({"setup": f"{setup}\n"} if setup else {})},
        source=row.origin, licence=data.licence,
    )  # fmt: skip


def entry_point(code: str, asserts: Sequence[str]) -> str | None:
    """The first function or class of a solution that its assertions call; None: there is none."""
    defined = {
        node.name
        for node in _tree(code)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    for line in asserts:
        for node in (found for part in _tree(line) for found in ast.walk(part)):
            if isinstance(node, ast.Name) and node.id in defined:
                return node.id
    return None


def _tree(code: str) -> list[ast.stmt]:
    try:
        with warnings.catch_warnings(action="ignore"):  # of escapes in other people's code
            return ast.parse(code).body
    except (SyntaxError, ValueError):
        return []


def _code(row: Row) -> str:
    return text_of(row, "code").replace("\r\n", "\n")


def _own_answer(row: Row) -> str:
    return code_answer(_code(row))


def _file(folder: Path, subset: str) -> str:
    """A subset's one file, which holds all splits, by the names that it was published under."""
    stem = "sanitized-mbpp" if subset == "sanitized" else "mbpp"
    names = [f"{stem}{suffix}" for suffix in SUFFIXES]
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise RecipeError(f"mbpp: path {str(folder)!r} needs one of {', '.join(names)}")
    return str(found)
