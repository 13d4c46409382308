r"""Answers that are stated in words, as in "the answer is 72, since …".

A statement that is denied, doubted, supposed, bounded or asked ("not 7", "less than 7", "if … 7")
claims nothing. All scans are linear.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from deimos.graders.box_doubt import is_doubted
from deimos.graders.math.said.phrases import (
    find_called_correct,
    find_conclusions,
    is_turned_round,
    says_there_is_none,
)
from deimos.graders.math.tokens import word_set
from deimos.graders.statements import OF_ANOTHER, is_plainly_led, speaks_of_another

CLAUSE = 80
"""Characters before a statement in which it may be denied."""
STATEMENT = 400
"""Characters behind "answer is" in which the answer ends."""

MOST_STATEMENTS = 60
"""Of several statements that many count, the last ones."""

_ANSWER = re.compile(
    r"(?:(?<![A-Za-z\d])(?:answers?|ans)(?![A-Za-z\d])|^[ \t*#_]{0,6}(?:final\s)?result(?=[ \t*_]{0,4}:)|^[ \t*#_]{0,6}(?:final\ssolution|solution|final)(?=[ \t*_]{0,4}:[ \t*_]{0,4}[-$\\\d(\[√π]))[ \t*_]{0,4}(?:(?:to|for|of)\s(?:the|this|your|our)\s(?:\w{1,15}\s?){1,3})?[ \t*_]{0,4}"
    r"(?:\([^()\n]{1,20}\)\s?)?(?:,\s(?:therefore|then|thus|hence|of\scourse|in\sfact|finally),\s)?(?:(?:(?:is\snot|isn[’']t|was\snot|wasn[’']t)\s\$?-?\d[\d.,/]{0,30}\$?[,;]?\s(?:it[’']s|it\sis|but(?:\srather)?)|is|are|was|will\sbe|must\sbe|should\sbe|has\sto\sbe|ought\sto\sbe|can\sonly\sbe|(?<=\ban\sanswer\s)of(?=\s{1,2}-?[$\\\d])|equals|becomes|(?:turns|comes|works)\sout\sto(?:\sbe)?|comes\sto)(?![\w'’])|[:=]|[–—](?=\s?[$\d\\])|(?<=\bans)\.(?=[ \t]{1,3}[-$\\\d]))[ \t*_:]{0,6}",
    re.IGNORECASE | re.MULTILINE,
)
_HEADING = re.compile(
    r"^[ \t#*_]{0,8}(?:final\s)?answers?[ \t*_:]{0,6}$", re.IGNORECASE | re.MULTILINE
)
_SOMEBODYS = re.compile(
    r"(?:\b(?!let)\w+[’']s|\b(?:his|her|their|no|none\sof\sthe))\s(?:\w{1,12}\s)?$", re.IGNORECASE
)
"""Tom's answer is not the answer."""
_NAMED_ANSWER = re.compile(
    r"(?P<expression>\$[^$\n]{1,200}\$|\\\([^\n]{1,200}?\\\)|(?<![\d,.])-?[$€£]?\d[\d,]{0,40}(?:\.\d+)?(?:/\d+)?%?)\*{0,2}\s{1,3}(?:is|as)\s{1,3}(?:indeed\s{1,3}|thus\s{1,3})?"
    r"(?:the|our|my)\s{1,3}(?:(?:correct|right|final)\s{1,3}){0,2}(?:answer|result|solution|number)\b"
    r"(?!\s(?:we|i|you|they|he|she|to)\b(?!\s(?:want|need|seek|look|sought|(?:are|were)\s(?:looking|after|asked))))",
    re.IGNORECASE,
)
"""44 is the correct answer."""
_ADVERBS = re.compile(
    r"(?:(?:not\s-?\d[\d,.]{0,20}\sbut|therefore|thus|then|hence|simply|just|clearly|indeed|obviously|now|also|equal\sto|given\sby|exactly|only"
    r"|precisely|found\sto\sbe|as\sfollows|calculated\sas|of\scourse|finally|actually|always|in\sfact|really|again)\b[,:]?[ \t]{0,3}|[:,][ \t]{0,3}){1,4}",
    re.IGNORECASE,
)
_FENCE = re.compile(r"```\w{0,10}[ \t]*\n\s*")
_REMARKS = word_set(
    "correct right indeed wrong incorrect consistent reasonable plausible unique clear unclear unknown verified confirmed"
)  # fmt: skip
_CLAUSE_END = re.compile(r"[.,;:!?\n]|\b(?:and|but|so|hence|thus|then|therefore)\b", re.IGNORECASE)
DOUBT = re.compile(
    r"n[’']t\b|\b(?:not|never|if|unless|whether|(?:might|may|could|would|should)(?:\salso)?\s(?:be|equal|have\sbeen)|suppose|supposing|supposed|assume|assuming|assumed|tempting"
    r"|nor|neither|none|no\s(?:answer|value|solution|number|result)s?|cannot|(?:a|one|another|every|each)\spossible|possible\sanswers?|possibly|potential|perhaps|maybe|probably|likely|unlikely|guess|guessed|guesses"
    r"|doubt|unsure|uncertain|wrong|wrongly|incorrect|incorrectly|false|mistaken|impossible|try|tried|trying|claims?|claimed|says"
    r"|said|hoped|seems?|appears?|looks?|imagine|pretend|hypothetically|example|instead|rather|earlier|previous"
    r"|previously|initial|initially|another|either|candidate|candidates|options|choices|hint|plausible|reportedly)\b",
    re.IGNORECASE,
)
BOUND = re.compile(
    r"\b(?:less|more|greater|fewer|larger|bigger|smaller|higher|lower|longer|shorter)\sthan\b|\b(?:at\s(?:least|most)|between"
    r"|above|below|under|over|around|about|approximately|roughly|close\sto|near|nearly|almost|up\sto|no\smore|no\sless"
    r"|exceeds?|anything|bounded|tends?|approaches|all\sbut|exceeding|beyond|besides|except|excluding|other\sthan|different\sfrom|multiple\sof|divisible\sby|divides|factor\sof"
    r"|a\s(?:minimum|maximum)\sof|some|something|somewhere|any|one\sof|ranges?|within|plus|minus|modulo|mod|estimate[ds]?|compared?|versus|vs)\b",
    re.IGNORECASE,
)
_FIRST_WORD_DENIES = re.compile(
    r"[~≈]|\\(?:sim|approx)(?![A-Za-z])|(?:not|no|never|less|more|greater|fewer|larger|bigger|smaller|at|between|above|below|under|over|around|about|approximately"
    r"|roughly|close|near|nearly|almost|probably|maybe|perhaps|possibly|likely|either|neither|one\sof|something|up\sto|different"
    r"|unlikely|supposedly|presumably|hardly|anything|any|some|among|unclear|unknown|unsure)\b",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<!\bi\.e)(?<!\be\.g)(?<!\bRs)[.!?](?=\s|$)")
_CUT = re.compile(
    r"(?<!\bi\.e)(?<!\be\.g)(?<!\bRs)[.!?](?=\s|$|[*_\"'”)])|;(?=\s|$)(?!\s+(?:[A-Za-z]\s?=\s?)?[-$]{0,2}\d[\d,./]*\$?\s*(?:[;.,]|$|or\b|and\b))|(?<=[a-z]{3})\s(?:over|in|within|across|throughout|during)\s(?=\d|the\b|all\b|an?\b|total\b|each\b|one\b|two\b|three\b|(?-i:[A-Z][a-z]))|,?\s+i\.e\.|,?\s+(?:because|since|as(?!\swell\sas)|which|where|so|when|given|for|that|thus|hence|therefore|meaning|after"
    r"|attained|achieved|occurring|reached|with\sequality|q\.?e\.?d"
    r"|but|by|following|using|based|obtained|found|from|whereas|while|due)\b|(?:,|(?<=[\w$)]))\s{1,3}giving\s(?:us\s)?(?:option\s|choice\s|answer\s)?\(?(?-i:[A-J])\)?(?=\s{0,3}(?:[.,!]|$))|,\s*(?:not|with|no\s(?:more|less|fewer)|and\s(?:we|this|that|the|it|so|not))\b"
    r"|,?\s+(?:and\s)?(?:not|rather\sthan|instead\sof)\b|,\s+(?:a|an|the|i|we|he|she|it|they|this|there)\s|\s[-–—]{1,3}\s(?=[A-Za-z])|\s\((?=(?:i\.\s?e|e\.\s?g)\.)|\s\((?!mod\b|base\b|in\sbase)(?=[A-Za-z]{2}|\d+\s[a-z]{3,}\s(?:of|by|per|times|each|plus)\b)|\*\*|:(?=\s)",
    re.IGNORECASE,
)
_CONDITION = re.compile(r"\s(?:if|unless|assuming|provided|supposing)\b|\?|\bor\s(?:maybe|perhaps|is\sit)\b|,\s*(?:maybe|perhaps|possibly|or)\b|\bnot\s(?:sure|certain)\b|\bi\s(?:guess|suppose)\b", re.IGNORECASE)  # fmt: skip
_ONLY_SOMETIMES = re.compile(
    r"\sonly\s(?:for|when|if|in|at|where|on|with|under|as\slong)\b", re.IGNORECASE
)
_OF_A_DISTANCE = re.compile(
    r"(?:-?[$€£]?\d[\d,]{0,30}(?:\.\d+)?(?:/\d+)?%?|\$[^$\n]{1,60}\$)(?:\s[a-z]{2,14}){0,2}?\s(?:away(?:\sfrom|\b)|(?:below|above|under|beyond|past|short\sof|off)\s(?!zero|freezing|sea\slevel|the\sground|ground|par\b|the\ssurface|all\b)"
    r"|(?:less|more|greater|fewer|larger|smaller|bigger|higher|lower|longer|shorter)\sthan\s|(?:digits?|characters?|letters?|words?|pages?|lines?)\slong\b|times\s(?:as|the|that|what|its|this)\s|percent\sof\s(?:the|that|what)\s)",
    re.IGNORECASE,
)
"""A number that tells how far the answer is from something else, or how long it is: "4 away from 10"."""
_ELSEWHERE = re.compile(r"\sin\sthe\s(?:previous|last|earlier)\b|\sor$", re.IGNORECASE)
_STEPS_BEHIND = re.compile(
    r"(?P<number>-?[$€£]?\d[\d,]{0,20}(?:\.\d+)?)(?:\s[a-z]{2,14}){0,2}\s\((?:i\.e\.,?\s|that\sis,?\s|from\s|since\s|because\s|=\s?)?"
    r"(?P<steps>[-+*/×·x\d.,\s$()%]{3,60}(?:=\s?[$\d.,]{1,20})?)\)",
    re.IGNORECASE,
)
FORMULA = re.compile(
    r"\$\$(?P<a>.{1,2000}?)\$\$|\\\[(?P<b>.{1,2000}?)\\\]|\\\((?P<c>[^\n]{1,1000}?)\\\)|(?<![\\\w])\$(?!\s*\$)(?P<d>(?:[^$\n\\]|\\.){1,1000})\$(?!\d)"
    r"|(?P<e>\\begin\{(?:align|gather|equation|eqnarray|multline)\*?\}(?:(?!\\begin).){1,2000}?\\end\{[a-z]{5,8}\*?\})",
    re.DOTALL,
)
MARKS = re.compile(r"\*\*|__|`")


@dataclass(frozen=True, slots=True)
class Claim:
    """An expression that is stated to be the answer, and where its statement begins and ends."""

    expression: str
    start: int
    end: int
    plain: bool = True
    """Whether it can be the answer; else it can only contradict what is."""


def find_statements(text: str) -> list[Claim]:
    """What stands behind "answer is" or "answer:", or before "is the answer", in order.

    It ends with its formula, its clause or its sentence.
    """
    found: list[Claim] = []
    openings = sorted(
        [(m.start(), m.end()) for m in _ANSWER.finditer(text)]
        + [(m.start(), m.end()) for m in _HEADING.finditer(text) if ":" not in m[0]]
    )
    openings = openings[-MOST_STATEMENTS:]
    for i, (start, end) in enumerate(openings):
        behind = text[end : end + STATEMENT + 40]
        at = len(behind) - len(behind.lstrip())
        rest = behind.lstrip()
        if fence := _FENCE.match(rest):
            at += fence.end()
            rest = rest[fence.end() :]
        if adverbs := _ADVERBS.match(rest):
            at += adverbs.end()
            rest = rest[adverbs.end() :].lstrip()
        if "\n\n" in behind[:at] and not rest:
            continue
        expression, length = read_leading_expression(rest)
        following = openings[i + 1][0] if i + 1 < len(openings) else len(text) + 1
        if not expression or expression.lower() in _REMARKS or following < end + at + length:
            continue  # "Final Answer: The final answer is $42$" is one statement, the second
        denied = _FIRST_WORD_DENIES.match(expression) and not says_there_is_none(
            f"There is {expression}"
        )
        noun = start - 3 if text[max(0, start - 3) : start].lower() == "an " else start
        if _claims(text, start) and not denied and not speaks_of_another(text, noun):
            plain = is_plainly_led(text, start) and not OF_ANOTHER.search(text, start, end)
            found.append(Claim(expression, start, end + at + length, plain))
    for match in _NAMED_ANSWER.finditer(text):
        if _claims(text, match.start()) and not is_doubted(text, match.start()):
            found.append(Claim(match["expression"], match.start(), match.end()))
    found += [Claim(*named) for named in find_called_correct(text)]
    for at in find_conclusions(text):
        expression, length = read_leading_expression(text[at : at + STATEMENT])
        ended = re.match(r"\s*(?:[.!*]|$)", text[at + length :])
        if expression and ended and not is_turned_round(text[at + length :]):
            found.append(Claim(expression, at, at + length))
    return sorted(found, key=lambda claim: claim.start)


def read_leading_expression(rest: str) -> tuple[str, int]:
    """The expression that a text begins with, and how long it is; "" if it is hedged or a condition.

    It ends with the formula, the sentence, or the clause: "72, which …", "72 because …".
    """
    rest = rest[:STATEMENT]
    marks = MARKS.match(rest)
    skipped = marks.end() if marks else 0
    body = rest[skipped:]
    first = FORMULA.match(body)
    line_end = body.find("\n", first.end() if first else 0)
    line = body[:line_end] if line_end >= 0 else body
    end = _cut_at(line, first.end() if first else 0)
    sentence = _SENTENCE_END.search(line, end)
    remark = line[end : sentence.start() + 1 if sentence else len(line)]
    if _CONDITION.search(remark):
        return "", skipped + end
    expression = _with_its_steps(line[:end].strip().strip("*_`\"'“”‘’ ").rstrip(",;: "))
    sometimes = _ONLY_SOMETIMES.search(line, max(0, end - 6), end + 15)
    if sometimes or _ELSEWHERE.search(expression) or _OF_A_DISTANCE.match(line):
        return "", skipped + end
    return expression, skipped + end


def _with_its_steps(expression: str) -> str:
    """A number with the steps to it in brackets, "72 (48 + 24)", as one equation; another expression as it is."""
    match = _STEPS_BEHIND.fullmatch(expression)
    if match is None or not re.search(r"\d\s?[-+*/×·x]\s?[$\d(]", match["steps"]):
        return expression
    steps = match["steps"].strip()
    return steps if "=" in steps else f"{steps} = {match['number']}"


def _cut_at(line: str, start: int) -> int:
    """Where the expression ends: at the first cut outside formulas."""
    formulas = [(m.start(), m.end()) for m in FORMULA.finditer(line)]
    for cut in _CUT.finditer(line, start):
        if not any(a <= cut.start() < b for a, b in formulas) and line[: cut.start()].strip():
            return cut.start()
    return len(line)


def _claims(text: str, at: int) -> bool:
    """Whether nothing in the clause before a statement denies, doubts or supposes it."""
    clause = _CLAUSE_END.split(text[max(0, at - CLAUSE) : at])[-1]
    return DOUBT.search(clause) is None and _SOMEBODYS.search(clause) is None
