"""The instruction grader: does the answer follow every rule that it was given?

lm-eval's IFEval rules (see ``deimos.graders.ifeval``). The strict reading decides, and all rules are
required: there is no partial credit. A rejection also says what the loose reading would have found.
Reference: ``{"instruction_id_list": [name, …], "kwargs": [{…}, …]}``. Always judged in a worker: the
rules need packages that a caller's process should not have to load.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deimos.graders import ifeval
from deimos.graders.ifeval_arguments import check_rules
from deimos.registry import grader
from deimos.types import Verdict

EXAMPLES = [
    (
        "no capital letter stands in this answer and no sign between its words.",
        {
            "instruction_id_list": ["punctuation:no_comma", "change_case:english_lowercase"],
            "kwargs": [{}, {}],
        },
    ),
    (
        "<<Rivers>>\nThey run, and they run.",
        {
            "instruction_id_list": ["detectable_format:title", "keywords:frequency"],
            "kwargs": [{}, {"keyword": "run", "frequency": 2, "relation": "at least"}],
        },
    ),
]
"""Each answer follows its own rules and breaks the other's."""


def prepare() -> None:
    """Load the rules, and langdetect's languages, before the first deadline starts to count."""
    ifeval.registry()


def check_reference(reference: Mapping[str, Any]) -> None:
    """Find out whether some answer could follow a reference's rules; ValueError if none could."""
    check_rules(reference["instruction_id_list"], reference["kwargs"])


@grader("instruction", prepare=prepare, examples=EXAMPLES, check_reference=check_reference)
def instruction(answer: str, reference: Mapping[str, Any]) -> Verdict:
    """Judge an answer by its rules; null if the reference leaves open what they ask."""
    names = reference["instruction_id_list"]
    try:
        check_reference(reference)
        followed = ifeval.follows(answer, names, reference["kwargs"])
    except ValueError as e:
        return Verdict.of(None, f"the reference cannot be judged: {e}"[:300])
    if all(followed.strict):
        return Verdict.of(True, f"follows all {len(names)} rules")
    broken = ", ".join(name for name, kept in zip(names, followed.strict) if not kept)
    return Verdict.of(False, f"breaks {broken} ({_loosely(names, followed.loose)})")


def _loosely(names: list[str], loose: tuple[bool, ...]) -> str:
    broken = [name for name, kept in zip(names, loose) if not kept]
    return f"loosely, too: {', '.join(broken)}" if broken else "loosely, it follows all"
