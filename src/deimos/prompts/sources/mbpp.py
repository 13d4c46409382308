r"""MBPP (CC-BY-4.0, Google) and MBPP+ (Apache-2.0, EvalPlus): small functions from a sentence.

The reference is ``{"tests", "entry_point", "setup"?}``. ``tests`` is a list of assertions (MBPP+:
one program), run with the candidate's function in scope; ``setup`` is run before them in the process
that holds them, which never sees the candidate. In two problems (367 and 927) the set-up makes objects
of a class that the candidate has to bring: there it stands at the head of ``tests`` instead. In three of
MBPP+ (737, 787, 794) nothing asserts the result of the comparison: an ``assert`` is put behind it.

Splits by the authors: problems 1-10 are for few-shot prompts, 11-510 to test, 511-600 to validate,
601-974 to train. MBPP+ is a part of the whole (378 of the sanitized 427), so it is a test set.

A row is ``{"task_id", "text" | "prompt", "code", "test_list"}``, with ``challenge_test_list``,
``test_setup_code``, ``test_imports`` and (MBPP+) ``test`` if there are any. A local file has all splits.
MBPP's own options: ``subset`` (``full``, or the 427 ``sanitized`` problems that were gone over by hand)
and ``challenge`` (test with the harder assertions too that a few problems have).
"""

import ast
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from deimos.prompts.dataset import Dataset, PromptParts, dataset_source
from deimos.prompts.rows import SUFFIXES, SourceRow, text_of, texts_of
from deimos.prompts.text import CODE, code_answer, user
from deimos.recipe import RecipeError
from deimos.types import Prompt

SPLITS: Mapping[str, range] = {
    "train": range(601, 975), "test": range(11, 511), "validation": range(511, 601),
    "prompt": range(1, 11),
}  # fmt: skip
"""Which problems are in which split, by ``task_id``."""
DATA = Dataset(
    "mbpp", "code", "google-research-datasets/mbpp", "4bb6404fdc6cacfda99d4ac4205087b89d32030c",
    "CC-BY-4.0", sizes={"train": 374, "test": 499, "validation": 90, "prompt": 10},
    part_sizes={
        "subset": {
            "full": {"train": 374, "test": 499, "validation": 90, "prompt": 10},
            "sanitized": {"train": 120, "test": 257, "validation": 43, "prompt": 7},
        }
    },
)  # fmt: skip
"""Two problems of the test split are alike."""
PLUS = Dataset(
    "mbpp_plus", "code", "evalplus/mbppplus", "b2d74c91837c3f2a20c1299ae98133cbe7cfa077",
    "Apache-2.0 (tests), CC-BY-4.0 (problems)", sizes={"test": 378},
)  # fmt: skip
SETUP_AFTER = (367, 927)
"""Problems whose set-up needs the candidate's own class."""
BEGINS = "\n\nThe function must be named "
"""Where our words begin behind a problem's."""
NOT_ASSERTED = "        exact_match = exp == (out is not None)\n"
"""The last line of a comparison in MBPP+ whose result nothing asserts: problems 737, 787 and 794 would
pass any program."""
_FORMULA = re.compile(r"^write an? (?:python )?function (?:to|that|which) ", re.IGNORECASE)


def rows_of(
    read: Callable[..., Iterator[SourceRow]],
    *,
    split: str,
    path: str | None,
    subset: Literal["full", "sanitized"] = "full",
) -> Iterator[SourceRow]:
    """Rows of a split, from files that have all of them."""
    if path is not None and Path(path).is_dir():
        path = _file(Path(path), subset)
    for row in read(path=path, config=subset):
        number = row.data.get("task_id")
        if not isinstance(number, int):
            raise RecipeError(f"{row.where}: needs the number 'task_id', has {sorted(row.data)}")
        if number in SPLITS[split]:
            yield row


def to_parts(row: SourceRow, *, instruction: str = CODE, challenge: bool = False) -> PromptParts:
    """A function to write and its tests; RecipeError for a row of another shape."""
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
        tests = assert_result(whole)
    else:
        tests = [*asserts, *(texts_of(row, "challenge_test_list") if challenge else ())]
    if setup and row.data.get("task_id") in SETUP_AFTER and isinstance(tests, list):
        tests, setup = [setup, *tests], ""
    reference = {"tests": tests, "entry_point": name, **({"setup": f"{setup}\n"} if setup else {})}
    return PromptParts(user(question, instruction), reference)


def plus_parts(row: SourceRow, *, instruction: str = CODE) -> PromptParts:
    """A function to write and EvalPlus' many more tests."""
    return to_parts(row, instruction=instruction)


def extract_question(prompt: Prompt) -> str:
    """The problem's own sentences, without "Write a function to", which most of them begin with."""
    return _FORMULA.sub("", prompt.messages[-1]["content"].partition(BEGINS)[0])


def solution(row: SourceRow) -> str:
    """The problem's own solution as an answer."""
    return code_answer(_code(row))


mbpp = dataset_source(
    DATA, to_parts, rows=rows_of, unique=True, same_size=("instruction", "challenge"),
    asked=extract_question, solution=solution,
)  # fmt: skip
mbpp_plus = dataset_source(PLUS, plus_parts, asked=extract_question, solution=solution)


def assert_result(tests: str) -> str:
    """MBPP+'s tests of a problem, the result of their comparison asserted if nothing does it there."""
    return tests.replace(NOT_ASSERTED, f"{NOT_ASSERTED}    assert exact_match\n", 1)


def entry_point(code: str, asserts: Sequence[str]) -> str | None:
    """The first function or class of a solution that its assertions call; None if there is none."""
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


def _code(row: SourceRow) -> str:
    return text_of(row, "code").replace("\r\n", "\n")


def _file(folder: Path, subset: str) -> str:
    """A subset's one file, which holds all splits, by the names that it was published under."""
    stem = "sanitized-mbpp" if subset == "sanitized" else "mbpp"
    names = [f"{stem}{suffix}" for suffix in SUFFIXES]
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise RecipeError(f"mbpp: path {str(folder)!r} needs one of {', '.join(names)}")
    return str(found)
