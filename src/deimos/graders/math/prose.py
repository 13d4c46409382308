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
_OPERATORS = str.maketrans("−⋅∙", "-··")
_DASH = re.compile(r"(?:(?<=[\d)])|(?<=[\d)]\s))–(?=\s?[$€£(]?\d)")
_BESIDES = re.compile(r"(?:です|だ|である|입니다|이다|예요|[。！!.*\s]){1,9}$")

_LEADS = re.compile(
    r"^[^\w\\]{0,2}(?:(?:so|thus|therefore|hence|finally|then|consequently|in\sconclusion|as\sa\sresult|we\s(?:get|have|find|obtain|conclude|see)(?:\sthat)?"
    r"|(?:this|it|which)\s(?:gives|means|yields|shows)(?:\sthat)?|it\sfollows\sthat|∴|⇒|=>)\s{0,2}[,:]?\s{1,2}){1,3}",
    re.IGNORECASE,
)
_LETTER_BEHIND = re.compile(
    r"(\$?[-−]?(?:[\d.,/\s×·*^{}-]|\\times|\\cdot|\\frac){0,40}[\d}²³⁴⁵⁶⁷⁸⁹]\$?)\s{1,3}([mgsLJNWVhK])"
)
_MAY_LEAD = re.compile(
    r"^[^A-Za-z\\]{0,6}(?:so|thus|therefore|hence|then|finally|and|but|now|we|this|that|it|the|an?|our|its|his|her|their|from|by|in|since|as|because|where|which|after|on|at|with|using|also|here"
    r"|consequently|lastly|altogether|overall|indeed|clearly|note\sthat|answers?|solutions?|results?|values?|total|sum|final(?:ly)?|only|there|these|those|both|all|each|one|final|step\s\d+|for(?!\s(?:the\s(?:sake|moment)|instance|example|now|a\smoment|contradiction|argument))|to|however|moreover|furthermore"
    r"|[a-z]{2,20}ing|[a-z]\s)\b",
    re.IGNORECASE,
)
_VERB_AT_END = re.compile(
    r"(?:\b(?:is|are|was|were|equals?|be|has|have|had|gets?|got|gives?|gave|makes?|obtains?|finds?|found|that|so|thus|then|hence|therefore|and|or|yields?|won|ate|sold|bought|spent|took|left|ran|made|paid|saw|wrote|drove|rode|ended|[a-z]{3,}ed))\s{0,3}:?\s{0,3}$",
    re.IGNORECASE,
)
_SUPPOSES = re.compile(
    r"^[^\w\\]{0,4}(?:(?:now|so|first|then|next|let\sus|let[’']s|we(?:\scan|\scould)?)[,\s]{1,3}){0,3}"
    r"(?:suppos\w+|assum\w+|let|imagin\w+|consider\w*|tr(?:y|ied|ying)|check\w*|test\w*|if|unless|whether|given|say|set(?!\sof)|put|take|prove|show|verify"
    r"|solve|compute|determine|define|claim|guess\w*|pick|choose|start|begin|(?:note|remember|see)(?!\sthat))\b",
    re.IGNORECASE,
)


def prepare_last_lines(text: str) -> str:
    """The answer, with its last lines as sentences of numbers, units and single formulas."""
    head, tail = text[:-TAIL], _PROVED.sub("", text[-TAIL:])
    tail = _DASH.sub("-", tail.translate(_OPERATORS))
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


def mark_unit(expression: str) -> str:
    r"""A number of prose with its unit's letter upright: "5 m" gives "5\text{ m}", as outside formulas no letter is slanted."""
    match = _LETTER_BEHIND.fullmatch(expression.strip())
    return f"{match[1]}\\text{{ {match[2]}}}" if match else expression


def drop_lead(line: str) -> str:
    """A line without the words that lead to its formula: "So x ≥ 5." gives "x ≥ 5."."""
    return _LEADS.sub("", line)


def only_supposes(line: str) -> bool:
    """Whether a line supposes, tries or asks for what it holds: "Suppose x = (1, 2)."."""
    return _SUPPOSES.match(line) is not None or line.rstrip("$*) ").endswith("?")


def leads_to_equation(words: str) -> bool:
    """Whether these words, right before an equation, may say that it holds: "So we get", "The area is".

    Another word than those listed ("Contradiction to", "Conjecture:") says something else of it.
    """
    return _MAY_LEAD.match(words) is not None or _VERB_AT_END.search(words) is not None


def find_foreign_statement(line: str) -> str:
    """What a line calls the answer in another language than English: "Antwort: 42"; "" if it does not."""
    line = line.replace("：", ":").replace("＝", "=")
    statements = list(ANSWER_IS.finditer(line))
    if not statements or DENIED.search(line[: statements[-1].start()]):
        return ""
    return _BESIDES.sub("", line[statements[-1].end() :].strip(" *")).strip(" *")
