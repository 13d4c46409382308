r"""Answers in plain sentences: "12. That's the answer.", "The roots are 2 and 5.", "There is no solution".

Each function takes text that ``claims.py`` found nothing to doubt in, or looks for doubt itself; a text
that denies, supposes or asks gives "".
"""

from __future__ import annotations

import re

from deimos.graders.math.numerals import with_digits

_LONE_NUMBER = re.compile(
    r"(?P<number>-?[$€£]?\d[\d,]{0,40}(?:\.\d+)?(?:/\d+)?%?(?:\s[A-Za-z]{2,14}){0,2})|\$(?P<a>[^$\n]{1,200})\$|\\\((?P<b>[^\n]{1,200}?)\\\)"
)
_IS_THE_ANSWER = re.compile(
    r"\b(?:that|this|it|which)(?:\s(?:is|must\sbe|should\sbe)|[’']s)\s(?:indeed\s|definitely\s)?(?:the|my|our)\s(?:(?:final|correct|right)\s){0,2}(?:answer|result|solution)\b",
    re.IGNORECASE,
)
_CALLED_CORRECT = re.compile(
    r"(?:^|[.!?]\s+|\n\s{0,9})(?:(?:so|thus|therefore|hence)\s{0,2},?\s{1,3})?(?P<expression>\$[^$\n]{1,200}\$|\\\([^\n]{1,200}?\\\)|-?[$€£]?\d[\d,]{0,40}(?:\.\d+)?(?:/\d+)?%?)"
    r"\s{1,3}is\s{1,3}(?:indeed\s{1,3})?(?:correct|right)(?=\s{0,3}(?:[.!]|$))",
    re.IGNORECASE,
)
_WOULD_BE = re.compile(
    r"(?:^|[.!?]\s+|\n\s{0,9})(?:(?:so|thus|therefore|hence|then|in\stotal|i\s(?:think|believe))\s{0,2},?\s{1,3}(?:that\s{1,3})?)?"
    r"(?:the|my|our)\s{1,3}(?:(?:final|correct|right)\s{1,3}){0,2}answer\s{1,3}would\s{1,3}(?:then\s{1,3}|therefore\s{1,3})?be:?\s{1,3}",
    re.IGNORECASE,
)
_TURNS = re.compile(
    r"[.!]?\s*(?:but|however|if|unless|wait|otherwise|though|although|actually|except|assuming|provided|had|were|or)\b",
    re.IGNORECASE,
)
_RESTATED = re.compile(
    r"[\s,;:(*$]{0,6}(?:i\.\s?e\.|that\sis|in\sother\swords|namely)[,:]?\s{1,3}(?P<again>[^.;\n)]{1,60}?)[\s.)!$*]{0,4}(?:$|\n|[.;)])",
    re.IGNORECASE,
)
_TUPLE = re.compile(r"[(\[][^()\[\]\n,]{1,60}(?:,[^()\[\]\n,]{1,60}){1,5}[)\]]$")
_ITEM = r"(?:\$[^$\n]{1,60}\$|\\\([^\n$]{1,60}?\\\)|(?:[A-Za-z](?:_\d)?\s?=\s?)?[-−]?\d{1,15}(?:[./]\d{1,15})?)"
_LIST = re.compile(
    r"\b(?:roots?|solutions?|zero(?:e?s)?|answers?|values?|numbers?|factors?|divisors?|primes?|integers?|intercepts?|lengths?|sides?|angles?|pairs?|terms?|eigenvalues?|[a-z]+s)"
    r"(?:\s(?:of|for|to|in)\s[^.,;:\n]{1,60}?)?\s(?:are|is)(?:\s(?:thus|therefore|then|exactly|simply|just|given\sby))?:?\s"
    rf"(?P<items>{_ITEM}(?:,\s{_ITEM}){{0,9}}(?:,?\s(?:and|or)\s{_ITEM})?)$",
    re.IGNORECASE,
)
_EQUATION = r"\$[A-Za-z](?:_\w)?\s?=\s?[^$=\n]{1,40}\$"
_EQUATIONS = re.compile(
    r"(?:so|thus|therefore|hence|consequently|we\s(?:get|have|find|obtain|conclude)(?:\sthat)?)\s{0,2},?\s{1,3}(?:either\s)?"
    rf"(?P<items>{_EQUATION}(?:,\s{_EQUATION}){{0,6}},?\s(?:and|or)\s{_EQUATION})",
    re.IGNORECASE,
)
_CANDIDATES = re.compile(r"\b(?:possible|potential|candidates?|trial|rational)\b", re.IGNORECASE)
"""The possible roots are not the roots."""
_LACKING = re.compile(
    r"(?:(?:so|thus|therefore|hence|consequently|we\s(?:see|conclude|find)\sthat|it\sfollows\sthat|this\smeans(?:\sthat)?|in\sconclusion)\s{0,2},?\s{1,3}){0,2}"
    r"(?P<said>there\s(?:is|are)\sno\s(?:real\s)?(?:solutions?|roots?|such\s\w{1,20})|(?:the|this)\s(?:\w{1,15}\s){0,3}has\sno\s(?:real\s)?(?:solutions?|roots?)"
    r"|(?:(?:the|this|its|such\san?)\s(?:(?!that\b|claim|guess|if\b)\w{1,15}\s){1,4}|it\s)(?:(?:does\snot|doesn[’']t)\sexist|is\s(?:undefined|DNE)))",
    re.IGNORECASE,
)


def find_affirmed(sentence: str, affirmation: str) -> str:
    """The number or formula that is a sentence by itself and is called the answer in the next; "" if not."""
    lone = _LONE_NUMBER.fullmatch(sentence.rstrip(".! "))
    if lone is None or not _IS_THE_ANSWER.search(affirmation):
        return ""
    return lone["number"] or lone["a"] or lone["b"]


def find_called_correct(text: str) -> list[tuple[str, int, int]]:
    """Expressions that a sentence of their own calls correct ("So 12 is correct."), and where these stand."""
    found = _CALLED_CORRECT.finditer(text)
    return [(m["expression"], m.start("expression"), m.end()) for m in found]


def find_conclusions(text: str) -> list[int]:
    """Where expressions stand behind "the answer would be" in sentences that suppose nothing."""
    return [match.end() for match in _WOULD_BE.finditer(text)]


def is_turned_round(behind: str) -> bool:
    """Whether what follows a statement limits it: "but …", "if …"."""
    return _TURNS.match(behind) is not None


def find_restatement(behind: str) -> str:
    """A number that "i.e." or "that is" puts beside an answer, in digits: "i.e. thirty"; "" if it is no number."""
    match = _RESTATED.match(behind)
    again = match["again"].strip() if match else ""
    return with_digits(again) or (
        again if re.fullmatch(r"-?\d[\d,]*(?:\.\d+)?(?:/\d+)?", again) else ""
    )


def drop_restatement(line: str) -> str:
    """A line without a number that it says again in words at its end: "30, i.e. thirty"."""
    at = re.search(r",?\s\(?(?:i\.\s?e\.|that\sis,|in\sother\swords)", line)
    return line[: at.start()] if at and find_restatement(line[at.start() :]) else line


def find_tuple_at_end(sentence: str) -> str:
    """The pair, triple or interval that a sentence ends with; "" if it has several."""
    match = _TUPLE.search(sentence)
    return match[0] if match and len(re.findall(r"[(\[]", sentence)) == 1 else ""


def find_list_at_end(sentence: str) -> str:
    """The numbers that a sentence ends with: "The roots are 2, 5, and 11"; "" if it isn't of this form."""
    match = _LIST.search(sentence)
    if (
        match is None
        or _CANDIDATES.search(sentence)
        or re.search(r"\d", sentence[: match.start("items")].replace("x_1", ""))
    ):
        return ""
    items = re.findall(_ITEM, match["items"])
    return match["items"] if len(items) > 1 else ""


def find_equations_at_end(sentence: str) -> str:
    """The formulas that a conclusion ends with, joined by "and" or "or": "Therefore, $p = 5$ or $p = 9$"."""
    match = _EQUATIONS.fullmatch(sentence)
    return match["items"] if match else ""


def says_there_is_none(sentence: str) -> str:
    """The words by which a whole sentence says that there is no solution, or no value; "" if it does not."""
    match = _LACKING.fullmatch(sentence.strip().rstrip(".! "))
    if match is None:
        return ""
    said = match["said"].lower()
    return "does not exist" if re.search(r"exist|undefined|dne", said) else "no solution"


def write_number_in_digits(sentence: str) -> str:
    """A sentence that ends with a number in words, with that number in digits; "" if it has other ones.

    "one" is a pronoun as often as a number and is left alone.
    """
    found = re.search(
        r"(?<=\s)(?:is|are|equals|has|have|had|get|gets|gives|be|was|were|of|needs?|makes?|earns?|pays?|costs?|takes?|left\swith)\s(?!one\b)(?P<tail>[a-z][a-z -]{2,60})$",
        sentence, re.IGNORECASE,
    )  # fmt: skip
    digits = with_digits(found["tail"]) if found else ""
    return sentence[: found.start("tail")] + digits if found and digits else ""
