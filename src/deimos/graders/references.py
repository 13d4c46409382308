r"""Which math references could never be met, whatever the answer.

Looks at the text alone, quickly: what stands for no value, whole solutions instead of answers, text that was
damaged on the way. Not covered: a reference that is mathematics and wrong, or that the grader cannot
read; its verdicts are null then.
"""

from __future__ import annotations

import re

_NO_VALUE = re.compile(
    r"[-+]?(?:[nN][aA][nN]|[iI]nf|[nN]ull|NULL|N/A|#N/A|<NA>|NaT|#VALUE!|#REF!|#DIV/0!)"
)
"""What programs write for no number. Not "None" and "undefined", which may be answers."""
_VALUE = re.compile(r"\w|\\[A-Za-z{]|[^\x00-\x7f]|[(\[{]")
"""What a value may be written with; a mere "?" or "-" has none of it."""
_MARKUP = re.compile(
    r"\\(?:text|textbf|mathrm|mbox|boxed|left|right|displaystyle|quad|qquad)(?![A-Za-z])|\\[()\[\],;:! ]|[\s${}.]"
)
_WRAPPED = re.compile(r"[\s$.]|\\[()\[\]]|\\text(?:rm)?\b|[{}]")
_BOX = re.compile(r"\\boxed\b")
_STATED = re.compile(r"\banswer\s{0,3}(?:is\b|:)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]")
_TORN = re.compile(r"(?:rac|qrt|oxed|inom|ext|imes|heta|egin)(?![A-Za-z])")


def check_math_reference(reference: object) -> None:
    """Refuse a math reference that no answer could meet.

    Raises:
        ValueError: one sentence about what is wrong with it.
    """
    text = str(reference)
    shown = repr(text if len(text) <= 60 else text[:57] + "…")
    if sign := _CONTROL.search(text):
        raise ValueError(f"the reference {shown} has the character {sign[0]!a}, a damaged text's")
    if not _MARKUP.sub("", text) and not re.fullmatch(r"\s*\\?\{\s*\\?\}\s*", text):
        raise ValueError(f"the reference {shown} is empty")
    if not _VALUE.search(text):
        raise ValueError(f"the reference {shown} has no letter, digit or symbol that is a value")
    if _NO_VALUE.fullmatch(_WRAPPED.sub("", text)):
        raise ValueError(f"the reference {shown} stands for a missing value")
    if re.search(r"<<[^<>]*=[^<>]*>>", text):
        raise ValueError(
            f"the reference {shown} has a calculator's notes: only what stands behind '####' is the answer"
        )
    if "####" in text:
        raise ValueError(
            f"the reference {shown} is a whole solution: only what stands behind '####' is the answer"
        )
    if _BOX.search(text) and not re.fullmatch(r"[\s$.]*\\boxed\s*\{.*\}[\s$.]*", text, re.DOTALL):
        raise ValueError(
            f"the reference {shown} is a whole solution: only what its box holds is the answer"
        )
    if _STATED.search(text):
        raise ValueError(
            f"the reference {shown} is a sentence: only the answer itself can be compared"
        )
    if _TORN.match(text):
        raise ValueError(f"the reference {shown} begins in the middle of a TeX command")
    if _unbalanced(text):
        raise ValueError(f"the reference {shown} has braces that don't close")


def _unbalanced(text: str) -> bool:
    """Whether braces don't pair, be it with escaped ones or without: one of the two may be meant."""
    plain = re.sub(r"\\[\\{}]", "", text)
    return all(_depth(each) != 0 for each in (plain, text))


def _depth(text: str) -> int:
    return text.count("{") - text.count("}")
