r"""The result that an answer ends with, if nothing in it is called the answer: "So 3 + 4 = 7".

A last sentence that denies, doubts, bounds or asks gives nothing, nor does one that only mentions a
number on its way ("see problem 7"). All scans are linear.
"""

from __future__ import annotations

import re

from deimos.graders.box_doubt import is_doubted
from deimos.graders.math.prose import drop_lead, leads_to_equation
from deimos.graders.math.said.affirming import affirms, rules_out_others
from deimos.graders.math.said.claims import BOUND, CLAUSE, DOUBT, FORMULA, MARKS
from deimos.graders.math.said.clauses import find_main_clause
from deimos.graders.math.said.mentions import only_mentions, uses_next
from deimos.graders.math.said.phrases import (
    find_affirmed,
    find_equations_at_end,
    find_list_at_end,
    find_tuple_at_end,
    says_there_is_none,
    write_number_in_digits,
)
from deimos.graders.math.said.sides import (
    complete_equation,
    find_expression_at_end,
    is_bare_formula,
    stands_alone,
    unit_in,
)

_LONE_FORMULA = re.compile(
    r"(?:\\\[((?:(?!\\\[).){1,1500})\\\]|\$\$([^$]{1,1500})\$\$|(?:^|\n)[ \t*]*\$([^$\n]{1,500})\$[*]*|(?:^|\n)[ \t*]*\\\(([^\n]{1,500}?)\\\)[*]*"
    r"|(\\begin\{(?:align|gather|equation|eqnarray|multline|split)(?:ed|at)?\*?\}(?:(?!\\begin).){1,1400}\\end\{[a-z]{5,10}\*?\}))$",
    re.DOTALL,
)
_LABELLED = re.compile(
    r"^\W{0,4}(?:(?:the|grand|final|overall|new|combined)\s){0,2}(?:total|sum|result|value|difference|product|quotient|average|mean|median|mode|range|cost|price|profit|revenue|area|volume|perimeter"
    r"|distance|speed|amount|remainder|remaining|left|balance|count|number)(?:\s[a-z]{2,14}){0,4}(?:\s?:|\s[–—](?=\s))\s{0,3}(?P<number>-?[$€£]?\d[\d,]{0,20}(?:\.\d+)?(?:/\d+)?%?)(?P<unit>(?:\s[a-z]{2,14}){0,3})$",
    re.IGNORECASE,
)
"""A line such as "Total cost: $460"."""
_CONCLUDES = re.compile(
    r"^\W{0,4}(?:that[’']s|it[’']s|the|its|this|it|so|thus|therefore|hence|consequently|in\stotal|altogether|finally|in\sconclusion|as\sa\sresult|this\smeans"
    r"|it\sfollows|we\s(?:get|have|find|obtain|conclude)|∴)\b|\\therefore",
    re.IGNORECASE,
)
_STATES = re.compile(
    r"\b(?:is|are|was|were|be|equals?|measures?|ends?\sup|ended\sup|has|have|had|will|gets?|got|makes?|made|needs?|needed|costs?|earns?|earned|pays?|paid"
    r"|saves?|saved|spends?|spent|takes?|took|sells?|sold|leaves?|left|remains?|remained|eats?|ate|buys?|bought|gives?|gave"
    r"|receives?|received|travels?|travel+ed|walks?|walked|runs?|ran|uses?|used|weighs?|weighed|owes?|owed|drinks?|drank"
    r"|collects?|collected|contains?|totals?|becomes?|became|yields?|obtains?|finds?|found|requires?|reads|grows?|grew|holds?"
    r"|flew|fl(?:y|ies)|swam|swims?|climbs?|cycles?|jogs?|reads|wraps?|knits?|sews?|delivers?|(?!divided|multiplied|subtracted|started|supposed|assumed|mentioned|squared|derived|cubed|listed|labell?ed)[a-z]{3,}ed|lasts?|scored?|scores|wins?|won|loses?|lost|works?|worked|drives?|drove|can|lives?|finish(?:es|ed)?|gained|gains?)\b|=",
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
_WOULD_BE = re.compile(
    r"^(\W{0,4}(?:so|thus|therefore|hence|in\stotal|altogether)\b(?:(?!\b(?:if|unless|otherwise|had|were)\b)[^?]){0,120}?)\swould\s(?:then\s|therefore\s)?be\b",
    re.IGNORECASE,
)
"""A conclusion, not a supposition: "So the total cost would be 42"."""
_NO_RESULT = re.compile(
    r"^\W{0,4}(?:(?:so|now|next|then|thus|first|second|finally|step\s\d{1,2})\b[,:]?\s{1,2}(?=(?:consider|let|try|take|start|divide|multiply|add|subtract|use|set|check|suppose|assume|substitute|plug|pick|choose)\b))?(?:see|try|consider|let|suppose|assume|check|compare|note|recall|use|using|given|guess|ignore|forget|remember|look|refer"
    r"|set|we\slet|now\s(?:consider|let|set)|find|prove|show|determine|compute|we\s(?:want|need|require|seek|reject|discard|exclude|must\sshow)|by\sno"
    r"|take|start|starting|pick|choose|test|verify|say|add|subtract|multiply|divide|substitute|plug|what|why|how|when|where|who"
    r"|is|are|does|do|can|could|would|will|has|have|did|should)\b|\b(?:started|begins?|began|(?:is|are|was|were|been)\sgiven|given\sthat|originally|asked?|asks|mentions?"
    r"|substitut\w*|plug\w*|setting|checking|testing|mentioned|fail(?:s|ed)?|contradict\w*|reject\w*|discard\w*|extraneous|exclud\w*|contrary|might|(?-i:may)|told|friends?|ideas?|i\s(?:have|had|used|took|need)|(?:we|this)\s(?:used|took)|(?:his|her|their|\w+[’']s)\s(?:\w+\s)?(?:answers?|guess|solution)|steps\sin\sthis|without\sloss|states|stated|problem\ssays|appears|question)\b|\b(?:too|wrong|incorrect)\b|\?",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"(?<![\w.,/\\^])-?[$€£]?\d[\d,]*(?:\.\d+)?(?:/\d+|\s\d{1,3}/\d{1,3}|[½¼¾⅓⅔⅛])?%?(?:\s+(?:hundred|thousand|million|billion|trillion|dozens?)\b)?"
)
_EQUATION = re.compile(r"(?:[\d\s+\-*/×·÷().,^%$€£]{0,120}=\s*){1,6}[^=]{1,80}$")
_ENDS_WITH = (
    r"(?:(?:\b(?:measures?|(?:is|are|lies?)\s(?:located\s)?at|is|are|was|were|equals?|be|becomes|gives|get|got|obtain|have)|=|:)\s{0,3}(?:(?:indeed|only|exactly|just|simply|thus|therefore"
    r"|also|equal\sto|still|then|actually|a\stotal\sof|given\sby|confirmed\sto\sbe|to\sbe)\s{1,3}){0,3})"
)
_RAISED = r"(?:\s?\^\s?\{?-?\d\}?|[⁻¹²³⁴]{1,2})?"
_UNIT = rf"[A-Za-z]{{1,14}}{_RAISED}(?:\s?[/·]\s?[A-Za-z]{{1,5}}{_RAISED})?"
_UNIT_WORDS = rf"(?:\s{{0,2}}{_UNIT}(?:\s[A-Za-z]{{1,14}}){{0,3}})?"
_LAST_NUMBER = re.compile(
    _ENDS_WITH
    + r"(?P<number>-?[$€£]?\d[\d,]*(?:\.\d+)?(?:/\d+|\s\d{1,3}/\d{1,3}|[½¼¾⅓⅔⅛])?%?)(?P<unit>"
    + _UNIT_WORDS
    + ")$",
    re.IGNORECASE,
)
_NO_EQUALITY = re.compile(r"!=|=/=|\\(?:neq?|not|leq?|geq?|lt|gt|approx|sim|equiv)\b|[<>≠≤≥≈≡~]")
_ROUNDED = re.compile(rf"\s?(?:≈|\\approx)\s?\d[\d.,]{{0,15}}(?:\s{_UNIT})?$")
"""What "2√3 ≈ 3.46 cm" says again."""
_SAYS_NUMBER = re.compile(r"\b(?:is|are|equals?)\s{1,3}-?[$€£]?\d", re.IGNORECASE)
_LAST_FORMULA = re.compile(_ENDS_WITH + r"$", re.IGNORECASE)
_ATTAINED = re.compile(
    r",?\s(?:attained|achieved|reached|occurring|obtained|with\sequality)\s(?:exactly\s)?(?:at|when|for|if|by)\s.{1,80}$"
)
_FEW = r"(?:\d{1,4}|two|three|four|five|six|seven|eight|nine|ten|twelve)"
_OTHER_QUANTITY = re.compile(
    rf"((?:[$€£]\d[\d,.]{{0,20}}|\d[\d,.]{{0,20}}(?:\s[a-z]{{2,14}}){{1,3}}?))\s(?:in|for|over|during|within)\s(?:(?:the|all|these|those|his|her|their)\s)?"
    rf"{_FEW}\s[a-z]{{2,14}}(?:\s[a-z]{{2,14}}){{0,2}}$"
)
"""What "64 dollars for 16 glasses" says of the result, in another number."""
_PURPOSE = re.compile(
    r"(\d[\d,.]{0,20}(?:\s[a-z]{2,14}){0,3}?)\sto\s(?:buy|fill|pay|reach|make|get|complete|finish|cover|win|have|pass|meet|afford|feed|travel|go|save|earn)\b[^\d=]{0,60}$"
)
_NUMBER_AS_SUBJECT = re.compile(
    r"^(?:so|thus|therefore|hence|consequently|in\stotal|altogether|overall|all\sin\sall|then|this\smeans(?:\sthat)?)\b,?\s(?:a\stotal\sof\s)?(?P<number>[$€£]?\d[\d,]{0,20}(?:\.\d+)?)"
    r"(?P<unit>(?:\s(?!and\b|or\b|of\b|is\b|are\b|was\b|were\b|than\b|times\b)[a-z]{2,14}){1,3}?)\s(?:were|was|are|have\sbeen|has\sbeen|had\sbeen|remain(?:ed|s)?|will\sbe|can\sbe|must\sbe)\b[^\d=]{0,60}$",
    re.IGNORECASE,
)
"""Therefore, 72 clips were sold."""
_NOT_THIS = re.compile(
    r",\s(?:and\s)?not\s-?[\d,.]{1,20}$|\s\((?:and\s)?not\s-?[\d,.]{1,20}\)$|\bnot\s-?\d[\d,.]{0,20}\sbut\s(?=-?[$\d])"
)
"""Another number that is ruled out beside the result: "42, not 41", "not 41 but 42"."""
_AMONG = re.compile(
    r"(?<=\bleft)\sover\b|\sbetween\s(?:them|us|the\s(?:two|three|four)(?:\sof\sthem)?)$"
)
"""15 left over, 7 between them: nothing is bounded."""
_CALLED = re.compile(
    r"^\W{0,4}(?:(?:so|thus|therefore|hence|consequently|then|altogether)\b,?\s)?(?P<number>\$[^$\n]{1,60}\$|(?:[A-Za-z](?:_\w)?\s?=\s?)?-?[$€£]?\d[\d,]{0,30}(?:\.\d+)?(?:/\d+)?%?)"
    r"\s(?:is|must\sbe)\s(?:(?:indeed|thus|therefore|clearly|then|exactly|also)\s)?(?P<what>(?:the|our|what)\b[^\d=,;:$]{2,80})$",
    re.IGNORECASE,
)
_WANTED = re.compile(
    r"\b(?:(?:small|larg|great|high|low|short|long|bigg|few)est|least|most|max(?:imum|imal|ima)?|min(?:imum|imal|ima)?|only|unique|values?|number\sof|sum|product|total|difference"
    r"|remainder|quotient|results?|solution|probability|area|perimeter|volume|length|distance|cost|price|average|mean|median|mode|count|amount|root|limit|integer"
    r"|(?:we|i|you|they)\s(?:want|need|seek|sought|(?:are|were)\s(?:looking|after|asked)))\b",
    re.IGNORECASE,
)
_UNWANTED = re.compile(
    r"\b(?:exceptions?|bound|cases?|candidates?|wrong|first|second|third|next|previous|last|steps?|base|index|divisor|modulus|divid\w+|multipl\w+|try|tried|check\w*|test\w*"
    r"|start\w*|reject\w*|other|guess|exponent|coefficient|problem|question|given|input|counterexample|obstacle|we\s(?:used?|have|know|saw|add|subtract|considered)|and|or|but)\b",
    re.IGNORECASE,
)
"""What a number may be called that is none of what was asked for: "the only exception", "the divisor"."""
_COLON = re.compile(r"\d\s?:\s?\d[\d,.:]*\D*$")
"""A ratio, a score or a time at the end, of which no half is the result."""
_NAME_AND_VALUE = r"\$?[A-Za-z][\w’']{0,12}[₀-₉]?\s?=\s?\$?-?[\d.,/]{0,20}[\d½¼¾]%?\$?"
_TWO_VALUES = re.compile(
    rf"(?<![A-Za-z\d]){_NAME_AND_VALUE}(?:\s?(?:[,;]\s?(?:(?:\.{{3}}|…|\\ldots),?\s?)?(?:or\s|and\s)?|\bor\s|\band\s)\s?{_NAME_AND_VALUE}){{1,8}}\W*$"
)
"""x = 2 or x = 3; a = 2, b = 7 and c = 3."""
_AT_PLACE = re.compile(
    r",?(?:^|\s)(?:for|when(?:ever)?|at|where|with|as|if|from)\s\$?[A-Za-z](?:_\w)?\s?=\s?[^=,]{1,30}$",
    re.IGNORECASE,
)
"""The maximum is 12 when x = 3."""
_LIMITS = re.compile(
    r"(?:^|\s)at\s(?:most|least|best|worst)\b|^\s(?:minimum|maximum|min|max|short|higher|lower|below|above|off|away|too|shy|tops)\b(?!\s{1,3}than\b)",
    re.IGNORECASE,
)
"""Behind a number: it is a bound, or a distance."""
_PERCENT_OF = re.compile(
    r"\d%\sof\s[$€£]?\d[\d,.]{0,20}(?:\s[a-z]{2,14})?\s?=\s?(?P<number>-?[$€£]?\d[\d,]{0,20}(?:\.\d+)?)(?P<unit>(?:\s[A-Za-z]{2,14}){0,2})$"
)
_WORKED_OUT = re.compile(
    r"^\W{0,4}(?:(?:then|next|now|finally|so|first|second|third|lastly|and)\b[,\s]{1,2}){0,2}(?:we\s|you\s)?(?:can\s)?(?:add|subtract|multiply|divide|double|take|sum|combine|find|calculate|compute|determine)\b[^:=?]{1,200}:\s{0,3}(?=[-$€£(]{0,2}\d[^=]{0,120}=)",
    re.IGNORECASE,
)
"""What is done, before what it comes to: "Then divide the pot by the cup: 60 / 3 = 20"."""
_ARITHMETIC = re.compile(
    r"(?<![\w.,$/^])(?P<left>[-$€£(]{0,2}\d(?:[\d\s+*/×·÷x().^%$€£-]|,(?=\d)){0,120}?)=(?P<more>(?:[\d\s+*/×·÷x().^%$€£=-]|,(?=\d)){0,80}=)?\s{0,3}(?P<number>-?[$€£]?\d[\d,]{0,30}(?:\.\d+)?%?)"
    r"(?P<tail>\s?(?!over\b|and\s(?:an?|one|two|three)\b|or\b|times\b(?!(?:\s(?:today|altogether|in\stotal|in\sall|now|an?\s[a-z]+|per\s[a-z]+|each\s[a-z]+))?$)|plus\b|minus\b|squared\b|cubed\b|to\sthe\b|hundred\b|thousand\b|million\b|billion\b|dozen)[A-Za-z][^=\d]{0,160})$"
)
"""A sum with its result, and words that say what that is: "7 - 3 = 4 more tangerines than oranges"."""
MOST_UNIT_WORDS = 2
"""Words behind a result that are read as its unit; more are the rest of the sentence."""
_EQUATED = re.compile(r"(?<![\w\\{])[A-Za-z](?:_\w)?\s?=")
_WORDS = re.compile(r"(?<![\\A-Za-z{])(?!(?:and|or|sin|cos|tan|log|ln|sqrt|pi)\b)[A-Za-z]{2,}")
"""Of a line that is no formula."""
_RELATIVE = re.compile(r",\swhich\s[^,\d$]{1,80}$")


def find_lone_formula(text: str) -> str:
    """The formula that the last line, or the display at the end, consists of; "" if there is other text.

    A line before it may deny it: "It is not" and then the formula.
    """
    tail = text[-1600:].rstrip(" \t\n.,")
    match = _LONE_FORMULA.search(tail)
    if match is None:
        return ""
    before = tail[: match.start()].rstrip()
    lead = before[-CLAUSE:].rpartition("\n")[2]
    if DOUBT.search(lead) or BOUND.search(lead):
        return ""
    if re.search(r"\b(?:by|at|with)$", lead) and uses_next(lead + " "):
        return ""
    return next(group for group in match.groups() if group is not None).strip()


def find_closing_result(text: str, *, number: bool) -> str:
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
            if rules_out_others(sentence):
                affirmation = f"{sentence} {affirmation}"
                continue
            if FORMULA.search(sentence) or re.search(r"[\dπ½¼¾⅓⅔⅕⅛²³⁰-⁹]", sentence):
                numbered = i + 1 < len(lines) and re.match(r"\s*\d+[.)]", lines[i + 1])
                begins = sentence == sentences[-1] and not numbered
                alone = find_affirmed(sentence, affirmation) if begins else ""
                return alone or _of_sentence(sentence, number)
            if number and (spelled := write_number_in_digits(sentence.rstrip(".! "))):
                return _of_sentence(spelled, number)
            if not number and not affirmation and (none := says_there_is_none(sentence)):
                return none
            if not affirms(sentence):
                return ""
            affirmation = f"{sentence} {affirmation}"
    return ""


def _sentences(line: str) -> list[str]:
    """The sentences of a line, the last one first."""
    line = MARKS.sub("", line.strip()[-1000:])
    formulas = [(m.start(), m.end()) for m in FORMULA.finditer(line)]
    ends = [
        m.end()
        for m in re.finditer(r"(?<!\bi\.e)(?<!\be\.g)[.?](?=\s)|(?<!\d)!(?=\s)", line)
        if not any(a <= m.start() < b for a, b in formulas)
    ]
    starts = [0, *ends]
    return [line[a:b].strip() for a, b in zip(starts, [*ends, len(line)])][::-1]


def _of_sentence(sentence: str, number: bool) -> str:
    sentence = find_main_clause(sentence)
    body = _AMONG.sub("", _NOT_THIS.sub("", sentence.rstrip(".! ")))
    if (rounded := _ROUNDED.search(body)) and find_expression_at_end(body[: rounded.start()]):
        body = body[: rounded.start()]
    if not re.search(r"\bif\b", body, re.IGNORECASE):
        body = _WOULD_BE.sub(r"\1 is", body)
    prose = FORMULA.sub(" ", body)
    if claims_nothing(body):
        return ""
    numbers = list(re.finditer(r"-?\d[\d.,/]*", body))
    if numbers and is_doubted(body, numbers[-1].start()):
        return ""
    if _OF_AN_ANSWER.search(prose) or _SUBORDINATE.match(prose) or _FACTORIAL.search(sentence):
        return ""
    body = _RELATIVE.sub("", body)
    return _number_of(body) if number else _expression_of(body)


def claims_nothing(sentence: str) -> bool:
    """Whether a sentence denies, doubts, supposes or asks what it holds, or mentions it on its way."""
    sentence = _WORKED_OUT.sub("", sentence)
    prose = FORMULA.sub(" ", sentence)
    first = FORMULA.search(sentence)
    equation = first if first and "=" in first[0] else _EQUATED.search(sentence)
    before = sentence[: equation.start()].strip(" $*_") if equation else ""
    if re.search(r"[A-Za-z]{2}", before) and not leads_to_equation(before):
        return True
    return bool(_NO_RESULT.search(prose) or DOUBT.search(prose)) or only_mentions(sentence)


def _expression_of(body: str) -> str:
    """What a sentence gives if the reference is more than a number: a list, a tuple, a formula."""
    if _AT_PLACE.search(body):
        return ""
    if several := find_equations_at_end(body) or find_list_at_end(body):
        return several
    if formulas := list(FORMULA.finditer(body)):
        return _of_formulas(body, formulas, number=False)
    if not _CONCLUDES.search(body) or BOUND.search(body):
        return ""
    if re.search(r"\d\)?\s(?:and|or)\s\(\w(?:,\s?\w)+\)\s?=", body):
        return ""
    if (formula := drop_lead(body)) != body and not _WORDS.search(formula):
        return formula
    ended = find_tuple_at_end(body)
    if not ended:
        return find_expression_at_end(body)
    return ended if _LAST_FORMULA.search(body.removesuffix(ended).rstrip()) else ""


def _number_of(body: str) -> str:
    """The number, with its unit, that a sentence gives as the result."""
    place = _AT_PLACE.search(body)
    if place and not re.search(r"\d", body[: place.start()]):
        return ""
    body = body[: place.start()] if place else body
    limited = _LIMITS.search(re.split(r"\d", body)[-1])
    if limited or _COLON.search(body) or _TWO_VALUES.search(body):
        return ""
    if part := _PERCENT_OF.search(body):
        return part["number"].rstrip(",") + part["unit"]
    if labelled := _LABELLED.match(body):
        return labelled["number"].rstrip(",") + unit_in(labelled["unit"])
    body = _PURPOSE.sub(r"\1", _OTHER_QUANTITY.sub(r"\1", _ATTAINED.sub("", body)))
    if (subject := _NUMBER_AS_SUBJECT.match(body)) and not BOUND.search(body):
        return subject["number"].rstrip(",") + unit_in(subject["unit"])
    if (called := _CALLED.match(body)) and not BOUND.search(body):
        wanted = _WANTED.search(called["what"]) and not _UNWANTED.search(called["what"])
        return called["number"].strip("$").rstrip(",") if wanted else ""
    if formulas := list(FORMULA.finditer(body)):
        return _of_formulas(body, formulas, number=True)
    if _NO_EQUALITY.search(body):
        return ""
    if equation := _EQUATION.search(body):
        opens = equation[0].lstrip(" ,.").startswith("=")
        cut = re.search(r"[^\s$:,]$", body[: equation.start()])  # within a name: a_1 = 8
        at = body.index("=", equation.start()) if cut or opens else equation.start()
        whole = complete_equation(body[:at] if cut or opens else "", unit_in(body[at:]))
        plain = _ARITHMETIC.search(body)
        if plain and (len(plain["tail"].split()) > MOST_UNIT_WORDS or "times" in plain["tail"]):
            return f"{plain['left']}= {plain['number'].rstrip(',')}"
        return whole
    if len(_SAYS_NUMBER.findall(body)) > 1:
        return ""  # "the least is 7 and the most is 9"
    concludes = _CONCLUDES.search(body) or "=" in body
    if concludes and (last := _LAST_NUMBER.search(body)):
        at = last.start("number"), last.end("number")
        if stands_alone(body, *at):
            return last["number"].rstrip(",") + unit_in(last["unit"] or "")
    if concludes and (expression := find_expression_at_end(body)):
        return "" if BOUND.search(body) else expression
    return _only_number(body)


def _only_number(body: str) -> str:
    """The only number of a sentence that states something, with its unit."""
    numbers = list(_NUMBER.finditer(body))
    states = _CONCLUDES.search(body) or _STATES.search(body)
    if len(numbers) != 1 or BOUND.search(body) or not states:
        return ""
    one = numbers[0]
    if not stands_alone(body, one.start(), one.end()):
        return ""
    others = len(re.findall(r"\d+", body)) > len(re.findall(r"\d+", one[0]))
    if _MENTION.search(body[: one.start()]) or others:
        return ""
    unit = re.match(rf"\s{{0,2}}{_UNIT}", body[one.end() :])
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
    lead = body[: last.start()].rpartition(",")[2].strip()
    concludes = _CONCLUDES.search(body) or _CONCLUDES.search(lead)
    if ends and concludes and _LAST_FORMULA.search(body[: last.start()].rstrip()):
        return content
    outside = body[: last.start()] + body[last.end() :]
    claims = _CONCLUDES.search(body) or _STATES.search(body)
    if len(formulas) > 1 or re.search(r"\d", outside) or not claims or BOUND.search(outside):
        return ""
    return "" if _MENTION.search(body[: last.start()]) else content
