r"""What stands around a box or a stated answer, and makes it none: a bound, a question, a formula, an alternative."""

from __future__ import annotations

import re
from collections.abc import Sequence

from deimos.graders.box_doubt import is_doubted
from deimos.graders.extract import Box

BEFORE = 120
"""Characters before a box that are looked at."""
BEHIND = 80
_DRESS = re.compile(
    r"(?:[\s{&]|\\(?:mathbf|mathrm|displaystyle|bf|left|quad|qquad|[,;!])(?![A-Za-z]))+$"
)
_BOUND = re.compile(
    r"\b(?:(?:less|more|greater|fewer|larger|bigger|smaller|higher|lower)\sthan|at\s(?:least|most)|(?:lower|upper)\sbound(?:\sis)?"
    r"|(?:estimate|guess)\sis|rule\sout|ruled\sout|excluded?|eliminated?|discard|reject|far\sfrom|close\sto)[\s:$]*(?:\\[(\[])?[\s$]*$",
    re.IGNORECASE,
)
_TIMES = re.compile(r"(?:\b(?:twice|double|triple|thrice|half(?:\sof)?|one\sless\sthan|one\smore\sthan)\s{1,3}[$*]{0,2}|[\s:$(][-−])$", re.IGNORECASE)  # fmt: skip
_TO_FILL_IN = re.compile(
    r"\b(?:put|write|place|give|enter|express|present|box|show|provide|state)\s(?:your)\s(?:\w{1,12}\s){0,2}(?:answer|result|solution|response)\b[^.!?\n]{0,30}$",
    re.IGNORECASE,
)
"""A template's own words: "Put your answer in"."""
_TEXT = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mbox)\s?\{([^{}]*)\}")
_MISFIT = re.compile(
    r"[\s$)*\\\]]{0,6}(?:(?:does|do)\s?n[o’']t\s(?:satisfy|work|fit|hold|match|solve)|is\s(?:impossible|rejected|excluded|discarded|eliminated|ruled\sout|extraneous|invalid|false|absurd|out|not\s(?:possible|a\ssolution|valid|it|what|allowed|acceptable))|(?:must|should|has\sto|can)\sbe\s(?:rejected|excluded|discarded|eliminated|ruled\sout|ignored|dropped)|(?:would|will|could)\s(?:not|never)\b|won[’']t\b|isn[’']t\b|cannot\sbe|can[’']t\sbe|fails\b|contradicts)",
    re.IGNORECASE,
)
_SUPPOSES = re.compile(r"(?:^|[.!?\n])\W*(?:let\sus\s|let[’']s\s|now\s)?(?:suppose|assume|imagine)\b[^.,;!?\n]*$", re.IGNORECASE)  # fmt: skip
_OPERATOR = re.compile(
    r"(?:[-+*/^_<>≤≥≠√~]|\d\.?|\\(?:le|ge|leq|geq|lt|gt|ne|neq|cdot|times|div|pm|mp|sqrt|frac|dfrac|tfrac|ln|log|sin|cos|tan))$"
)
_ARGUMENT = re.compile(
    r"\\(?:[dtc]?frac|d?binom|sqrt|log|ln|sin|cos|tan|exp|min|max|gcd|lcm|overline|operatorname)(?:_\{?\w{1,4}\}?|\[[^\[\]]{0,20}\])?\s?(?:\{[^{}]{0,60}\}\s?)?[({]\s?$"
    r"|(?<!\\)\b[A-Za-z]\(\s?$|[\^_]\{\s?$"
)
"""Before a box that is the argument of something: "\\frac{1}{", "f(", "2^{"."""
_ROUNDED = re.compile(r"(?:≈|\\(?:approx|sim))$")
_GOES_ON = re.compile(
    r"\d|\.\d|\s*(?:\}\s*\{\s*)?(?:[+*/!]|-\s*[\w\\]|\^(?!\s*\{?\s*\\(?:circ|degree))|\\(?:cdot|times|div|pm|mp)(?![A-Za-z])|[xyzn](?![A-Za-z]))"
)
_DIVIDED = re.compile(r"\s?/\s?\d")
_ASKED = re.compile(
    r"[\s$)*\\\]]{0,6}\?|[\s$)*\\\]]{0,6}(?:is|was)\s(?:too|much\stoo|far\stoo)\s", re.IGNORECASE
)
_NUMBER = r"(-?\d[\d,]{0,30}(?:[./]\d+)?%?)"
_ALTERNATIVE = re.compile(
    r"[\s$.;,(*)\\\]]{0,8}(?:(?:or|maybe|perhaps|possibly|alternatively)\b[\s,:$(]{0,4}(?:(?:maybe|perhaps|possibly|even|also)\s)?(?:\\boxed\{)?"
    + _NUMBER + r"[\s$})]{0,4}(?:[.,;!?]|\s|$)(?!\s?[A-Za-z])|but\s" + _NUMBER + r"\s(?:is|works|would)\b"
    r"|but\sthe\s(?:correct|right|true|actual)\s(?:value|answer|number|result)\sis\s" + _NUMBER + r"|[-–—\s]{1,5}just\skidding[,:\s]{1,3}" + _NUMBER
    + r"|oops,?\si\smean[t]?\s" + _NUMBER + ")",
    re.IGNORECASE,
)  # fmt: skip
_FINAL_LEAD = re.compile(
    r"\b(?:the\s(?:final\s)?answer|final(?:\sanswer|ly)?)\b[^.\n]{0,30}$", re.IGNORECASE
)
_TURNED = re.compile(
    r"\b(?:wait|actually|no|not|wrong|error|mistake|incorrect|or|maybe|perhaps|alternatively|instead|hmm|oops)\b",
    re.IGNORECASE,
)
_STEP = re.compile(
    r"(?:(?<![A-Za-z])[A-Za-z](?:_\{?\w\}?)?\s{0,2}=\s{0,2}\$?|\b(?:intermediate|partial)\b[^.\n]{0,40}|\bstep\s\d{1,2}\b[^.\n]{0,40})$",
    re.IGNORECASE,
)


_ROUGHLY = re.compile(
    r"\W{0,4}(?:approximately|approx\b|roughly|about|more\sor\sless|or\sso|give\sor\stake|ish)\b(?!\s{0,2}-?[\d$\\.])"
    r"|[\s$)*\\\]},(–—-]{0,6}(?:but\s)?only\s(?:for|when|if|in|at|where|on|with|under|as\slong)\b"
    r"|[\s$)*\\\]},]{0,6}(?:or|and/or)\s(?:something|anything|some(?:where|one)|some\s(?:other|more|such)|another|other|none|neither|nothing|else|more|less|fewer|higher|lower|greater|smaller|larger|thereabouts|whatever|not)\b",
    re.IGNORECASE,
)
"""Right behind a number: it is about so much, only sometimes so much, or something else."""


def is_limited(behind: str) -> bool:
    """Whether a text limits a number right behind it: "18 (approximately)", "18 or so", "18 only for n = 2"."""
    return _ROUGHLY.match(behind) is not None


def find_alternative(behind: str) -> str:
    """Another number that a text gives right behind an answer: "or 9", "but the correct value is 9"; "" if none."""
    match = _ALTERNATIVE.match(behind[:BEHIND])
    return next((group for group in match.groups() if group), "").rstrip(",") if match else ""


def with_bare_words(text: str) -> str:
    r"""A text with the words of ``\text{…}`` without the command."""
    return _TEXT.sub(r"\1", text)


def find_objection(text: str, box: Box) -> str:
    """Why a box does not say what the answer is, as a short phrase; "" if it does."""
    before = text[max(0, box.start - BEFORE) : box.start]
    behind = with_bare_words(text[box.end : box.end + BEHIND])
    if _BOUND.search(before):
        return "the last box is a bound, or ruled out"
    if _SUPPOSES.search(before):
        return "the last box is supposed"
    if is_doubted(text, box.start) or _TO_FILL_IN.search(before):
        return "the last box is doubted, called wrong, or to be filled in"
    if _TIMES.search(before):
        return "the last box is a part of the answer"
    if _MISFIT.match(behind):
        return "the last box is refused"
    if is_limited(behind):
        return "the last box is only about, or only sometimes, the answer"
    if _ASKED.match(behind):
        return "the last box is asked, or refused"
    if _DIVIDED.match(behind) or (_in_formula(text, box.start) and _is_part(before, behind, box)):
        return "the last box is a part of a formula"
    return ""


def are_steps(text: str, found: Sequence[Box]) -> bool:
    """Whether boxes before the last one hold steps, by name, and the last one the answer, in so many words."""
    last, earlier = found[-1], found[:-1]
    lead = text[max(earlier[-1].end, last.start - BEFORE) : last.start]
    if not _FINAL_LEAD.search(lead) or _TURNED.search(text[earlier[0].start : last.start]):
        return False
    return all(_STEP.search(text[max(0, box.start - BEFORE) : box.start]) for box in earlier)


def _is_part(before: str, behind: str, box: Box) -> bool:
    """Whether operators tie the box to what stands beside it in its formula."""
    lead = _DRESS.sub("", before)
    rounded = _ROUNDED.search(lead) and re.fullmatch(r"-?\d+", box.content)
    wrapped = _ARGUMENT.search(before)
    return bool(
        rounded
        or wrapped
        or _is_in_tuple(before, behind)
        or _OPERATOR.search(lead)
        or _GOES_ON.match(behind)
    )


def _is_in_tuple(before: str, behind: str) -> bool:
    """Whether a box stands between commas of round or square brackets that its formula opens."""
    inner = re.split(r"\$|\\[(\[]|\n\n", before)[-1]
    at = max(inner.rfind("("), inner.rfind("["))
    opened = at > max(inner.rfind(")"), inner.rfind("]"))
    return opened and ("," in inner[at:] or re.match(r"\s*,", behind) is not None)


def _in_formula(text: str, at: int) -> bool:
    """Whether a place lies between delimiters of a formula that opens in the lines before it."""
    near = text[max(0, at - 2000) : at].rpartition("\n\n")[2]
    dollars = len(re.findall(r"(?<!\\)\$", near.replace("$$", "$")))
    opened = max(near.rfind("\\["), near.rfind("\\("))
    return dollars % 2 == 1 or opened > max(near.rfind("\\]"), near.rfind("\\)"))
