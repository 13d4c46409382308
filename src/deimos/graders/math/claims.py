r"""Answers that are stated in words, as in "the answer is 72, since …" or "So 3 + 4 = 7".

A statement that is denied, doubted, supposed, bounded or asked ("not 7", "less than 7", "if … 7")
claims nothing, nor does a number that is merely mentioned ("see problem 7"). All scans are linear.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from deimos.graders.math.prose import (
    alone_and_affirmed,
    called_correct,
    equations_at_end,
    list_at_end,
    number_in_words,
    says_there_is_none,
    tuple_at_end,
    turns_round,
    would_be,
)
from deimos.graders.math.retractions import TAKEN_BACK
from deimos.graders.math.sides import (
    expression_at_end,
    is_bare_formula,
    only_mentions,
    stands_alone,
    unit_in,
    whole_equation,
)
from deimos.graders.math.tokens import word_set
from deimos.graders.statements import speaks_of_another

CLAUSE = 80
"""Characters before a statement in which it may be denied."""
STATEMENT = 400
"""Characters behind "answer is" in which the answer ends."""

MOST_STATEMENTS = 60
"""Of several statements that many count, the last ones."""

_ANSWER = re.compile(
    r"(?:\b(?:answers?|ans)\b|^[ \t*#_]{0,6}(?:final\s)?result(?=[ \t*_]{0,4}:))[ \t*_]{0,4}(?:(?:to|for|of)\s(?:the|this|your|our)\s(?:\w{1,15}\s?){1,3})?[ \t*_]{0,4}"
    r"(?:\([^()\n]{1,20}\)\s?)?(?:,\s(?:therefore|then|thus|hence|of\scourse|in\sfact|finally),\s)?(?:(?:is|are|was|will\sbe|must\sbe|should\sbe|equals|becomes|(?:turns|comes|works)\sout\sto(?:\sbe)?|comes\sto)(?![\w'’])|[:=])[ \t*_:]{0,6}",
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
    r"(?P<expression>\$[^$\n]{1,200}\$|\\\([^\n]{1,200}?\\\)|(?<![\d,.])-?[$€£]?\d[\d,]{0,40}(?:\.\d+)?(?:/\d+)?%?)\s{1,3}is\s{1,3}(?:indeed\s{1,3}|thus\s{1,3})?"
    r"(?:the|our)\s{1,3}(?:(?:correct|right|final)\s{1,3}){0,2}(?:answer|result|solution|number)\b",
    re.IGNORECASE,
)
"""44 is the correct answer."""
_ADVERBS = re.compile(
    r"(?:(?:not\s-?\d[\d,.]{0,20}\sbut|therefore|thus|then|hence|simply|just|clearly|indeed|obviously|now|also|equal\sto|given\sby|exactly"
    r"|precisely|found\sto\sbe|as\sfollows|calculated\sas|of\scourse|finally|actually|always|in\sfact|really|again)\b[,:]?[ \t]{0,3}|[:,][ \t]{0,3}){1,4}",
    re.IGNORECASE,
)
_REMARKS = word_set(
    "correct right indeed wrong incorrect consistent reasonable plausible unique clear unclear unknown verified confirmed"
)  # fmt: skip
_CLAUSE_END = re.compile(r"[.,;:!?\n]|\b(?:and|but|so|hence|thus|then|therefore)\b", re.IGNORECASE)
_DOUBT = re.compile(
    r"n[’']t\b|\b(?:not|never|if|unless|whether|(?:might|may|could|would|should)(?:\salso)?\s(?:be|equal|have\sbeen)|suppose|supposing|supposed|assume|assuming|assumed|tempting"
    r"|nor|neither|none|no\s(?:answer|value|solution|number|result)s?|cannot|(?:a|one|another|every|each)\spossible|possible\sanswers?|possibly|potential|perhaps|maybe|probably|likely|unlikely|guess|guessed|guesses"
    r"|doubt|unsure|uncertain|wrong|wrongly|incorrect|incorrectly|false|mistaken|impossible|try|tried|trying|claims?|claimed|says?"
    r"|said|hoped|seems?|appears?|looks?|imagine|pretend|hypothetically|example|instead|rather|earlier|previous"
    r"|previously|initial|initially|another|either|candidate|candidates|options|choices|hint|plausible|reportedly)\b",
    re.IGNORECASE,
)
_BOUND = re.compile(
    r"\b(?:less|more|greater|fewer|larger|bigger|smaller|higher|lower|longer|shorter)\sthan\b|\b(?:at\s(?:least|most)|between"
    r"|above|below|under|over|around|about|approximately|roughly|close\sto|near|nearly|almost|up\sto|no\smore|no\sless"
    r"|exceeds?|anything|bounded|tends?|approaches|all\sbut|exceeding|beyond|besides|except|excluding|other\sthan|different\sfrom|multiple\sof|divisible\sby|divides|factor\sof"
    r"|some|something|somewhere|any|one\sof|ranges?|within|plus|minus|modulo|mod|estimate[ds]?|compared?|versus|vs)\b",
    re.IGNORECASE,
)
_FIRST_WORD_DENIES = re.compile(
    r"(?:not|no|never|less|more|greater|fewer|larger|bigger|smaller|at|between|above|below|under|over|around|about|approximately"
    r"|roughly|close|near|nearly|almost|probably|maybe|perhaps|possibly|likely|either|neither|one\sof|something|up\sto|different"
    r"|unlikely|supposedly|presumably|hardly|anything|any|some|among|unclear|unknown|unsure)\b",
    re.IGNORECASE,
)
_CUT = re.compile(
    r"[.!?](?=\s|$|[*_\"'”)])|;(?=\s|$)|,?\s+i\.e\.|,?\s+(?:because|since|as|which|where|so|when|given|for|that|thus|hence|therefore|meaning|after"
    r"|but|by|following|using|based|obtained|found|from|whereas|while|due)\b|,\s*(?:not|with|and\s(?:we|this|that|the|it|so|not))\b"
    r"|,?\s+(?:and\s)?(?:not|rather\sthan|instead\sof)\b|,\s+(?:a|an|the|i|we|he|she|it|they|this|there)\s|\s[-–—]{1,3}\s(?=[A-Za-z])|\s\((?!mod\b|base\b|in\sbase)(?=[A-Za-z]{2}|\d+\s[a-z]{3,}\s(?:of|by|per|times|each|plus)\b)|\*\*|:(?=\s)",
    re.IGNORECASE,
)
_CONDITION = re.compile(r"\s(?:if|unless|assuming|provided|supposing)\b|\?|\bor\s(?:maybe|perhaps|is\sit)\b|,\s*(?:maybe|perhaps|possibly|or)\b|\bnot\s(?:sure|certain)\b|\bi\s(?:guess|suppose)\b", re.IGNORECASE)  # fmt: skip
_ELSEWHERE = re.compile(r"\sin\sthe\s(?:previous|last|earlier)\b|\sor$", re.IGNORECASE)
_FORMULA = re.compile(
    r"\$\$(?P<a>.{1,2000}?)\$\$|\\\[(?P<b>.{1,2000}?)\\\]|\\\((?P<c>[^\n]{1,1000}?)\\\)|(?<![\\\w])\$(?!\s*\$)(?P<d>(?:[^$\n\\]|\\.){1,1000})\$(?!\d)",
    re.DOTALL,
)
_LONE_FORMULA = re.compile(
    r"(?:\\\[((?:(?!\\\[).){1,1500})\\\]|\$\$([^$]{1,1500})\$\$|(?:^|\n)[ \t*]*\$([^$\n]{1,500})\$[*]*|(?:^|\n)[ \t*]*\\\(([^\n]{1,500}?)\\\)[*]*)$",
    re.DOTALL,
)
_CONCLUDES = re.compile(
    r"^\W{0,4}(?:the|its|this|it|so|thus|therefore|hence|consequently|in\stotal|altogether|finally|in\sconclusion|as\sa\sresult|this\smeans"
    r"|it\sfollows|we\s(?:get|have|find|obtain|conclude)|∴)\b|\\therefore",
    re.IGNORECASE,
)
_STATES = re.compile(
    r"\b(?:is|are|was|were|be|equals?|has|have|had|will|gets?|got|makes?|made|needs?|needed|costs?|earns?|earned|pays?|paid"
    r"|saves?|saved|spends?|spent|takes?|took|sells?|sold|leaves?|left|remains?|remained|eats?|ate|buys?|bought|gives?|gave"
    r"|receives?|received|travels?|travel+ed|walks?|walked|runs?|ran|uses?|used|weighs?|weighed|owes?|owed|drinks?|drank"
    r"|collects?|collected|contains?|totals?|becomes?|became|yields?|obtains?|finds?|found|requires?|reads|grows?|grew|holds?"
    r"|lasts?|scored?|scores|wins?|won|loses?|lost|works?|worked|drives?|drove|can|lives?|finish(?:es|ed)?|gained|gains?)\b|=",
    re.IGNORECASE,
)
_OF_AN_ANSWER = re.compile(r"\banswers?\b(?!\s{0,2}[,.]|$)", re.IGNORECASE)
"""Whatever is said of the answer has been read by ``stated``, and refused."""
_SUBORDINATE = re.compile(
    r"\W{0,4}(?:because|since|for|with|until|except|unless|when|where|while|although|though)\b[^,]*$",
    re.IGNORECASE,
)
_FACTORIAL = re.compile(r"\d!\s*[.,;]$")
_MENTION = re.compile(
    r"\b(?:problems?|questions?|exercises?|steps?|equations?|eq|theorems?|lemmas?|pages?|parts?|cases?|figures?|tables?|lines?"
    r"|rows?|columns?|sections?|chapters?|examples?|methods?|options?|choices?|attempts?|no|numbers?|items?|notes?|tasks?|versions?"
    r"|levels?|grades?|rooms?|rules?|points?|lesson|class|unit|volume|issue|appendix|formula|corollary|proposition|definition)\b\.?"
    r"\s{0,2}(?:\(|#|number\s)?$",
    re.IGNORECASE,
)
_NO_RESULT = re.compile(
    r"^\W{0,4}(?:see|try|consider|let|suppose|assume|check|compare|note|recall|use|using|given|guess|ignore|forget|remember|look|refer"
    r"|set|we\slet|now\s(?:consider|let|set)|find|prove|show|determine|compute|we\s(?:want|need|require|seek|reject|discard|exclude|must\sshow)|by\sno"
    r"|take|start|starting|pick|choose|test|verify|say|add|subtract|multiply|divide|substitute|plug|what|why|how|when|where|who"
    r"|is|are|does|do|can|could|would|will|has|have|did|should)\b|\b(?:started|begins?|began|(?:is|are|was|were|been)\sgiven|given\sthat|originally|asked?|asks|mentions?"
    r"|substitut\w*|plug\w*|setting|checking|testing|mentioned|fail(?:s|ed)?|contradict\w*|reject\w*|discard\w*|extraneous|exclud\w*|contrary|might|may|told|friends?|ideas?|i\s(?:have|had|used|took|need)|(?:we|this)\s(?:used|took)|(?:his|her|their|\w+[’']s)\s(?:\w+\s)?(?:answers?|guess|solution)|steps\sin\sthis|without\sloss|states|stated|problem\ssays|appears|question)\b|\b(?:too|wrong|incorrect)\b|\?",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"(?<![\w.,/\\^])-?[$€£]?\d[\d,]*(?:\.\d+)?(?:/\d+)?%?(?:\s+(?:hundred|thousand|million|billion|trillion|dozens?)\b)?"
)
_EQUATION = re.compile(r"(?:[\d\s+\-*/×·÷().,^%$€£]{0,120}=\s*){1,6}[^=]{1,80}$")
_ENDS_WITH = (
    r"(?:(?:\b(?:is|are|was|were|equals?|be|becomes|gives|get|got|obtain|have)|=|:)\s{0,3}(?:(?:indeed|only|exactly|just|simply|thus|therefore"
    r"|also|equal\sto|still|then|actually|a\stotal\sof|given\sby|confirmed\sto\sbe|to\sbe)\s{1,3}){0,3})"
)
_UNIT_WORDS = r"(?:\s{0,2}[A-Za-z]{1,14}(?:/[A-Za-z]{1,5})?(?:\s[A-Za-z]{1,14}){0,3})?"
_LAST_NUMBER = re.compile(
    _ENDS_WITH + r"(?P<number>-?[$€£]?\d[\d,]*(?:\.\d+)?(?:/\d+)?%?)(?P<unit>" + _UNIT_WORDS + ")$",
    re.IGNORECASE,
)
_NO_EQUALITY = re.compile(r"!=|=/=|\\(?:neq?|not|leq?|geq?|lt|gt|approx|sim|equiv)\b|[<>≠≤≥≈≡~]")
_SAYS_NUMBER = re.compile(r"\b(?:is|are|equals?)\s{1,3}-?[$€£]?\d", re.IGNORECASE)
_LAST_FORMULA = re.compile(_ENDS_WITH + r"$", re.IGNORECASE)
_AFFIRMS = re.compile(
    r"\b(?:answer|correct|correctly|confident|result|match(?:es)?|hope|done|good|same|add\sup|adds\sup|confirms?|confirmed|consistent|right"
    r"|sure|satisfied|solved|solution)\b",
    re.IGNORECASE,
)
_ADDS_UP = re.compile(
    r"\beverything\s(?:seems|appears)\sto\s(?:add\sup|check\sout|work\sout|be\s(?:right|correct|consistent))\b",
    re.IGNORECASE,
)
_RELATIVE = re.compile(r",\swhich\s[^,\d$]{1,80}$")
_MARKS = re.compile(r"\*\*|__|`")


@dataclass(frozen=True, slots=True)
class Claim:
    """An expression that is stated to be the answer, and where its statement begins and ends."""

    expression: str
    start: int
    end: int


def stated(text: str) -> list[Claim]:
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
        if adverbs := _ADVERBS.match(rest):
            at += adverbs.end()
            rest = rest[adverbs.end() :].lstrip()
        if "\n\n" in behind[:at] and not rest:
            continue
        expression, length = leading_expression(rest)
        following = openings[i + 1][0] if i + 1 < len(openings) else len(text) + 1
        if not expression or expression.lower() in _REMARKS or following < end + at + length:
            continue  # "Final Answer: The final answer is $42$" is one statement, the second
        denied = _FIRST_WORD_DENIES.match(expression) and not says_there_is_none(
            f"There is {expression}"
        )
        if _claims(text, start) and not denied and not speaks_of_another(text, start):
            found.append(Claim(expression, start, end + at + length))
    for match in _NAMED_ANSWER.finditer(text):
        if _claims(text, match.start()):
            found.append(Claim(match["expression"], match.start(), match.end()))
    found += [Claim(*named) for named in called_correct(text)]
    for at in would_be(text):
        expression, length = leading_expression(text[at : at + STATEMENT])
        ended = re.match(r"\s*(?:[.!*]|$)", text[at + length :])
        if expression and ended and not turns_round(text[at + length :]):
            found.append(Claim(expression, at, at + length))
    return sorted(found, key=lambda claim: claim.start)


def leading_expression(rest: str) -> tuple[str, int]:
    """The expression that a text begins with, and how long it is; "" if it is hedged or a condition.

    It ends with the formula, the sentence, or the clause: "72, which …", "72 because …".
    """
    rest = rest[:STATEMENT]
    marks = _MARKS.match(rest)
    skipped = marks.end() if marks else 0
    body = rest[skipped:]
    first = _FORMULA.match(body)
    line_end = body.find("\n", first.end() if first else 0)
    line = body[:line_end] if line_end >= 0 else body
    end = _cut_at(line, first.end() if first else 0)
    sentence = re.compile(r"[.!?](?=\s|$)").search(line, end)
    remark = line[end : sentence.start() + 1 if sentence else len(line)]
    if _CONDITION.search(remark):
        return "", skipped + end
    expression = line[:end].strip().strip("*_`\"' ").rstrip(",;: ")
    if _ELSEWHERE.search(expression):
        return "", skipped + end
    return expression, skipped + end


def _cut_at(line: str, start: int) -> int:
    """Where the expression ends: at the first cut outside formulas."""
    formulas = [(m.start(), m.end()) for m in _FORMULA.finditer(line)]
    for cut in _CUT.finditer(line, start):
        if not any(a <= cut.start() < b for a, b in formulas) and line[: cut.start()].strip():
            return cut.start()
    return len(line)


def _claims(text: str, at: int) -> bool:
    """Whether nothing in the clause before a statement denies, doubts or supposes it."""
    clause = _CLAUSE_END.split(text[max(0, at - CLAUSE) : at])[-1]
    return _DOUBT.search(clause) is None and _SOMEBODYS.search(clause) is None


def lone_formula(text: str) -> str:
    """The formula that the last line, or the display at the end, consists of; "" if there is other text.

    A line before it may deny it: "It is not" and then the formula.
    """
    tail = text[-1600:].rstrip(" \t\n.,")
    match = _LONE_FORMULA.search(tail)
    if match is None:
        return ""
    before = tail[: match.start()].rstrip()
    lead = before[-CLAUSE:].rpartition("\n")[2]
    if _DOUBT.search(lead) or _BOUND.search(lead):
        return ""
    return next(group for group in match.groups() if group is not None).strip()


def closing(text: str, *, number: bool) -> str:
    """What the last line gives as the result: its only formula, its last equation, its only number.

    Args:
        text: the whole answer.
        number: the reference is a plain number; only then a number in a sentence counts.
    """
    lines = [line for line in text[-3000:].split("\n") if line.strip()][-3:][::-1]
    affirmation = ""
    for i, line in enumerate(lines):
        sentences = _sentences(line)
        for sentence in sentences:
            if _FORMULA.search(sentence) or re.search(r"[\dπ½¼¾⅓⅔⅕⅛]", sentence):
                numbered = i + 1 < len(lines) and re.match(r"\s*\d+[.)]", lines[i + 1])
                begins = sentence == sentences[-1] and not numbered
                alone = alone_and_affirmed(sentence, affirmation) if begins else ""
                return alone or _of_sentence(sentence, number)
            if number and (spelled := number_in_words(sentence.rstrip(".! "))):
                return _of_sentence(spelled, number)
            if not number and not affirmation and (none := says_there_is_none(sentence)):
                return none
            if not _affirms(sentence):
                return ""
            affirmation = f"{sentence} {affirmation}"
    return ""


def _affirms(sentence: str) -> bool:
    """Whether a sentence without numbers only affirms what stands before it ("I hope it helps")."""
    doubts = (
        _DOUBT.search(_ADDS_UP.sub(" confirmed", sentence))
        or TAKEN_BACK.search(sentence)
        or "?" in sentence
    )
    short = len(sentence) <= CLAUSE + 40
    return (
        short
        and not doubts
        and (_AFFIRMS.search(sentence) is not None or len(sentence.split()) <= 3)
    )


def _sentences(line: str) -> list[str]:
    """The sentences of a line, the last one first."""
    line = _MARKS.sub("", line.strip()[-1000:])
    formulas = [(m.start(), m.end()) for m in _FORMULA.finditer(line)]
    ends = [
        m.end()
        for m in re.finditer(r"(?<!\bi\.e)(?<!\be\.g)[.?](?=\s)|(?<!\d)!(?=\s)", line)
        if not any(a <= m.start() < b for a, b in formulas)
    ]
    starts = [0, *ends]
    return [line[a:b].strip() for a, b in zip(starts, [*ends, len(line)])][::-1]


def _of_sentence(sentence: str, number: bool) -> str:
    body = re.sub(r",\s(?:and\s)?not\s-?[\d,.]{1,20}$", "", sentence.rstrip(".! "))
    prose = _FORMULA.sub(" ", body)
    if _NO_RESULT.search(prose) or _DOUBT.search(prose) or only_mentions(prose):
        return ""
    if _OF_AN_ANSWER.search(prose) or _SUBORDINATE.match(prose) or _FACTORIAL.search(sentence):
        return ""
    if not number and (several := equations_at_end(body)):
        return several
    body = _RELATIVE.sub("", body)
    if not number and (several := list_at_end(body)):
        return several
    formulas = list(_FORMULA.finditer(body))
    if formulas:
        return _of_formulas(body, formulas, number)
    if not number:
        concludes = _CONCLUDES.search(body) and not _BOUND.search(body)
        ended = tuple_at_end(body) if concludes else ""
        return ended if ended and _LAST_FORMULA.search(body.removesuffix(ended).rstrip()) else ""
    if _NO_EQUALITY.search(body):
        return ""
    if equation := _EQUATION.search(body):
        opens = equation[0].lstrip(" ,.").startswith("=")
        cut = re.search(r"[^\s$:,]$", body[: equation.start()])  # within a name: a_1 = 8
        at = body.index("=", equation.start()) if cut or opens else equation.start()
        return whole_equation(body[:at] if cut or opens else "", body[at:])
    if len(_SAYS_NUMBER.findall(body)) > 1:
        return ""  # "the least is 7 and the most is 9"
    concludes = _CONCLUDES.search(body) or "=" in body
    if concludes and (last := _LAST_NUMBER.search(body)):
        at = last.start("number"), last.end("number")
        if stands_alone(body, *at):
            return last["number"].rstrip(",") + unit_in(last["unit"] or "")
    if concludes and (expression := expression_at_end(body)):
        return "" if _BOUND.search(body) else expression
    numbers = list(_NUMBER.finditer(body))
    if (
        len(numbers) != 1
        or _BOUND.search(body)
        or not (_CONCLUDES.search(body) or _STATES.search(body))
    ):
        return ""
    one = numbers[0]
    if not stands_alone(body, one.start(), one.end()):
        return ""
    if _MENTION.search(body[: one.start()]) or len(re.findall(r"\d+", body)) > len(
        re.findall(r"\d+", one[0])
    ):
        return ""
    unit = re.match(r"\s{0,2}[A-Za-z]{1,12}(?:/[A-Za-z]{1,5})?", body[one.end() :])
    return one[0].rstrip(",") + (unit_in(unit[0]) if unit else "")


def _of_formulas(body: str, formulas: list[re.Match[str]], number: bool) -> str:
    """The only formula of a sentence that claims something, or the one that its last verb leads to."""
    last = formulas[-1]
    if not is_bare_formula(body, last.start(), last.end()):
        return ""
    content = next(group for group in last.groups() if group is not None).strip()
    if number and _CONCLUDES.search(body) and (plain := _LAST_NUMBER.search(body, last.end())):
        behind = plain["number"].rstrip(",") + (plain["unit"] or "")
        return f"{content} = {behind}" if body[last.end() :].lstrip()[:1] == "=" else behind
    ends = not re.search(r"\d", body[last.end() :]) and len(body[last.end() :].split()) <= 3
    if ends and _CONCLUDES.search(body) and _LAST_FORMULA.search(body[: last.start()].rstrip()):
        return content
    outside = body[: last.start()] + body[last.end() :]
    claims = _CONCLUDES.search(body) or _STATES.search(body)
    if len(formulas) > 1 or re.search(r"\d", outside) or not claims or _BOUND.search(outside):
        return ""
    return "" if _MENTION.search(body[: last.start()]) else content
