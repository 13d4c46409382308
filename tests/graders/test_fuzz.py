"""Any text at all: extractors don't raise, find what is there, and take time in proportion to it."""

import contextlib
import importlib
import importlib.util
import itertools
import pkgutil
import random
import re
import signal
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deimos.graders
from deimos.graders.choice import find_named_labels
from deimos.graders.extract import boxes, hashes, last_line
from deimos.graders.math.compare import same
from deimos.graders.math.final import find_finals
from deimos.graders.math.limits import find_exceeded_limit
from deimos.graders.math.reading import read
from deimos.graders.math.said.claims import find_statements, read_leading_expression
from deimos.graders.math.said.closing import find_closing_result
from deimos.graders.math.syntax import parse
from deimos.graders.math.tex import clean
from deimos.graders.math.tokens import ALIASES, FUNCTIONS, Unreadable

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def load():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location(
            "fuzz_script", BENCHMARKS / "fuzz_extractors.py"
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


FUZZ = load()
PIECES = st.lists(st.one_of(st.sampled_from(FUZZ.PIECES), st.text(max_size=3)), max_size=30).map(
    "".join
)


@settings(max_examples=300)
@given(PIECES)
def test_pieces_of_answers_in_any_order(text):
    FUZZ.examine(text)


@given(st.text(max_size=300))
def test_any_text(text):
    FUZZ.examine(text)


@given(st.binary(max_size=60))
def test_what_the_fuzzer_makes(data):
    FUZZ.examine(FUZZ.text_of(data))


@given(PIECES)
def test_cleaning_settles(text):
    """Delimiters come off in turns, so it may take several; then nothing changes any more."""
    seen = clean(text)
    for _ in range(len(text) + 2):
        again = clean(seen)
        if again == seen:
            return
        seen = again
    raise AssertionError("it never settles")


@given(PIECES)
def test_what_was_found_last_is_found_again_behind_any_text(before):
    assert hashes(f"{before}\n#### 42")[-1] == "42"
    assert find_statements(f"{before}\n\nThe answer is 42.")[-1].expression == "42"
    assert last_line(f"{before}\n42") == "42"


SIGNS = ("_", "^", "{", "}", "(", ")", "[", "]", "|", "'", "!", "%", "/", "*", "-", "\\pm", "=", "<", ",", "&", "\\\\",
         "d", "e", "x", "U", "1", "1.5", "\\text{a}", "\\frac", "\\sqrt", "\\hat", "\\mathbb", "\\operatorname",
         "\\angle", "\\triangle", "\\sin", "\\log", "\\sum", "\\{", "\\}", "\\lfloor", "\\binom", "\\choose", "\\cup",
         "\\begin{array}", "\\end{array}", "\\bmod", "\\degree")  # fmt: skip


def test_a_formula_that_breaks_off_anywhere_is_read_or_refused():
    """Each short row of signs, and long ones at random: nothing but Unreadable is raised."""
    draw = random.Random(0)
    short = (row for k in (1, 2) for row in itertools.product(SIGNS, repeat=k))
    long = (draw.choices(SIGNS, k=draw.randrange(3, 10)) for _ in range(40_000))
    for row in itertools.chain(short, long):
        try:
            parse(" ".join(row))
        except Unreadable:
            continue
        except Exception as e:
            raise AssertionError(f"{' '.join(row)!r}: {e!r}") from e


def test_a_function_of_any_number_of_values_is_compared_or_refused():
    """Guided fuzzing found ``sgn`` of two numbers, which raised TypeError."""
    names = (*FUNCTIONS, *ALIASES, "floor", "ceil", "abs", "mod", "binom")
    values = (
        "()",
        "(1)",
        "(1,2)",
        "(1,2,3)",
        "(x,y)",
        "[1,2]",
        "_2(3,4)",
        "_2()",
        "^2(2,3)",
        "(,)",
    )
    for name, value in itertools.product(names, values):
        for call in (f"\\{name}{value}", f"\\operatorname{{{name}}}{value}", f"{name}{value}"):
            for other in ("7", call):
                for pair in ((call, other), (other, call)):
                    with contextlib.suppress(Unreadable):
                        same(*pair)


def list_patterns():
    """Every compiled pattern of the graders' modules, with a name."""
    for module in pkgutil.walk_packages(deimos.graders.__path__, "deimos.graders."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                yield f"{module.name}.{name}", value


def test_no_pattern_takes_minutes_on_a_line_of_one_sign():
    """Guided fuzzing found one that took 164 s on 46 dashes: a word could be split in many ways."""

    def stop(*_):
        raise TimeoutError

    signs = [
        *"-=+*/^.,;:!?()[]{}\\$_|<>\"'`~%#& \n\tabI27é·不",
        "is ",
        "and ",
        "the answer is ",
        "B ",
        "7 ",
        "1+",
        "x = ",
    ]
    texts = [sign * (900 // len(sign)) + "\x01" for sign in signs]
    before = signal.signal(signal.SIGVTALRM, stop)
    try:
        for name, pattern in list_patterns():
            signal.setitimer(signal.ITIMER_VIRTUAL, 5)  # of processor time; the slowest takes 0.05
            try:
                for text in texts:
                    pattern.search(text)
            except TimeoutError:
                raise AssertionError(f"{name} on {text[:20]!r} and so on") from None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def seconds(function, text):
    best = 1e9
    for _ in range(3):
        started = time.process_time()
        function(text)
        best = min(best, time.process_time() - started)
    return best


SCANS = {
    "boxes": boxes, "hashes": hashes, "last_line": last_line, "stated": find_statements, "first": read_leading_expression,
    "closing": lambda text: find_closing_result(text, number=True), "final": lambda text: find_finals(text, "7"),
    "beyond": lambda text: find_exceeded_limit(text), "clean": clean, "read": read,
    "letters": lambda text: find_named_labels(text, ["x", "y", "z"], digits=False),
    "digits": lambda text: find_named_labels(text, ["x", "y", "z"], digits=True),
}  # fmt: skip
HARD = ("\\boxed{", "{", "}", "(", "A. ", "answer is ", "answer is (A) and ", "#### ", "\n#### ", "\\", "$", " ", "\n",
        "wait A. ", "A is correct. ", "not ", "1 ", "\\text{", "\\phantom{", "1,000,", "_", "!", "\\boxed{B} ", "**")  # fmt: skip


@pytest.mark.parametrize("name", SCANS)
def test_four_times_the_text_takes_about_four_times_as_long(name):
    """A quadratic scan takes sixteen times as long; processor time, the best of three, tried again."""
    scan = SCANS[name]
    for piece in HARD:
        small = 8_000
        for _ in range(4):
            short, long = (seconds(scan, piece * (n // len(piece))) for n in (small, 4 * small))
            if long < 0.02 or long < 9 * short:
                break
        else:
            raise AssertionError(f"{name} on {piece!r}: {short:.4f} s, then {long:.4f} s")
