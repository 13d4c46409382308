r"""Numbers in English words: "forty-two", "one hundred and five", "minus seven", "three quarters", "third".

``with_digits`` writes the number that a phrase begins with in digits; what stands behind it (apples) stays.
A phrase in which the number is part of another thing ("one of them", "two times six", "one-to-one") is left
alone, and "twelve (12)" says it twice. Up to "nine hundred ninety-nine billion"; decimals in words ("two point five") are not read.
"""

from __future__ import annotations

import re

_ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]  # fmt: skip
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_VALUES = {word: value for value, word in enumerate(_ONES)} | {
    word: 10 * value for value, word in enumerate(_TENS, start=2)
}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fifth": 5, "eighth": 8, "ninth": 9, "twelfth": 12,
    **{word + "th": value for word, value in _VALUES.items() if word not in ("one", "two", "three", "five", "eight", "nine", "twelve", "zero") and not word.endswith("ty")},
    **{word[:-1] + "ieth": value for word, value in _VALUES.items() if word.endswith("ty")},
    "hundredth": 100,
}  # fmt: skip
_PARTS = {
    "half": 2, "halves": 2, "quarter": 4, "quarters": 4,
    **{word + plural: value for word, value in _ORDINALS.items() if value > 2 for plural in ("", "s")},
}  # fmt: skip
_CARDINAL = "|".join(sorted(_VALUES, key=len, reverse=True))
_LARGER = "|".join(["hundred", *_SCALES])
_NUMBER = re.compile(
    rf"(?P<sign>(?:minus|negative)\s+)?(?P<number>(?:a\s+(?=hundred|thousand|million|billion))?(?:{_CARDINAL}|{_LARGER})"
    rf"(?:(?:\s+and\s+|[\s-]+)(?:{_CARDINAL}|{_LARGER})\b){{0,12}})\b",
    re.IGNORECASE,
)
_FRACTION = re.compile(
    rf"(?P<sign>(?:minus|negative)\s+)?(?P<above>an?|{_CARDINAL})[\s-]+(?P<below>{'|'.join(sorted(_PARTS, key=len, reverse=True))})",
    re.IGNORECASE,
)
_HALF_MORE = re.compile(
    rf"(?P<whole>{_CARDINAL})\s+and\s+(?P<part>(?:an?|{_CARDINAL})[\s-]+(?:{'|'.join(sorted(_PARTS, key=len, reverse=True))}))",
    re.IGNORECASE,
)
_BEHIND = re.compile(r"\s*(?:$|[A-Za-z'’-]{2,20}(?: [A-Za-z'’-]{1,20}){0,3}$|%$)")
_AGAIN = re.compile(r"\s*\(\s*(-?[\d,]+)\s*\)$")
_JOINED = re.compile(
    r"\s*(?:-|(?:of|to|or|and|in|out|times|plus|minus|more|less|over|by|point|half|halves|third|thirds|fourths?|quarters?"
    r"|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?|squared|cubed|hundredths?|thousandths?|than|is|are|if|when|at|from"
    r"|divided|multiplied|raised|something|odd|ish|solutions?\s+(?:or|and)|modulo|mod|another|other|factorial|is|was|for)\b)",
    re.IGNORECASE,
)  # fmt: skip
_ORDINAL = re.compile(rf"(?:the\s+)?(?:({'|'.join(_TENS)})[\s-]+)?({'|'.join(_ORDINALS)})", re.IGNORECASE)  # fmt: skip
_FIGURE = re.compile(r"(?:the\s+)?(\d{1,9})\s?(?:st|nd|rd|th)", re.IGNORECASE)
ORDINAL_FIGURE = re.compile(
    r"(?:\\text\{)?\s*\d+\s*(?:\^\s*)?\{?\s*(?:\\text\{)?\s*(?:st|nd|rd|th)\s*\}{0,2}"
)
"""``3rd``, ``3^{\\text{rd}}``: a place, and not how many."""


def with_digits(phrase: str) -> str:
    """The phrase with the number at its beginning in digits, ``3/4`` if it is a fraction; "" if it begins with none."""
    phrase = " ".join(phrase.split())
    if phrase.lower() == "half":
        return "1/2"
    if fraction := _FRACTION.fullmatch(phrase):
        above = _VALUES.get(fraction["above"].lower(), 1)
        sign = "-" if fraction["sign"] else ""
        return f"{sign}{above}/{_PARTS[fraction['below'].lower()]}"
    if mixed := _HALF_MORE.fullmatch(phrase):
        return f"{_VALUES[mixed['whole'].lower()]} {with_digits(mixed['part'])}"
    match = _NUMBER.match(phrase)
    if match is None or (value := _value(match["number"].lower())) is None:
        return ""
    sign, behind = "-" if match["sign"] else "", phrase[match.end() :]
    if again := _AGAIN.fullmatch(behind):
        return f"{sign}{value}" if again[1].replace(",", "") == f"{sign}{value}" else ""
    if _JOINED.match(behind) or not _BEHIND.fullmatch(behind):
        return ""
    return f"{sign}{value}{behind}"


def ordinal_of(phrase: str) -> int | None:
    """The place that "third", "the twenty-first" or "3rd" names; None if it names none."""
    phrase = " ".join(phrase.split())
    if figure := _FIGURE.fullmatch(phrase):
        return int(figure[1])
    match = _ORDINAL.fullmatch(phrase)
    if match is None:
        return None
    tens, unit = _VALUES.get((match[1] or "").lower(), 0), _ORDINALS[match[2].lower()]
    return tens + unit if not tens or unit < 10 else None


def _value(words: str) -> int | None:
    """The value of number words side by side; None if they are no one number ("one two", "ten twenty")."""
    total = group = 0
    last = 10**12  # the size of the part before, to which a smaller one is added
    for word in re.findall(r"[a-z]+", words):
        if word in ("and", "a"):
            if word == "and" and last not in (100, 1000):
                return None  # "twenty and five" are two numbers
            continue
        if word == "hundred":
            if group > 99:
                return None
            group, last = (group or 1) * 100, 100
        elif word in _SCALES:
            total, group, last = total + (group or 1) * _SCALES[word], 0, 1000
        else:
            value = _VALUES[word]
            if (
                value >= last
                or (last < 100 and (last < 20 or value > 9))
                or (not value and (group or total))
            ):
                return None
            group, last = group + value, value
    return total + group
