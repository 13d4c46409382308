"""The lab's notes: every rule is asked, none clash, and what is forbidden is not there."""

import random

from deimos.lab import instructions


def drawn(n=300, lengths=(2, 3, 4)):
    rng = random.Random(3)
    return [instructions.draw(rng, lengths) for _ in range(n)]


def test_every_rule_of_the_lab_is_in_ifevals_registry():
    from deimos.graders.ifeval import registry

    rng, cast = random.Random(0), instructions.Cast("Tom", "Mia", "nuts")
    assert {make(rng, cast).name for make in instructions.RULES} <= set(registry().INSTRUCTION_DICT)


def test_every_rule_is_drawn_and_asked_in_the_prompt():
    seen = set()
    for p in drawn():
        assert p.reference["instruction_id_list"]
        assert len(p.reference["instruction_id_list"]) == len(p.clauses)
        assert all(clause.sentence in p.text for clause in p.clauses)
        seen |= set(p.reference["instruction_id_list"])
    assert len(seen) == len(instructions.RULES)


def test_no_two_rules_of_a_note_clash_or_repeat():
    for p in drawn():
        ids = p.reference["instruction_id_list"]
        assert len(set(ids)) == len(ids)
        assert not any(instructions._conflict(a, b) for a in ids for b in ids)
