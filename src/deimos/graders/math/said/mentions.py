r"""Numbers that a sentence uses on its way to an answer, and that are none: operands, counts of steps, first tries.

"So we multiply by 3", "The base case is n = 4", "There are 3 cases", "A triangle has 3 sides" and "So far we have 7"
say what is done, known or not yet finished. The result of a step is one: "Dividing by 6 we get 7", "So it grows
by 7". In what is left out, "The area is multiplied by 4" may answer a question, and "It has 7 factors" too.
"""

from __future__ import annotations

import re

from deimos.graders.math.said.claims import DOUBT, FORMULA

BEFORE = 160
"""Characters before a number in which the verb of a step must stand."""

_MENTIONS = re.compile(
    r"\b(?:derived\sfrom|far\sfrom|among|such\sas|(?:lower|upper)\sbound|estimate|nobody|no\sone|number\s(?:after|before)|less\s\d"
    r"|gave\sup|give\sup|(?:squared|cubed)$|for\s(?:example|instance)|input|given\s(?:number|value)|problem\snumber|total\ssteps|(?:next|adjacent|related|similar|opposite)\sto)\b"
    r"|^\W*(?:after|before)\s[^,]*$|[~≈]\s?[-$]?\d|\b(?:unknown|avoid|distractors?|guess\w*|my(?!\s(?:final\s)?(?:answer|result|solution)))\b"
    r"|\b(?:must|should|can|will|to|now|still|then|[,;])\s(?:find|determine|compute|calculate|solve)\b|[,;]\s(?:find|determine|compute|calculate|solve)\b"
    r"|\b(?:in|from|by)\s(?:the|this|our)\s(?:problem|question|prompt|text|task)\b|\b(?:the|this)\s(?:problem|question|task)\s(?:gives|says|states|mentions|has|asks)\b"
    r"|,\s(?:who|whose)\s[^,]{0,80}\d|\bends?\s(?:in|with)\s|\b(?:we|i)\s(?:start|begin)\s(?:with|at|from)\b|\d\s(?:unknowns?|variables?|equations?)\b"
    r"|\d[^.,]{0,30}\sand\s(?:then\s)?(?:buys?|gets?|gives?|takes?|eats?|finds?|adds?|loses?|wants?|needs?|sells?)\b"
    r"|\b(?:was|were)\s[^.]{0,40}\d[^.]{0,40}\sbefore\s(?:we|i|they|he|she|it|you)\b|^\W*(?:words?|tokens?|characters?|letters?)\b[^:\d]{0,20}:",
    re.IGNORECASE,
)
_STEP = (
    r"(?:multiply|divide|add|subtract|shift|scale|rescale|reduce|increase|decrease|replace|substitute|evaluate|plug|insert|consider|take|use|try"
    r"|test|check|set|pick|choose|apply|raise|start|begin|proceed|continue|compare|examine|study|expand|cancel|fix|assume|suppose|differentiate"
    r"|integrate|halve|move|work|deal|stop)"
)
_OFTEN = r"(?:(?:can|could|may|must|should|will|shall|would|might|now|then|only|just|simply|first|next|also|still|finally|instead|therefore|thus|easily|(?:have|need|want|ought|are\sgoing|are\sable|are\sleft|got)\sto|to)\s){0,4}"
_DOING = (
    r"(?:multipl(?:ying|ication|ied)|divi(?:ding|sion|ded)|adding|subtracting|replac(?:ing|ed)|substitut(?:ing|ion|ed)|(?:re)?scal(?:ing|ed)|shift(?:ing|ed)"
    r"|considering|evaluat(?:ing|ed)|plugging|testing|trying|checking|choosing|picking|setting|starting|beginning)"
)
_NO_RESULT = r"(?!(?:to\sget|gets?|gives?|giving|obtain\w*|find\w*|is|are|was|were|be|equals?|yield\w*|lea(?:ves?|ving)|makes?|making|result\w*|ha(?:ve|s)|so|that|which|and|then|until|costs?)\b)"
"""No word behind which a number is what a step comes to."""
_WE = r"(?:(?:\b(?:we|i|you|one|let\sus|let[’']s)|(?:^\W*|[,;]\s(?:and\s)?)(?:so|then|thus|hence|therefore|now|next|first|finally))[,:]?\s)"
_IT_IS_TO = r"(?:\b(?:remains?(?:\sis)?|left|suffices|enough|(?:step|task|thing|trick|idea|rest|need|do|have|point|plan|way)\sis)\s(?:only\s|just\s|then\s)?to\s)"
_OPERAND = re.compile(
    rf"(?:(?:{_WE}{_OFTEN}|{_IT_IS_TO}){_STEP}\b|\b{_DOING}\b)"
    rf"(?:\s{_NO_RESULT}[^\s=,;:]{{1,20}}){{0,6}}\s(?:[A-Za-z](?:_\w)?\s?=\s?)?[($]?$"
    r"|\b(?:step|argument|proof|method|approach|formula|trick)\s(?:only\s|then\s|also\s)?(?:uses?|involves?|requires?|considers?|needs?|starts?\swith|begins?\swith)\s(?:the\s(?:\w{1,12}\s){1,2})?(?:[A-Za-z]\s?=\s?)?$",
    re.IGNORECASE,
)
"""Right before a number that something is multiplied by, compared with, tried for."""
_GROWS = re.compile(
    r"\b(?:area|volume|price|cost|value|size|length|speed|population|amount|perimeter|radius|height|intensity|force|pressure|salary|income)"
    r"\s(?:is|was|gets|becomes|has\sbeen|will\sbe|must\sbe)\s(?:then\s|thus\s|therefore\s)?(?:multiplied|divided|scaled)\sby\s$",
    re.IGNORECASE,
)
_OF_THE_WORK = re.compile(
    r"^(?:\s(?:more|further|other|different|separate|main|easy|simple|short|quick|special|possible|remaining)){0,2}\s(?:(?:sub-?)?cases?(?!\sof\b)|examples?|lemmas?|attempts?)\b"
    r"|^(?:\s[a-z]{2,12}){0,3}?\sto\s(?:check|consider|try|test|examine|verify|prove|exclude|rule\sout|look\sat|handle)\b|^\s(?:more|further|additional|remaining)\ssteps?\b|^\s(?:\w{1,12}\s)?steps?\s(?:left|remaining|to\sgo|remain|more|ahead|away)\b|^\s(?:\w{1,12}\s)?(?:minutes?|hours?|seconds?|lines?|tokens?|words?|pages?)\son\s(?:this|it|the\s(?:problem|question|task))\b",
    re.IGNORECASE,
)
"""Right behind a number that counts what the text itself does."""
_PLACES = re.compile(
    r"\bto\s(?:about\s)?\d{1,2}\s(?:decimals?|decimal\s(?:places?|digits?)|significant\s(?:figures?|digits?)|places|d\.?p|s\.?f)\b",
    re.IGNORECASE,
)
_IN_ORDER_TO = re.compile(
    r"^\W{0,4}(?:(?:so|now)\s)?(?:in\sorder\s)?to\s(?:find|determine|compute|calculate|solve|get|obtain)\b[^,.;\d$]{1,80},\s(?=[^=]*=)",
    re.IGNORECASE,
)
"""To find the total, we add 3 + 4 = 7."""
_NOT_CLAIMED = re.compile(
    r"\b(?:lie|myth|rumou?r|joke|fallacy|misconception|illusion|dream)\sthat\b|\b(?:thinks?|believes?|guesses|estimates|claims|says|suspects?|imagines?)\sthat\s(?:he|she|it|they|there|the)\b"
    r"|\boff\sby\b|\d\s(?:divides|is\sa\s(?:factor|divisor|multiple))\b|^\W{0,4}(?:repeat|something\slike|anything\slike)\b|\b(?:numbers?|values?|figures?|data)\s(?:that\s(?:are|were)\s)?given\b"
    r"|^\W{0,4}(?:(?:and|but)\s)?when(?:ever)?\b[^,]*$"
    r"|^\W{0,4}(?:(?:now|so|then|and|but|we|here)[,\s]{1,3}){0,2}(?:put|provided|except|without\sloss|wlog|w\.l\.o\.g|define|denote|substitute|want|hope|wish|suppose|assume|imagine|pretend|deny)\b"
    r"|^\W{0,4}(?:(?:conjecture|hypothesis|claim|goal|aim|target|wanted|sought|to\s(?:prove|show|find|verify|check|do)|assumption|todo|required|idea)\s{0,2}[:–—-]\s)"
    r"|\b(?:i|we|you|they|people)\s(?:\w+\s)?(?:hope|wish|deny|doubt|refuse|hesitate|dispute|question)\b|\b(?:rules?|ruled|ruling)\sout\b|\b(?:true|holds?|works?|valid|false|tested|checked|verified|satisfied)\s(?:only\s)?(?:for|when|at|if|with)\s{0,3}(?:[A-Za-z](?:_\w)?\s?=|[\s.]*$)|\b(?:starts?|begins?)\s(?:with|at|from)\s{1,3}\$?-?\d|\bcontradict\w*|,?\swhich\s(?:is|was)\s(?:absurd|impossible|wrong|false|incorrect|a\scontradiction|nonsense|not)\b|\bwhich\s(?:fails|violates)\b|\d\s?,\s[^=]{0,20}\band\s[A-Za-z]\s?=|\brefut\w*|\bdisprov\w*"
    r"|\b(?:i|we|it|this|that|one)\swould\s(?:then\s)?(?:follow|have|mean|imply|need|require|want|like)(?:,?\sthat)?\s{0,3}(?:[A-Za-z](?:_\w)?\s?=|[\s.]*$)|\b(?:nobody|no\sone)\b"
    r"|\bno\s(?:way|chance|reason|evidence|proof|guarantee|indication)\b",
    re.IGNORECASE,
)
_DONE = re.compile(
    r"\b(?:done|finished|ready|through|finish|solved)\b[^.]{0,40}\b(?:in|after|within)\s(?:only\s|just\s)?\d+\s(?:\w{1,12}\s)?(?:steps?|lines?|stages?)"
    r"|\b(?:in|after|within)\s(?:only\s|just\s)?\d+\s(?:\w{1,12}\s)?(?:steps?|lines?|stages?),?\s(?:we|i|it|this|one|all|everything)\b[^.]{0,20}\b(?:done|finished|ready|through|finish|solved)\b",
    re.IGNORECASE,
)
_TO_DO = re.compile(
    r"(?<!\bas\swe\s)(?<!\bas\si\s)\b(?:remains?|left|want|need|have|has|yet|still|suffices|enough|goal\sis|aim\sis|wish|trying|hope|task\sis|step\sis)\s(?:only\s|still\s|just\s)?to\s(?:be\s)?"
    r"(?:show|prove|verify|check|see|justify|establish|demonstrate|confirm|explain|rule\sout|exclude|shown|proved|proven|verified|checked|seen|justified|established|demonstrated|confirmed|explained|ruled|found|computed|calculated|determined)\b",
    re.IGNORECASE,
)
"""It remains to show that x = 7."""
_KNOWN = re.compile(
    r"^\W*an?\s(?!total|sum|number|maximum|minimum|grand|combined)[a-z]{2,20}\s(?:has|contains|consists\sof)\s"
    r"|^\W*(?:(?:so|and|but|now|note\sthat)\s)?(?:an?|any|every)\s(?:triangle|square|rectangle|quadrilateral|cube|week|year|hour|minute|day|dozen|foot|yard|mile)\s(?:always\s)?(?:has|contains)\s\d"
    r"|^\W*(?:(?:so|and|but|now|note\sthat)\s)?there\sare\s\d[\d,]*\s\w{2,14}\sin\s(?:an?|every|one)\s(?:week|day|hour|minute|year|month|foot|yard|mile|dozen|meter|kilometer|pound|gallon|triangle|square|rectangle|cube)\W*$"
    r"|\bas\s(?:we|you|everyone|everybody)\s(?:all\s|already\s)?knows?\b|\beveryone\sknows\b|\bit\sis\s(?:well[-\s]|already\s)?known\b",
    re.IGNORECASE,
)
"""What anyone knows: "A triangle has 3 sides", "There are 60 minutes in an hour"."""
_NOT_YET = re.compile(
    r"\b(?:sorry|(?:so|thus)\sfar,?\s(?:we|i|there|this|it|the\s(?:answer|result|count|total))|(?:we|i)\s[^.,;]{1,60}\s(?:so|thus)\sfar|at\sthis\spoint|at\sthe\smoment|for\s(?:now|the\smoment)|as\sof\snow|(?:un)?till?\snow|up\sto\snow|to\sdate|temporarily"
    r"|provisional\w*|tentativ\w*|preliminary|approximations?|hardly|barely|scarcely|not\syet|unfinished|incomplete|at\sfirst\s(?:glance|sight|we|i|it)|induction|base\scase"
    r"|(?:could|can)\sonly\s(?:find|get|see|think|show|prove|list|name|count|come)|only\s(?:managed|found|got\sto))\b"
    r"|\byou\s(?:gave|give|asked|told|said|wrote|mention\w*|want\w*|have\s(?:given|asked|told))\b|\bi\s(?:will|shall|spent|spend|tried|wrote|checked|stop(?:ped)?|could)\b|\bi[’']ll\b",
    re.IGNORECASE,
)
_SPEAKS_AGAINST = re.compile(
    r"^\W{0,4}(?:the\s(?:value|number|integer|fraction|point|pair)\s)?-?[$€£]?\d[\d,./%]*\S{0,2}\s(?:.{0,40}\s)?(?:fails?|failed|divides|cannot|can[’']?t|isn[’']?t|doesn[’']?t|didn[’']?t|won[’']?t|does|do|did|not|no|wrong|false|incorrect|impossible|invalid|extraneous"
    r"|(?:is|are|was|were|gets?|must\sbe)\s(?:\w{1,12}\s)?(?:out|excluded|rejected|discarded|eliminated|ruled|dropped|refuted|too|an?|in\sdoubt)|contradicts?|violates?|breaks?|too|never|or\s(?:more|less|fewer|so)|at\s(?:least|most)"
    r"|(?:is|was)\s(?:tempting|unlikely|implausible|absurd|nonsense|close))\b",
    re.IGNORECASE,
)


def only_mentions(sentence: str) -> bool:
    """Whether a sentence bounds its number, or mentions it on the way to another one: "derived from 30".

    Args:
        sentence: its formulas may stand as they are; only values and names' values in them are numbers.
    """
    sentence = _IN_ORDER_TO.sub("", sentence)
    prose = FORMULA.sub(" ", sentence)
    if _NOT_CLAIMED.search(prose):
        return True
    if _MENTIONS.search(prose) or _TO_DO.search(prose) or _NOT_YET.search(prose):
        return True
    marked = re.sub(r"\s{2,}", " ", FORMULA.sub(_mark, sentence))
    if _KNOWN.search(marked) or _DONE.search(marked) or _PLACES.search(marked):
        return True
    last = re.search(r"-?[$€£]?\d[\d.,/]*(?=\D*$)", marked)
    if last is None:
        return False
    before, behind = marked[: last.start()][-BEFORE:], marked[last.end() :]
    return uses_next(before) or _OF_THE_WORK.match(behind) is not None


def uses_next(before: str) -> bool:
    """Whether a number behind these words is what a step is made with: "so we multiply by"."""
    return _OPERAND.search(before) is not None and _GROWS.search(before) is None


def is_spoken_against(line: str) -> bool:
    """Whether a line that begins with a number goes on with words against it: "7 fails", "7 cannot be the answer"."""
    return _SPEAKS_AGAINST.match(line) is not None or DOUBT.search(line) is not None


def _mark(formula: re.Match[str]) -> str:
    """A number in place of a formula that is a value, or a name's value; else a sign that is none."""
    content = next(group for group in formula.groups() if group is not None).strip()
    return " 0 " if re.fullmatch(r"(?:[A-Za-z](?:_\w)?\s*=)?[^=]+", content) else " § "
