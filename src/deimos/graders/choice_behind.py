r"""What stands behind a letter that a text has named: a second letter, or words that take the first one back.

"The answer is B as well as D", "B... or D?" and "B, but it could be D" name both; "B, a common misconception"
and "B. But this contradicts the condition" name none. A second letter counts only where nothing is said of it:
in "B, and A is wrong" it opens another sentence. English; all scans are linear.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

BEHIND = 160
"""Characters behind a letter in which a second one may be joined to it, or it may be taken back."""

_THEN = r"[\s,;:.…–—(-]{0,6}"
_BUT = r"(?:(?:but|yet|although|though|however|still|unfortunately|hmm)\b,?\s{1,3})"
_IS = r"(?:\s{1,3}(?:is|was|would\s{1,3}be|seems)|[’']s)\s{1,3}"
_ADVERB = r"(?:(?:also|however|just|only|clearly|actually|in\s{1,3}fact|of\s{1,3}course|really|simply|itself)\s{1,3})"
_END = r"(?=\s{0,3}(?:$|[.,;:!)\n]|[–—]))"
_CLOSED = rf"(?:{_END}|(?=\s{{1,3}}(?:because|since|for\s{{1,3}}(?:many|students|beginners|most|the\s{{1,3}}unwary)|among|of\s{{1,3}}course|here|that|made|by|in\s{{1,3}}this|many|students|people)\b))"
_ERROR = (
    r"(?:misconceptions?|mistakes?|errors?|fallac(?:y|ies)|myths?|traps?|pitfalls?|distractors?|misreadings?|misunderstandings?"
    r"|misinterpretations?|blunders?|decoys?|red\s{1,3}herrings?|trick|slip|(?:wrong|incorrect|mistaken)\s{1,3}(?:answers?|choices?|options?|ones?))"
)
_KIND_OF_ERROR = (
    r"(?:(?:very|quite|all\s{1,3}too|most|common|frequent|typical|popular|widespread|classic|classical|usual|tempting|obvious|simple"
    r"|grave|serious|bad|well-known|known|frequently|commonly|made|clear|plain|beginner[’']s|students?[’']?s?)\s{1,3}){0,3}"
)
_MISFIT = (
    r"(?:contradicts|violates|conflicts\s{1,3}with|breaks|(?:is|are)\s{1,3}(?:impossible|inconsistent|absurd|not\s{1,3}possible|ruled\s{1,3}out"
    r"|wrong|incorrect|not\s{1,3}(?:right|correct|true|it|the\s{1,3}(?:right|correct|answer)))|makes\s{1,3}no\s{1,3}sense|fails"
    r"|(?:does\s{1,3}not|doesn[’']t|do\s{1,3}not|don[’']t|cannot|can[’']t)\s{1,3}(?:be\s{1,3}(?:right|correct|true|it)|fit|match|satisfy|work|hold|agree|make\s{1,3}sense|add\s{1,3}up|seem))\b"
    r"(?!\s{1,3}(?:intuition|common\s{1,3}sense|expectations?|what|mean|matter))"
)
_OTHERS_SAY = (
    r"(?:what\s{1,3}(?:most|many|some|people|students|everyone|everybody|you|one|they|a|beginners|others)\b"
    r"|the\s{1,3}(?:tempting|popular|naive|usual|common|obvious)\s{1,3}(?:answer|choice|pick|guess|option)\b)"
)
_PEOPLE = r"(?:many|some|most|they|people|students|everyone|others|(?:many|some|most)\s{1,3}(?:people|students|others|textbooks))"
_SAY = r"(?:say|think|believe|claim|pick|choose|assume|answer|would\s{1,3}(?:say|think|pick|choose|answer))\b"
_TAKEN_BACK = re.compile(
    rf"^(?:{_THEN}(?:{_BUT}|and\s{{1,3}})?(?:which|that|this|it){_IS}{_ADVERB}?|\s{{0,3}}[,;:(–—-]\s{{0,3}}|{_IS}{_ADVERB}?)"
    rf"(?:a|an|the|one\s{{1,3}}of\s{{1,3}}the)\s{{1,3}}{_KIND_OF_ERROR}{_ERROR}{_CLOSED}"
    rf"|^{_THEN}{_BUT}?which{_IS}{_ADVERB}?(?:wrong|incorrect|mistaken|erroneous|impossible|not\s{{1,3}}(?:right|correct|possible)){_CLOSED}"
    rf"|^{_THEN}{_BUT}{_ADVERB}?(?:this|that|it|which|the\s{{1,3}}(?:answer|option|choice|letter))\s{{1,3}}{_ADVERB}?{_MISFIT}"
    rf"|^{_IS}{_ADVERB}?(?:{_OTHERS_SAY}|(?:wrong|incorrect|mistaken|false|not\s{{1,3}}(?:right|correct|true|the\s{{1,3}}(?:answer|correct|right))){_END})"
    rf"|^[\s,]{{1,3}}(?:said|says|claims|claimed|wrote|thinks|thought)\s{{1,3}}(?:the|my|a|an|one|he|she|they|many|some)\b"
    rf"|^[\s.,;!–—-]{{1,6}}(?:no|nope|oops|not)\W{{0,4}}$"
    rf"|^[\s,(–—-]{{0,4}}(?:or|at\s{{1,3}}least)\s{{1,3}}so\s{{1,3}}(?:(?:i|we)\s{{1,3}}(?:thought|believed|assumed)|they|people|it|many|some|most)\b"
    rf"|^[\s,(–—-]{{0,4}}(?:as\s{{1,3}}|so\s{{1,3}})?{_PEOPLE}\s{{1,3}}(?:wrongly\s{{1,3}}|mistakenly\s{{1,3}}|falsely\s{{1,3}}|often\s{{1,3}})?{_SAY}{_END}"
    rf"|^[\s,(–—-]{{0,4}}(?:only\s{{1,3}})?if\s{{1,3}}(?:the|this|that)\s{{1,3}}(?:question|problem|task|exercise|quiz|prompt)\s{{1,3}}(?:asked|asks|were|was|had|wanted|meant|concerned)\b",
    re.IGNORECASE,
)
_UNSURE = re.compile(
    rf"{_THEN}{_BUT}?(?:(?:i\s{{1,3}}am|i[’']m)\s{{1,3}}(?:(?:really|still|honestly|just|only)\s{{1,3}})?(?:not\s{{1,3}}(?:[\w%-]{{1,12}}\s{{1,3}}){{0,2}}?(?:sure|certain|confident|convinced|positive)"
    r"|unsure|uncertain|guessing|in\s{1,3}doubt|far\s{1,3}from\s{1,3}(?:sure|certain))"
    r"|not\s{1,3}(?:(?:entirely|really|fully|quite|completely|so|too|very|100%)\s{1,3})?(?:sure|certain)|unsure"
    r"|i\s{1,3}(?:could|may|might)\s{1,3}(?:well\s{1,3}|also\s{1,3}|easily\s{1,3})?be\s{1,3}(?:wrong|mistaken)|i\s{1,3}(?:still\s{1,3})?have\s{1,3}(?:my\s{1,3}|some\s{1,3})?doubts"
    r"|i\s{1,3}(?:really\s{1,3})?doubt\s{1,3}(?:it|that|this)|who\s{1,3}knows|don[’']t\s{1,3}quote\s{1,3}me)\b"
    r"(?!\s{1,3}(?:why|how|about\s{1,3}(?:the|my)\s{1,3}(?:reason|proof|explanation|wording|others?)|what\b|of\s{1,3}the\s{1,3}(?:reason|proof)))",
    re.IGNORECASE,
)
"""The letter is a guess: "…, but I'm not sure"."""
_ZH_ERROR = re.compile(
    r"[\s,;。(]{0,3}(?:但是?|不过|可是)?(?:这|那|此|它)(?:显然|其实)?(?:就?是)?(?:一个|一种|个)?(?:很|最)?(?:常见|典型|普遍)?的?"
    r"(?:错误|误解|误区|陷阱|错的|不对|不正确|与(?:题意|条件|题目)(?:矛盾|不符))"
)
"""This is a (common) mistake, in Chinese."""
_CANNOT_SAY = re.compile(
    r"\bi\s{1,3}(?:cannot|can[’']?t|can\s{1,3}not|could\s{1,3}not|couldn[’']t|do\s{1,3}not|don[’']t)\s{1,3}(?:really\s{1,3})?"
    r"(?:say|tell|know|decide|answer|determine)(?:\s{1,3}(?:it|this|that|this\s{1,3}one|the\s{1,3}answer|for\s{1,3}sure))?(?=\s{0,3}(?:$|[.!;\n]))",
    re.IGNORECASE,
)


_AND_OR = (
    r"(?:(?:(?:and|or|also|plus|as\s{1,3}well\s{1,3}as|along\s{1,3}with|together\s{1,3}with|alternatively|possibly|perhaps|maybe"
    r"|even|else|besides|likewise|equally|otherwise|if\s{1,3}not|in\s{1,3}addition(?:\s{1,3}to)?|additionally"
    r"|but\s{1,3}(?:also|maybe|perhaps|possibly))\b|[&/+])[\s,:]{0,3}){1,4}"
)
_STOP = (
    r"(?=\s{0,3}(?:$|[.,;:!?)\n…])|\s{1,3}(?:because|since|as|and|or|both|too|instead|if|depending"
    r"|are\s{1,3}(?:both|also|equally))\b)"
)
_MIGHT = r"(?:could|might|may|can)(?:\s{1,3}(?:also|possibly|well|just\s{1,3}as\s{1,3}well|equally|easily)){0,2}\s{1,3}be\s{1,3}"
_RIGHT = (
    r"(?:(?:(?:the|a)\s{1,3})?(?:correct|right|acceptable|valid)(?:\s{1,3}(?:answer|option|choice|one))?"
    r"|(?:an?|the)\s{1,3}answer)"
)
_ZH_AND = "(?:但是?|不过|可是|然而|或者?|而且|以及|和|与|跟|同时|也|还有?)"
_ZH_MAYBE = "也|还|可能|可以|应该|是|选择?|为|答案|能"
_OVER = r"(?=\s{0,3}(?:$|[.!;?)\n])|,?\s{1,3}(?:because|since)\b)"
"""The sentence ends, or gives its reason: nothing more is said of the letter."""
_SUBJECT = re.compile(
    r"^[\s,)\]]{0,3}(?:(?:and|or|[(\[]?[A-J1-9][)\]]?)[\s,]{1,3}){1,9}"
    r"(?:is|are|was|were|do|does|did|don[’']t|doesn[’']t|can|cannot|can[’']t|could|would|has|have|had|fail|say|describe|refer|all)\b"
    r"(?!\s{1,3}(?:both|also|equally)\b)",
    re.IGNORECASE,
)
"""The letter before it opens a sentence of its own: "…, and A and C are wrong"."""


def is_taken_back(behind: str) -> bool:
    """Whether the words directly behind a letter say that it isn't, or isn't here, the answer."""
    behind = behind[:BEHIND]
    found = _TAKEN_BACK.match(behind) or _ZH_ERROR.match(behind) or _UNSURE.match(behind)
    return found is not None or _CANNOT_SAY.search(behind) is not None


@lru_cache(maxsize=4)
def _joining(label: str) -> tuple[re.Pattern[str], ...]:
    """Words directly behind a letter that bring a second one: joined to the first, or supposed instead of it."""
    held = rf"(?-i:[(\[]?(?P<label>{label})[)\]]?)"
    named = rf"(?:(?:the\s{{1,3}})?(?:option|choice|letter|answer)\s{{1,3}}(?:is\s{{1,3}})?|it(?:\s{{1,3}}is|[’']s)\s{{1,3}})?{held}"
    too = r"(?:\s{1,3}(?:too|as\s{1,3}well|also|equally\s{1,3}well|equally|instead))?"
    sources = (
        rf"^{_THEN}{_AND_OR}{named}{_STOP}",
        rf"^{_THEN}(?:{_BUT}|and\s{{1,3}}|or\s{{1,3}})?(?:it|that|this|the\s{{1,3}}(?:(?:correct|right)\s{{1,3}})?answer)\s{{1,3}}{_MIGHT}{named}{too}{_OVER}",
        rf"^{_THEN}(?:{_BUT}|and\s{{1,3}})?so\s{{1,3}}(?:is|does|could\s{{1,3}}be|would|might\s{{1,3}}be)\s{{1,3}}{named}{_OVER}",
        rf"^{_THEN}{named}\s{{1,3}}(?:too|as\s{{1,3}}well){_OVER}",
        rf"^{_THEN}(?:and\s{{1,3}})?(?:the\s{{1,3}})?same\s{{1,3}}(?:(?:goes|holds|is\s{{1,3}}true)\s{{1,3}})?(?:for|of|with)\s{{1,3}}{named}{_OVER}",
        rf"^{_THEN}(?:i\s{{1,3}}(?:now\s{{1,3}})?(?:change|switch|revise|correct|amend)\s{{1,3}}(?:(?:my|the|this)\s{{1,3}})?(?:(?:answer|choice|mind|pick)\s{{1,3}})?(?:to|:)|on\s{{1,3}}(?:reflection|closer\s{{1,3}}(?:look|inspection)),)\s{{1,3}}{named}{_STOP}",
        rf"^{_THEN}{_BUT}(?:the\s{{1,3}})?(?:(?:answer|official|solution)\s{{1,3}})?(?:key|book|solution|manual|teacher|textbook)\s{{1,3}}(?:says|gives|has|claims|states)\s{{1,3}}{named}{_OVER}",
        rf"^{_THEN}(?:hmm,?\s{{1,3}}|but\s{{1,3}}|on\s{{1,3}}reflection,\s{{1,3}})?{held}\s{{1,3}}(?:is|seems|looks|would\s{{1,3}}be)\s{{1,3}}(?:even\s{{1,3}})?(?:(?:the|a)\s{{1,3}})?better(?:\s{{1,3}}(?:answer|choice|option|fit|one))?{_OVER}",
        rf"^[\s,;。、.]{{0,3}}(?:{_ZH_AND}(?:{_ZH_MAYBE}){{0,6}}|,(?:{_ZH_MAYBE}){{1,6}})\s?(?P<label>{label})(?:选项|项)?(?:也(?:对|正确|可以))?(?=\s?(?:$|[。.,;!\n]))",
        rf"^{_THEN}(?:{_BUT}|and\s{{1,3}}){held}\s{{1,3}}(?:{_MIGHT}|is\s{{1,3}}(?:also\s{{1,3}})?)(?:{_RIGHT}|possible|it){too}{_OVER}",
    )  # fmt: skip
    return tuple(re.compile(source, re.IGNORECASE) for source in sources)


@lru_cache(maxsize=4)
def _as_well(label: str) -> re.Pattern[str]:
    """Finds "D is also correct", "D fits too": nothing more is said of it, so it stands beside the first."""
    be = r"(?:is|would\s{1,3}be|could\s{1,3}be|might\s{1,3}be|may\s{1,3}be)"
    return re.compile(
        rf"(?<!\w)[(\[]?({label})[)\]]?\s{{1,3}}(?i:(?:{be}\s{{1,3}}(?:also|equally|just\s{{1,3}}as|likewise)\s{{1,3}}{_RIGHT}"
        rf"|(?:could|might|may|would|can)\s{{1,3}}also\s{{1,3}}be\s{{1,3}}{_RIGHT}|also\s{{1,3}}(?:is\s{{1,3}}{_RIGHT}|works|fits)"
        rf"|(?:{be}\s{{1,3}}{_RIGHT}|works|fits),?\s{{1,3}}(?:too|as\s{{1,3}}well|equally\s{{1,3}}well))(?:\s{{1,3}}here)?{_OVER})"
    )


_OR_ELSE = re.compile(
    r"\b(?:or|maybe|perhaps|possibly|alternatively|could|might|may)\b", re.IGNORECASE
)


def opens_a_sentence(behind: str) -> bool:
    """Whether a letter is the first of those of which the words behind it say something."""
    return _SUBJECT.match(behind) is not None


def second_letters(behind: str, label: str) -> set[str]:
    """Letters that the words directly behind a letter name beside it, or instead of it.

    Args:
        behind: the text from the end of the letter on.
        label: a pattern for one letter.
    """
    found = set()
    for pattern in _joining(label):
        match = pattern.match(behind[:BEHIND])
        # "And A? That is the reverse." asks; "or D?" names it.
        asked = match and behind[match.end("label") :].lstrip(" )]")[:1] == "?"
        if match and asked and not _OR_ELSE.search(behind[: match.start("label")]):
            continue
        if match and not opens_a_sentence(behind[match.end("label") : BEHIND]):
            found.add(match["label"])
    return found


def find_called_right(text: str, label: str, named: Collection[str]) -> set[str]:
    """Letters that a text behind an answer calls right too: "D is also correct", "both B and D are right".

    Args:
        text: all of it, behind the last letter named.
        label: a pattern for one letter.
        named: the letters named already; of two that are both right one must be among them.
    """
    found = set(_as_well(label).findall(text))
    pairs = rf"(?<!\w)[(\[]?({label})[)\]]?\s{{1,3}}and\s{{1,3}}[(\[]?({label})[)\]]?\s{{1,3}}are\s{{1,3}}(?:both\s{{1,3}}|equally\s{{1,3}})?(?:correct|right|acceptable){_OVER}"
    for pair in re.findall(pairs, text):
        found |= set(pair) if set(pair) & {*named} else set()
    return found
