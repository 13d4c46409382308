"""Any text at all: extractors don't raise, find what is there, and take time in proportion to it."""

import importlib.util
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deimos.graders.choice import named_labels
from deimos.graders.extract import boxes, first_expression, hashes, last_line, stated
from deimos.graders.forms import comparable
from deimos.graders.limits import beyond
from deimos.graders.rational import clean, rational

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
def test_cleaning_twice_is_cleaning_until_nothing_changes(text):
    """Outer marks come off one by one, so it may take several; it never grows and always ends."""
    seen = clean(text)
    for _ in range(len(text) + 1):
        again = clean(seen)
        assert len(again) <= len(seen)
        if again == seen:
            return
        seen = again
    raise AssertionError("it never settles")


@given(PIECES)
def test_what_was_found_last_is_found_again_behind_any_text(before):
    for text, found in ((f"{before}\n#### 42", hashes), (f"{before}\nThe answer is 42.", stated)):
        assert found(text)[-1] == "42"
    assert last_line(f"{before}\n42") == "42"


def seconds(function, text):
    best = 1e9
    for _ in range(3):
        started = time.process_time()
        function(text)
        best = min(best, time.process_time() - started)
    return best


SCANS = {
    "boxes": boxes, "hashes": hashes, "stated": stated, "last_line": last_line, "first": first_expression,
    "beyond": lambda text: beyond(text), "clean": clean, "rational": rational,
    "forms": lambda text: comparable(text, text[1:]),
    "letters": lambda text: named_labels(text, ["x", "y", "z"], digits=False),
    "digits": lambda text: named_labels(text, ["x", "y", "z"], digits=True),
}  # fmt: skip
HARD = ("\\boxed{", "{", "}", "(", "A. ", "answer is ", "answer is (A) and ", "#### ", "\n#### ", "\\", "$", " ", "\n",
        "wait A. ", "A is correct. ", "not ", "1 ", "\\text{", "\\phantom{", "1,000,", "_", "!", "\\boxed{B} ", "**")  # fmt: skip


@pytest.mark.parametrize("name", SCANS)
def test_four_times_the_text_takes_about_four_times_as_long(name):
    """A quadratic scan takes sixteen times as long; processor time, the best of three, tried again."""
    scan = SCANS[name]
    for piece in HARD:
        small = 40_000
        for _ in range(4):
            short, long = (seconds(scan, piece * (n // len(piece))) for n in (small, 4 * small))
            if long < 0.02 or long < 9 * short:
                break
        else:
            raise AssertionError(f"{name} on {piece!r}: {short:.4f} s, then {long:.4f} s")
