"""Answers that say the same as a reference, and answers that don't, by what they are about."""

import pytest
from tests.graders.math import equal_forms, nouns, numerals, prose

from deimos.graders.math import math

PAIRS = (equal_forms, nouns, numerals, prose)


@pytest.mark.parametrize(("answer", "reference"), [pair for part in PAIRS for pair in part.RIGHT])
def test_it_says_the_same(answer, reference):
    verdict = math(answer, reference)
    assert verdict.ok is True, verdict.because


@pytest.mark.parametrize(("answer", "reference"), [pair for part in PAIRS for pair in part.WRONG])
def test_it_says_something_else_or_nothing(answer, reference):
    assert math(answer, reference).ok is False
