"""The lab's stories: the words alone lead to the number."""

import random
import re

from deimos.lab import arithmetic
from deimos.lab.arithmetic import LARGEST, Step
from deimos.lab.problem import LENGTHS


def stories(n=300, seed=0):
    rng = random.Random(seed)
    return [arithmetic.draw(rng, LENGTHS) for _ in range(n)]


def test_a_story_alone_leads_to_its_result():
    """Reads the words, not the steps, and comes to the same number."""
    for p in stories():
        value = int(re.search(r"has (\d+)", p.sentences[0])[1])
        for sentence in p.sentences[1:]:
            numbers = [int(x) for x in re.findall(r"\d+", sentence)]
            if "double" in sentence:
                value *= 2
            elif "half" in sentence:
                assert value % 2 == 0
                value //= 2
            elif len(numbers) == 2:
                value += numbers[0] * numbers[1]
            elif re.search(rf"sells|loses|{p.name} gives", sentence):
                value -= numbers[0]
            else:
                value += numbers[0]
            assert 0 <= value <= LARGEST
        assert value == p.result
        assert p.problem("math").reference == str(value)


def test_sums_are_true():
    for p in stories(200):
        for clause in p.problem("math").clauses:
            for equation in clause.work:
                left, right = equation.split("=")
                assert eval(left.replace("/", "//")) == int(right)


def test_the_letter_is_of_the_one_range_that_holds_the_result():
    letters = set()
    for p in stories():
        holds = [p.result < 20, 20 <= p.result < 40, 40 <= p.result < 60, p.result >= 60]
        assert [letter for letter, held in zip("ABCD", holds, strict=True) if held] == [p.letter]
        asked = p.problem("choice")
        assert asked.text.endswith("A) less than 20\nB) 20 to 39\nC) 40 to 59\nD) 60 or more")
        assert asked.reference["letter"] == p.letter
        letters.add(p.letter)
    assert letters == set("ABCD")


def test_half_is_only_asked_of_even_numbers():
    assert Step("half").apply(8) == 4
    for p in stories():
        for step, value in zip(p.steps, p.values[:-1], strict=True):
            assert step.op != "half" or value % 2 == 0
