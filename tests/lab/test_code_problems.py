"""The lab's functions: the program, the tests and the thought's example all say the same."""

import random
import re

from deimos.lab import code_problems
from deimos.lab.code_problems import LARGEST, LISTS, NUMBERS


def drawn(n=200, lengths=(2, 3, 4)):
    rng = random.Random(3)
    return [code_problems.draw(rng, lengths) for _ in range(n)]


def run(problem):
    """The answer's function, from its own text."""
    space: dict = {}
    exec(re.fullmatch(r"```python\n(.*)\n```", problem.answer, re.S)[1], space)
    return space[problem.reference["entry_point"]]


def test_the_program_agrees_with_the_tests():
    for p in drawn():
        function = run(p)
        space = {function.__name__: function}
        assert len(p.reference["tests"]) in (len(NUMBERS), len(LISTS))
        for test in p.reference["tests"]:
            exec(test, space)


def test_the_thoughts_example_ends_where_the_program_does():
    for p in drawn():
        example = [int(x) for x in re.findall(r"\d+", p.opening)]
        given = example if "(xs)" in p.text else example[0]
        end = re.split(r"[=:] ?", p.clauses[-1].work[0])[-1]
        assert str(run(p)(given)) == end


def test_examples_stay_within_what_the_stories_count_to():
    for p in drawn():
        if "(x)" in p.text:
            for clause in p.clauses:
                assert 0 <= int(re.findall(r"-?\d+", clause.work[0])[-1]) <= LARGEST


def test_both_families_are_drawn():
    texts = [p.text for p in drawn()]
    assert any("(xs)" in text for text in texts)
    assert any("(x)" in text for text in texts)
