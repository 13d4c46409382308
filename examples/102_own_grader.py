"""A grader of your own, in one file: Roman numerals.

In a recipe:   select: {graders: {math: ./examples/102_own_grader.py:roman}}
Check it:      python examples/102_own_grader.py
"""

from deimos import Verdict, grader

VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


@grader("roman")
def roman(answer: str, reference: str) -> Verdict:
    """Right when the answer's last word is the reference, compared as numbers."""
    words = answer.rstrip(". \n").split()
    last = words[-1].strip("$*").upper() if words else ""
    if not last or set(last) - set(VALUES):
        return Verdict.of(False, "the last word is no Roman numeral")
    return Verdict.of(number(last) == number(reference.upper()), f"last word {last!r}")


def number(numeral: str) -> int:
    """The value of a Roman numeral: a smaller sign before a larger one is subtracted."""
    values = [VALUES[sign] for sign in numeral]
    following = [*values[1:], 0]
    return sum(-v if v < after else v for v, after in zip(values, following, strict=True))


examples = [("The answer is XIV.", "XIV"), ("It was built in **MCMLIV**", "mcmliv"), ("IX", "IX")]
"""What ``deimos check`` judges: each answer is right for its reference and wrong for the others."""

if __name__ == "__main__":
    from deimos.graders import check

    report = check(f"{__file__}:roman")
    print(report)
    raise SystemExit(0 if report.ok else 1)
