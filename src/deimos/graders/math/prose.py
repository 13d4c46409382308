r"""Last lines as the readers of sentences expect them: prices with one sign, no marks behind the result.

``\$18`` of prose is the price ``$18``, "for all $x$" and "values of $n$" hold no second result, and a black
square says nothing. Other languages' "Antwort: 42" is read here too.
"""

from __future__ import annotations

import re

from deimos.graders.choice_words import ANSWER_IS, DENIED

TAIL = 3000
"""Characters at the end of an answer that are looked at."""
_FORMULA = re.compile(
    r"\$\$.{1,1000}?\$\$|\\\[.{1,1000}?\\\]|\\\([^\n]{1,500}?\\\)|(?<![\\\w])\$(?!\s*\$)(?:[^$\n\\]|\\.){1,500}\$(?!\d)",
    re.DOTALL,
)
_PRICE = re.compile(r"\\\$(?=\s?\d)")
_PRICE_AT_END = re.compile(r"\\\$\s?(\d[\d,]{0,30}(?:\.\d{1,9})?)(?=\s{0,3}(?:\$|\\[\])]))")
_PRICE_BESIDE_FORMULAS = re.compile(r"\\\$\s?(\d[\d,]{0,30}(?:\.\d{1,9})?)")
_SIGN_APART = re.compile(r"(?<![\w$\\])\$\s(?=\d)")
_SIGN_BEHIND = re.compile(r"(?<![\w$\\.,])(\d[\d,]{0,30}(?:\.\d{1,9})?)\$(?=[.,;!]?(?:\s|$))")
_PROVED = re.compile(
    r"[ \t\n]{0,9}(?:\$[ ]?\\(?:blacksquare|square|Box|qed|qedsymbol)[ ]?\$|\\(?:blacksquare|square|Box|qed|qedsymbol)|[∎■□]|\bQ\.?E\.?D\b\.?)[ \t\n]{0,9}$"
)
_NAME = r"\$(?P<name>[A-Za-z](?:_\w)?|\([a-z](?:,\s?[a-z]){1,3}\))\$"
_NAME_COUNTED = re.compile(
    r"(?P<before>\b(?:values?|solutions?|choices|possibilities|pairs?|triples?|integers?|numbers?|options)\s(?:(?:of|for|to)\s)?)" + _NAME
    + r"(?=[ .!]{0,3}$|,?\s(?:that|such|which|for\swhich|satisfying|with)\b)"
)  # fmt: skip
_NAME_HAS = re.compile(
    _NAME
    + r"(?P<behind>\shas\s(?:exactly\s|only\s)?\$?\d[\d,]{0,20}\$?\s(?:(?:possible|distinct|different)\s)?(?:values?|solutions?|choices|possibilities|options|divisors|factors|digits)\b)"
)
_FOR_ALL = re.compile(
    r"(?<=\$),?\s(?:for|with)\s(?:all|every|each|any)\s(?:(?:real|positive|negative|integer|natural|complex)\s(?:numbers?\s|integers?\s|values?\s)?)?"
    r"\$(?:[A-Za-z](?:\s?\\in\s?\\mathbb\s?\{?[RZQNC]\}?)?|[nkm]\s?(?:>|≥|\\geq?)\s?[01])\$(?=[ .!]{0,3}$)"
)
_WHERE_CONSTANT = re.compile(
    r"(?<=\$),?\swhere\s\$[A-Za-z](?:_\w)?\$\sis\s(?:a|an|any|some)\s(?:(?:arbitrary|real|any)\s){0,2}(?:constant|integer|number)(?=[ .!]{0,3}$)"
)
_BESIDES = re.compile(r"(?:です|だ|である|입니다|이다|예요|[。！!.*\s]){1,9}$")


def prepare_last_lines(text: str) -> str:
    """The answer, with its last lines as sentences of numbers, units and single formulas."""
    head, tail = text[:-TAIL], _PROVED.sub("", text[-TAIL:])
    lines = [_with_prices(line) for line in tail.split("\n")]
    last = _WHERE_CONSTANT.sub("", _FOR_ALL.sub("", lines[-1]))
    last = _NAME_COUNTED.sub(lambda m: m["before"] + m["name"], last)
    lines[-1] = _NAME_HAS.sub(lambda m: m["name"] + m["behind"], last)
    return head + "\n".join(lines)


def _with_prices(line: str) -> str:
    if "$" not in line:
        return line
    if line.count("$") == 1 and "\\$" not in line:
        return _SIGN_BEHIND.sub(r"$\1", _SIGN_APART.sub("$", line))
    if "\\$" not in line:
        return line
    formulas = list(_FORMULA.finditer(line))
    if not formulas and not re.search(r"(?<!\\)\$", line):
        return _PRICE.sub("$", line)
    pieces, at = [], 0
    for formula in formulas:
        pieces.append(_PRICE_BESIDE_FORMULAS.sub(r"\1 dollars", line[at : formula.start()]))
        pieces.append(_PRICE.sub("", _PRICE_AT_END.sub(r"\1\\text{ dollars}", formula[0])))
        at = formula.end()
    return "".join(pieces) + _PRICE_BESIDE_FORMULAS.sub(r"\1 dollars", line[at:])


def find_foreign_statement(line: str) -> str:
    """What a line calls the answer in another language than English: "Antwort: 42"; "" if it does not."""
    line = line.replace("：", ":").replace("＝", "=")
    statements = list(ANSWER_IS.finditer(line))
    if not statements or DENIED.search(line[: statements[-1].start()]):
        return ""
    return _BESIDES.sub("", line[statements[-1].end() :].strip(" *")).strip(" *")
