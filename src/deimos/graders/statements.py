r"""Whether "the answer is …" speaks of the answer itself, and whether a text stands by what it has said.

"The wrong answer is 7", "twice the answer is 7" and "I deny that the answer is 7" state no answer; "a common
mistake is to think that the answer is 7" and "had they asked for the sum, the answer would be 7" speak of
another one; and "The answer is 7. Actually no." takes it back. What may stand before the noun is listed, not
what may not: a word that nobody has thought of ("the naive answer") makes it another thing. So it is with the
clause that leads to it (``is_plainly_led``): "an old trick to remember that the answer is 7". English only;
all scans are linear.
"""

from __future__ import annotations

import re

CLAUSE = 120
"""Characters before a statement that are looked at."""
REMARK = 100
"""Characters behind an answer in which it may be taken back."""


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\S+", text))


SENTENCE = re.compile(r"[.!?](?=\s)|\n")
_FORMULA = re.compile(r"\$[^$]{0,120}\$|\\\(.{0,120}?\\\)|\\[A-Za-z]+")
CLAUSE_ENDS = re.compile(r"[,;]|\b(?:and|but|so|hence|thus|then|therefore)\b", re.IGNORECASE)
_DENIES = re.compile(
    r"\b(?:den(?:y|ies|ied|ying)|refus\w*|disprov\w*|refut\w*|reject\w*|contradict\w*|false|untrue|wrong|incorrect|mistaken"
    r"|lie|lied|pretend\w*|claim\w*|claimed|(?:show|prove|check|verify|suppose|assume|find\sout|ask|asks)\s(?:that|if|whether|why|how)"
    r"|by\sno\smeans|no\sway|under\sno|what\sif|who\ssays|why|need\snot|nobody|no\sone|hope|wish|many|people|some|one\smight"
    r"|you\smight|you\smay|might\sthink|may\sthink|could\sthink|would\sthink|thinks|thought|unlikely|impossible|doubt\w*)\b",
    re.IGNORECASE,
)
_SOURCES = re.compile(r"\baccording\sto\s(?!the\b|this\b|our\b|these\b)", re.IGNORECASE)
_DESCRIBES = _words(
    "correct right final exact numerical numeric simplified full complete desired required requested overall ultimate actual"
    " true only single unique integer best proper same accurate resulting short quick direct"
)
"""Adjectives that leave the answer what it is."""
_POINTS = _words("the my our your this that")
_LEADS = _words(
    "so thus therefore hence then and but finally now consequently accordingly is here's conclusion summary short brief"
    " get have obtain get: gives give find see conclude be or"
)
"""Words that may stand before the noun without an article: "Therefore answer: 7"."""
_CHANGES = _words(
    "of in twice half double triple thrice plus minus times than beyond below above without within near around from not"
    " against like unlike deny denies behind under over exceeds exceed before after to"
)
"""Before "the answer" these speak of something else: "the square of the answer"."""
_MAY_STAND = (
    _LEADS
    | _DESCRIBES
    | _POINTS
    | _words(
        "i we you i'm we're i've we've am are was were be been has have had it it's that's this these those which all both each"
        " think believe say state note write put present report confident sure certain know see find found get got arrive arrived at"
        " reach reached conclude concluded concluding deduce infer follows implies imply mean means meaning show shows showing tell tells us"
        " confirm confirms confirmed verified calculate calculated compute computed determine determined obtain obtained give gives giving"
        " yield yields make makes let me can may say clear clearly obvious evident easy to see methods method approaches ways way steps"
        " calculations calculation work working result results as a an since because given above based on in end total conclusion"
        " information here right yes yeah ok okay well indeed surely definitely certainly simply just only again still also same with from by"
        " round up rounded finally lastly overall altogether very quite pretty wait no would answer correction to for your question"
    )
)
"""Words of a clause that leads to "the answer is": "so both methods confirm that"."""
_BY_DOING = re.compile(
    r"^\W*(?:(?:so|then|thus|now)\s)?(?:(?:by|after|on|when|upon)\s)?(?!guess|pretend|suppos|assum|think|hop|wish|ask|us|believ|imagin|say)\w{2,20}ing\b",
    re.IGNORECASE,
)
"""By adding these we see that the answer is 7."""
_NOT_THIS_CASE = re.compile(
    r"^\W*(?:unless(?!\si\s(?:am|[’']m)\s(?:mistaken|wrong))|had\s|were\s|should\s|suppose|assum\w+|example|e\.g|for\s(?:example|instance|comparison)"
    r"|in\s(?:an?(?:other)?|the\s(?:other|previous|earlier|last|next|similar))\s|for\s(?:an?(?:other)?|the\s(?:other|previous|earlier|last|next|similar))\s"
    r"|if\s[^,]{0,80}\b(?:were|had|was|would|could|asked|instead)\b)",
    re.IGNORECASE,
)
"""Begins a sentence about another case than the one in question."""
_TURNS = re.compile(r";|\b(?:but|so|hence|thus|therefore|however)\b", re.IGNORECASE)
_CALLED_A_MISTAKE = re.compile(
    r"\b(?:(?:common|frequent|usual|typical|easy|popular|classic)\s(?:\w{1,12}\s)?(?:mistakes?|errors?|guess\w*|answers?)|misconceptions?|traps?"
    r"|pitfalls?|fallac(?:y|ies)|naive\w*|careless\w*|distractors?|wrongly|mistakenly|erroneously|falsely)\b",
    re.IGNORECASE,
)
BEFORE = 200
"""Characters before a claim that are looked at."""

_NOUN = r"(?:that\s{1,3})?(?:(?:the|my|our|its)\s{1,3})?(?:(?:correct|right|final|best)\s{1,3}){0,2}\s{0,3}$"
"""What may stand between the words below and "answer", or the letter itself."""
_SAYING = r"(?:say|think|believ|assum|conclud|choos|pick|claim|suppos|select|answer|writ|stat|suggest|insist|maintain|infer|guess|decid)(?:e|es|s|ing|ed)?"
_ERROR = r"\b(?:mistake|error|trap|misconception|fallacy|pitfall|myth|temptation|confusion|misunderstanding|misreading|blunder|illusion)s?\b"
_AN_ERROR = re.compile(
    rf"{_ERROR}(?:\s{{1,3}}(?!is\b|was\b|of\b|in\b|to\b|that\b)[\w’'-]{{1,15}}){{0,4}}?\s{{1,3}}(?:is|was|would\s{{1,3}}be|lies\s{{1,3}}in|of|in|to|that)\b"
    rf"\s{{0,3}}:?\s{{0,3}}(?:[\w’'-]{{1,15}}\s{{1,3}}){{0,3}}?(?:{_SAYING}\s{{1,3}})?{_NOUN}"
    r"|\b(?:common|frequent|typical|popular|widespread|classic|usual|students?[’']?|beginner[’']s)\s{1,3}(?:\w{1,15}\s{1,3})?"
    rf"{_ERROR}\s{{0,3}}:\s{{0,3}}{_NOUN}|\b(?:wrong|false|incorrect|mistaken)\s{{1,3}}(?:conclusion|answer|reasoning|argument|claim|idea)\s{{0,3}}:\s{{0,3}}{_NOUN}|\b(?:misconception|trap|fallacy|pitfall|myth)s?\s{{0,3}}:\s{{0,3}}{_NOUN}",
    re.IGNORECASE,
)
_WRONGLY = re.compile(
    rf"\b(?:an?|one|the|another|some|my|many|his|her)\s{{1,3}}(?:\w{{1,12}}\s{{1,3}})?(?:student|pupil|friend|classmate|colleague|person|user|reader|neighbou?r)s?\s{{1,3}}(?:wrote|said|answered|argued|suggested|argues|suggests|{_SAYING})(?:\s{{0,3}}[:,])?\s{{1,3}}[\"“‘']?\s{{0,3}}{_NOUN}|"
    rf"\b(?:wrongly|falsely|mistakenly|incorrectly|erroneously|naively|carelessly)\s{{1,3}}{_SAYING}(?:\s{{0,3}}:)?\s{{1,3}}{_NOUN}"
    rf"|\b{_SAYING}\s{{1,3}}(?:wrongly|falsely|mistakenly|incorrectly|erroneously|naively),?\s{{1,3}}{_NOUN}",
    re.IGNORECASE,
)
_EXAMPLE = re.compile(
    r"(?:\b(?:example|instance|illustration|template|sample|format)s?(?:(?:\s{1,3}of\s{1,3}(?:a|an|the))?\s{1,3}(?:reply|response|output|sentence|solution|answer))?\s{0,3}[:,]|\be\.g\.,?:?"
    r"|\b(?:you|one|students)\s{1,3}(?:should|must|can|could|may|might|would)\s{1,3}(?:\w{1,12}\s{1,3})?(?:write|say|reply|respond|output|end\s{1,3}with|type|print)\s{0,3}:?"
    r"|(?:^|[.!?]\s|\n)\s{0,3}(?:please\s{1,3})?(?:write|end\s{1,3}with|reply\s{1,3}with|respond\s{1,3}with|say|type|output)\s{0,3}:?)\s{0,3}[\"“‘']?\s{0,3}"
    + _NOUN,
    re.IGNORECASE,
)
_ANOTHER = (
    r"other|another|different|previous|similar|earlier|next|related|practice|example|sample|simpler|harder|easier"
    r"|older|alternative|alternate"
)
OF_ANOTHER = re.compile(rf"\b(?:{_ANOTHER}|last|first|second|third)\b", re.IGNORECASE)
"""In "the answer to the previous question is"."""
_ON_ANOTHER = re.compile(
    r"(?:^|[,;:]\s{1,3})(?:but\s{1,3}|and\s{1,3})?(?:in|on|for|to)\s{1,3}(?:(?:the|a|an|my|your)\s{1,3})?"
    rf"(?:{_ANOTHER}|last\s{{1,3}}year[’']s)\s{{1,3}}(?:[\w-]{{1,15}}\s{{1,3}})?"
    r"(?:version|question|quiz|problem|exam|test|variant|edition|exercise|worksheet|one)s?\b",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"\bfor\s{1,3}(?:the\s{1,3})?(?:question|problem|item|number|no\.|exercise)\s{0,3}#?\d",
    re.IGNORECASE,
)
_THIS_ONE = re.compile(
    r"\bfor\s{1,3}(?:this\s{1,3}(?:one|question|problem|item)|the\s{1,3}(?:present|current)\b|question\s{1,3}\d)",
    re.IGNORECASE,
)
_ASKS = r"(?:question|problem|task|exercise|quiz|prompt|wording|passage|text)"
_PAST = r"(?:asked|asking|were|had|did|meant|said|stated|read|wanted|mentioned|concerned|specified|referred|was|spoke|instead)"
_OTHERWISE = re.compile(
    rf"\bif\s{{1,3}}(?:the|this|that|it|they|we)\s{{1,3}}(?:{_ASKS}\s{{1,3}})?(?:had\s{{1,3}}|only\s{{1,3}}|instead\s{{1,3}})?{_PAST}\b"
    r"|\bif\b[^,;]{1,80}\b(?:were|had\s{1,3}been|instead)\b|(?:^|[,;]\s{1,3}|\bbut\s{1,3})(?:had|were)\s{1,3}(?:the|this|that|it|they|we|there)\b"
    rf"|\b(?:suppose|supposing|imagine|assume|assuming)\s{{1,3}}(?:that\s{{1,3}})?(?:(?:the|this|that)\s{{1,3}}{_ASKS}|it|they)\s{{1,3}}(?:{_PAST}|is|asks)\b|\bif\s{{1,3}}only\b"
    r"|\bunless\b(?!\s{1,3}(?:i|we)\b)|\botherwise\b",
    re.IGNORECASE,
)
_WOULD = re.compile(
    r"\bwould\s{1,3}(?:\w{1,15}\s{1,3})?be\b|[’']d\s{1,3}be\b|\bwould\b", re.IGNORECASE
)
_CARRIED_ON = re.compile(r"\s{0,3}(?:then|in\s{1,3}that\s{1,3}case)\b", re.IGNORECASE)
"""The sentence goes on with what the one before it supposes."""
_CONCLUDES = re.compile(r"\b(?:so|hence|thus|therefore)\b", re.IGNORECASE)


_ZH_QUESTION = re.compile(r"(?:如果|假如|若|要是)(?:题目|題目|问题|問題|这题|這題)[^。\n]{0,40}$")
"""If the question asked something else, in Chinese."""
_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*$")
_WITHDRAWN = re.compile(
    r"^\W{0,4}(?:wrong|incorrect|false|nope|not\sreally)\b"
    r"|^\W{0,4}(?:(?:this|that|it)(?:[’']s|\s(?:is|was))\s)?(?:not\s(?:correct|right|valid|true|the\sanswer|final|it)|rejected|discarded|excluded|invalid|extraneous|ruled\sout|eliminated|withdrawn|retracted|crossed\sout|refuted|mistaken)(?=\s{0,3}(?:[).,;!\]\n]|$))"
    r"|^[\s.,;:!$)*\]\\–—-]{0,6}(?:(?:hm+|um+|uh|er|oh|ah|well|wait|oops|sorry|actually|but|ok|okay)\W{1,4}){0,3}(?:no|nope|nah|never\s?mind|my\s(?:mistake|bad|error)|i\s(?:erred|misspoke|miscounted|miscalculated)"
    r"|(?:please\s)?(?:scratch|strike|forget|ignore|disregard|cancel|undo|delete|erase|drop)\s(?:that|this|it|the\s(?:above|last\sline|answer)))\s{0,3}(?:[.!…]|$|\n)"
    r"|^[\s.,;:!$)*\]\\–—-]{0,6}(?:hm+|um+|oh|ah|well|wait|oops|ouch|uh-oh|whoops)[\s.!…]*$"
    r"|\bactually,?\s(?:no|not|it\s(?:is|was)\snot|that\s(?:is|was)\snot)\b"
    r"|\b(?:that|this|it|which)\s(?:can[’']?t|cannot|can\snot|couldn[’']?t|could\snot)\s(?:possibly\s|really\s)?be\b"
    r"(?!\s(?:(?:any|made|further|written|expressed|much|even)\s){0,2}(?:larg|small|bigg|great|low|high|few|less|more|bett|improv|simplif|reduc|beat|exceed|surpass|avoid|factor|cancel|divid|express|writt|increas|decreas|lower|rais|short|long|clos|optimi|undercut|extend)\w*)"
    r"|\b(?:that|this|it)(?:[’']s|\sis|\swas)\snot\s(?:among|one\sof|a\svalid|an?\s(?:option|solution)|allowed|possible|valid|permitted)\b"
    r"|\bi\s(?:have\s)?made\s(?:an?|some)\s(?:\w{1,12}\s)?(?:mistake|error)|\bor\s(?:is|was|could|might|should)\sit\b"
    r"|^[\s.,;:!$)*\]\\–—-]{0,6}which\s(?:contradicts|violates|fails)\b|\b(?:this|that|it)(?:[’']s|\sis|\swas)\snot\s(?:an?|the|my|our)\s(?:answer|solution|result)\b"
    r"|\b(?:this|that|it)(?:[’']s|\sis|\swas)\s(?:clearly\s|obviously\s)?(?:a\scontradiction|absurd|nonsense|contradictory)\b|\b(?:this|that|it)\scan(?:not|[’']t)\s(?:happen|work|hold|occur)\b"
    r"|^\W{0,6}(?:impossible|absurd|nonsense|contradiction)\s{0,3}(?:[.!]|$)|\b(?:this|that|my|the)\s(?:answer|result|value|number)\s(?:is|was)\s(?:wrong|incorrect|false|not\s(?:right|correct)|a\s(?:guess|mistake))\b"
    r"|\b(?:no,?\s?wait|wait,?\sno)\b,?\s(?:it|that|this)\s(?:is|was|[’']s)\snot\b"
    r"|\b(?:he|she|they)\s(?:is|was|are|were)\s(?:wrong|mistaken|incorrect|lying)\b|^\W{0,4}(?:but\s)?i\s(?:guess|suppose|am\snot\ssure|[’']m\snot\ssure|doubt)\b"
    r"|\b(?:that|this|it)(?:\s(?:is|was)|[’']s)\s(?:just\s|only\s|merely\s)?(?:an?\s(?:guess|joke|lie|wild\sguess)|wrong|incorrect|not\s(?:right|correct|true))\b"
    r"|\bi\s(?:was|am)\s(?:wrong|mistaken|joking|kidding)\b"
    r"|^[\s.,;:!$)*\]\\–—-]{0,6}(?:(?:this|that|it)(?:[’']s|\sis|\swas)\s)?(?:just|only|merely|but\sthat[’']s)\s(?:a\s(?:wild\s)?guess|guessing|kidding|joking)\b"
    r"|^[\s.,;:!$)*\]\\–—-]{0,6}no,?\swait\b[\s.!]*$"
    r"|^[\s.,;:!$)*\]\\–—-]{0,6}(?:which|but\s(?:this|that|it)|(?:this|that|it))\s(?:is|seems|would\sbe)\s(?:clearly\s|of\scourse\s|obviously\s)?(?:not\spossible(?!\sto\b)|impossible(?!\sto\b)|absurd|nonsense|inconsistent|contradictory)\b"
    r"|^(?:\s{0,2}[,(–—-]\s?|\W{0,4}(?:which|that|this)\sis\s)(?:an?|the|one)\s(?:\w{1,12}\s)?(?:mistake|error|misconception|trap|fallacy|pitfall|distractor)s?(?=[.!);]|$)"
    r"|\b(?:but|yet|however|though)\W{1,3}(?:this|that|it|which)\s(?:\w{1,12}\s)?(?:contradicts?|violates?|fails?|makes\sno\ssense|does\s?n[o’']t\s(?:fit|work|hold|satisfy|make))",
    re.IGNORECASE,
)


def speaks_of_another(text: str, at: int) -> bool:
    """Whether the noun at a place ("answer") is not simply the answer, or is denied, doubted or asked for.

    Args:
        text: the whole of it.
        at: where "answer" begins, or "correct answer".
    """
    sentence = SENTENCE.split(text[max(0, at - CLAUSE) : at])[-1]
    clause = CLAUSE_ENDS.split(sentence)[-1]
    if _DENIES.search(clause) or _SOURCES.search(sentence):
        return True
    if names_another(text, at):
        return True
    before = re.sub(r"[*_`\"“”]", "", clause).rstrip()
    pointed = False
    while match := _WORD.search(before):
        word = match[0].lower()
        before = before[: match.start()].rstrip()
        if pointed or word in _CHANGES:
            return word in _CHANGES
        if word in _POINTS:
            pointed = True
        elif word in _LEADS:
            return False
        elif word not in _DESCRIBES:
            return True
    return False


def names_another(text: str, at: int, behind: str = "") -> bool:
    """Whether a claim is called an error or an example, or is about another question than the one asked.

    Args:
        text: the whole of it.
        at: where the claim begins: "answer is B", "B is correct".
        behind: the text behind it.
    """
    before = _before(text, at)
    if _EXAMPLE.search(before) or _ZH_QUESTION.search(before):
        return True
    sentence = SENTENCE.split(before)[-1]
    if _NOT_THIS_CASE.search(sentence) or _CALLED_A_MISTAKE.search(_TURNS.split(sentence)[-1]):
        return True
    clause = CLAUSE_ENDS.split(sentence)[-1]
    if _AN_ERROR.search(clause) or _WRONGLY.search(clause):
        return True
    if _ON_ANOTHER.search(sentence) and not _CONCLUDES.search(sentence):
        return True
    return bool(_NUMBERED.search(sentence) and _THIS_ONE.search(behind[:BEFORE]))


def is_unreal(text: str, at: int, claim: str) -> bool:
    """Whether a claim says what would be the answer if things were otherwise, and concludes nothing from that.

    Args:
        text: the whole of it.
        at: where the claim begins.
        claim: its words.
    """
    if not _WOULD.search(claim):
        return False
    sentences = SENTENCE.split(_before(text, at))
    sentence = sentences[-1]
    if _CARRIED_ON.match(sentence):
        sentence = ". ".join(sentences[-2:])
    supposed = list(_OTHERWISE.finditer(sentence))
    return bool(supposed) and not _CONCLUDES.search(sentence, supposed[-1].end())


def is_plainly_led(text: str, at: int) -> bool:
    """Whether only such words stand in the clause before a statement as lead to an answer: "so we see that the".

    A statement that is not may contradict another one, and is none by itself.

    Args:
        text: the whole of it.
        at: where "answer" begins.
    """
    sentence = SENTENCE.split(text[max(0, at - CLAUSE) : at])[-1]
    clause = CLAUSE_ENDS.split(sentence.rpartition(":")[2])[-1]
    words = re.findall(r"[a-z][a-z'-]*", _FORMULA.sub(" ", clause).lower().replace("’", "'"))
    return not set(words) - _MAY_STAND or _BY_DOING.match(clause) is not None


def is_withdrawn(behind: str) -> bool:
    """Whether what follows an answer takes it back without giving another: "(wrong)", "Actually no."."""
    return _WITHDRAWN.search(behind[:REMARK]) is not None


def _before(text: str, at: int) -> str:
    """The words before a claim; a head line that ends with a colon belongs to what it introduces."""
    return re.sub(r":\s{0,9}\n\s{0,9}", ": ", text[max(0, at - BEFORE) : at])
