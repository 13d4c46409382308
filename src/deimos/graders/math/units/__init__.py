r"""What stands beside a number: its unit, a scale word (million), a percent sign, a currency.

A unit is only what is written as one: upright (``\text{cm}``), a word of two letters or more
behind a space (``5 apples``), or a well-known abbreviation behind a number (``20cm``). A single slanted
letter is a variable. Units of the table are compared with their exponents; of other words
(apples) only what they count (``nouns.py``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from deimos.graders.math.nouns import are_other_things, counted_things, is_code
from deimos.graders.math.tokens import BARE, FUNCTIONS, is_word, word_set
from deimos.graders.math.units.names import (
    COMPOUNDS,
    NAMES,
    SYMBOLS,
    may_abbreviate,
    meanings,
    powers_of,
    spell_out,
    spell_signs,
    with_phrases,
)

_ATTACHED = word_set("cm km kg lbs mph kmh kph hrs mins secs mL Hz")
"""Abbreviations that are units directly behind a digit too; ``7m`` and ``2mg`` are products."""
_PRODUCTS = word_set(
    "mg ml hr ha ms mm mi ft Pa eV Hz dB Wb lm lx cd Bq Gy Sv hp pt qt kn kt sr pc ly"
) | {*SYMBOLS}
"""Abbreviations that may be products of letters: units only if upright, or if the other side has them."""
_AFTER_NUMBERS = _PRODUCTS - {"mg", "ha"}
r"""Of these, the ones that are units behind a blank and a plain number: ``5 ft``, but not ``\pi hr``."""
_PLAIN_NUMBER = re.compile(r"[-+]?\$?[\d.,]+(?:/\d+)?\s+")
_COUNTED = word_set(
    "men way hen pig cat dog cow egg toy car bag box cup can pen hat bus pie pts of the a an each left red big old new"
)
"""Short words behind a number that count things, or belong to a longer unit."""
SCALES = {
    "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "dozen": 12, "dozens": 12,
}  # fmt: skip
_NO_UNITS = word_set(
    # Words that change the number, or join it to another one, so that dropping them would be wrong.
    "pi tau phi theta alpha beta sqrt log ln exp sin cos tan sec csc cot arcsin arccos arctan mod or and to plus"
     " minus times over by pm half halves third thirds fourth fourths quarter quarters fifth fifths sixth sixths"
     " seventh sevenths eighth eighths ninth ninths tenth tenths hundredth hundredths thousandth thousandths"
     " factorial tens hundreds thousands millions billions score couple pair not infinity inf oo infty choose base if"
     " when where for is are approximately roughly about maybe perhaps probably possibly sum lim int gcd lcm max"
     " too wrong small large big bad false true incorrect impossible so see yes less more than at least most"
    " rejected extraneous bound estimate estimated candidate candidates approx invalid excluded discarded tentative provisional doubtful"
    " no eg etc guess guessed guessing unsure assumed hopefully something odd ish either neither nor but between except plusminus divided multiplied bar"
)  # fmt: skip
_FORMULA_WORDS = (FUNCTIONS | set(BARE)) - {"min", "in", "sec", "deg"}
"""Words that belong to the formula; those left out are units behind a number."""
_CURRENCIES = {"$": "dollar", "€": "euro", "£": "poundsterling", "¥": "yen", "₹": "rupee"}
_CODES = {"USD": "$", "US$": "$", "EUR": "€", "GBP": "£", "INR": "₹", "RS": "₹"}
_CODE = re.compile(r"^(US\$|USD|EUR|GBP|INR|Rs\.?)\s?(?=-?[\d.])", re.IGNORECASE)
_CURRENCY = re.compile(r"^([-+]?)\s*([$€£¥₹])\s*(?=[-.\d\\])")
_CURRENCY_BEHIND = re.compile(r"(?<=\d)\s*([$€£¥₹])$")
_ORDINAL = re.compile(
    r"(?<=\d)\s*(?:\^\s*\{?\s*)?\\text\{\s*(?:st|nd|rd|th)\s*\}(?:\s*\})?|(?<=\d)\^?\{?(?:st|nd|rd|th)\b\}?"
)
_TAIL_TOKEN = re.compile(
    r"\\text\{([^{}]*)\}|(?<![A-Za-z\\])([A-Za-z]{2,}\.?(?:[-/][A-Za-z]+)*)|(\\degree)(?=\s*\\text)"
    r"|(\^\s*(?:\{\s*-?\d\s*\}|-?\d))|(/|\\cdot(?![A-Za-z])|\\times(?![A-Za-z]))|(\\?%)|(\s+)|\\[A-Za-z]+|."
)  # fmt: skip
_RATIO_UNIT = (
    r"(?:m|cm|km|mm|ft|in|mi|g|kg|mg|L|J|N|W|mol)\s?/\s?(?:s|sec|h|hr|min|kg|g|mol|L|cm|m)"
)
_LETTER_RATIO = re.compile(
    rf"({_PLAIN_NUMBER.pattern})({_RATIO_UNIT}(?:\s?\^\s?(?:\{{\s?[23]\s?\}}|[23]))?)"
)
"""``5 m/s``, without a sign that these letters are a unit: a blank, and no other letters."""
_FRACTION_UNIT = re.compile(
    r"\\frac\s*\{\s*\\text\{([^{}]*)\}\s*\}\s*\{\s*\\text\{([^{}]*)\}\s*(\^\s*\{?[23]\}?)?\s*\}$"
)
_PER_SECOND = re.compile(r"\\text\{\s*ms\s*\}\s*\^\s*\{?\s*-\s?(1|2)\s*\}?$")
"""A metre per second, not one over a millisecond."""
_POWER_BEHIND = re.compile(r"(?<=[\d\s}])(mm|cm|dm|km|ft|in|yd|mi)([23])$")
_DIGIT_OF_ITS_OWN = re.compile(r"(?<![\^{\-A-Za-z\d])\d")
_WORD = re.compile(r"[A-Za-z]+|\^?\{?-?\d\}?|[/()%]")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as powers of named units; ``known`` is False if some word of it is in no table."""

    powers: tuple[tuple[str, int], ...]
    known: bool = True
    things: tuple[str, ...] = field(default=(), compare=False)
    """Nouns of the words that it was written with; compared if one of two units is not known."""

    def differs(self, other: Unit | None) -> bool:
        """Whether they are not the same; a bare "units" stands for any unit of length, or anything counted."""
        if other is None:
            return False
        generic = any(len(u.powers) == 1 and u.powers[0][0] == "unit" for u in (self, other))
        if not self.known or not other.known:
            if _is_price_of(self, other) or _is_price_of(other, self):
                return True
            if not generic and (_is_no_name_of(self, other) or _is_no_name_of(other, self)):
                return True
            return not generic and are_other_things(self.things, other.things)
        if generic and len(self.powers) == len(other.powers) == 1:
            return self.powers[0][1] != other.powers[0][1]
        return not meanings(self.powers) & meanings(other.powers)


_MONEY = word_set("dollar cent euro pound yen rupee yuan peso franc ruble penny poundsterling")
_BESIDE_MONEY = word_set("total altogether profit change more left cost in")


def _is_price_of(money: Unit, things: Unit) -> bool:
    """Whether one is an amount of money and the other counts things (5 apples)."""
    if not money.known or len(money.powers) != 1 or money.powers[0][0] not in _MONEY - {"pound"}:
        return False
    counted = {name for name, power in things.powers if power > 0}
    return bool(counted - _BESIDE_MONEY) and not counted & _MONEY


def _is_no_name_of(known: Unit, short: Unit) -> bool:
    """Whether one is in the table, and the other an abbreviation that cannot mean it (dBV, hours)."""
    if not known.known or short.known or not short.things or not is_code(short.things[0]):
        return False
    return not may_abbreviate(
        short.things[0], tuple(name for name, power in known.powers if power > 0)
    )


DEGREE = Unit((("degree", 1),))


@dataclass(frozen=True, slots=True)
class Quantity:
    """An expression taken apart: ``body`` times ``factor``, in ``unit``."""

    body: str
    unit: Unit | None = None
    factor: int = 1
    percent: bool = False


_MORE = re.compile(
    r"(?<=\d)\s{1,3}(?:more|additional|extra)\b(?!\s{1,3}(?:than|or)\b)"
    r"|(?<=\d)\\text\{\s*(?:more|additional|extra)\s*\}|(?<=\d\\text\{)\s*(?:more|additional|extra)(?=\s+(?!than\b|or\b)[a-z])"
)
"""72 more eggs are 72 eggs."""
_OF_ONE = re.compile(
    r"(\d\}?)\s{1,3}of\s(?:an?|one)\s([A-Za-z]{3,14})$",
    re.IGNORECASE,
)
"""3/4 of a mile."""
_PER = re.compile(
    r"([A-Za-z]{2,})\s{1,3}(?:an?|each|every)\s{1,3}(second|minute|hour|day|week|month|year|night|person)\b",
    re.IGNORECASE,
)
"""Pages a year."""
_PAID = re.compile(
    r"([$€£]\s?\d[\d,.]*)\s{1,3}(?:an?|each|every|per)\s{1,3}(?:hour|day|week|month|year|night|person)\b",
    re.IGNORECASE,
)
"""$42 a week."""


def take_apart(text: str) -> Quantity:
    """Split a cleaned expression into its number (any formula) and what stands beside it."""
    text = _CODE.sub(lambda m: _CODES[m[1].rstrip(".").upper()], text)
    text = _OF_ONE.sub(r"\1 \2", text)
    text = _PAID.sub(r"\1", _PER.sub(r"\1 per \2", _MORE.sub("", spell_signs(text))))
    text = _spell_ratio(_POWER_BEHIND.sub(r"\1^\2", _ORDINAL.sub("", text)))
    named = text.rfind("=") + 1  # "Cost = $5"
    result = text[named:].lstrip()
    currency = _CURRENCY.match(result)
    if currency:
        text = text[:named] + currency[1] + result[currency.end() :]
    elif currency := _CURRENCY_BEHIND.search(text):
        text = text[: currency.start()]
    money = Unit(((_CURRENCIES[currency[currency.lastindex or 1]], 1),)) if currency else None
    start = _tail_start(text)
    body, tail = text[:start].rstrip(), text[start:]
    if not tail.strip() or not body or body[-1] in "+-*/^_=(<>,[{":
        return Quantity(text.strip(), money)
    if not _may_have_unit(body, tail):
        return Quantity(text.strip(), money)
    read = _read_tail(tail)
    if read is None:
        return Quantity(text.strip(), money)
    unit, factor, percent = read
    return Quantity(body, money or unit, factor, percent)


def _spell_ratio(text: str) -> str:
    r"""A unit that is a fraction, as upright text: ``5 m/s``, ``\frac{\text{m}}{\text{s}}``, ``\text{ms}^{-1}``."""
    if "/" in text and (plain := _LETTER_RATIO.fullmatch(text)):
        return f"{plain[1]}\\text{{{plain[2].replace('{', '').replace('}', '')}}}"
    if "\\text" not in text:
        return text
    text = _FRACTION_UNIT.sub(r"\\text{ \1/\2\3}", text)
    return _PER_SECOND.sub(r"\\text{ m/s^\1}", text)


def letter_unit(text: str, unit: Unit) -> str | None:
    r"""The number in front of a unit that is typed like a variable (``3 m``), if it is this unit."""
    text = re.sub(
        r"\\frac\s*\{\s*([A-Za-z]{1,3})\s*\}\s*\{\s*([A-Za-z]{1,3})\s*\}$", r" \1/\2", text
    )
    match = re.fullmatch(
        r"(.*[\d})])\s*([A-Za-z]+(?:/[A-Za-z]+)?)\s*(\^\s*\{?\s*[23]\s*\}?)?", text
    )
    if match is None or (found := _unit_of(match[2] + (match[3] or ""))) is None:
        return None
    return match[1] if found.known and found.powers == unit.powers else None


def _tail_start(text: str) -> int:
    """Where what may be a unit begins: behind the last token that belongs to the formula."""
    start, behind_words = 0, False
    for token in _TAIL_TOKEN.finditer(text):
        word = token[2]
        attached = bool(word) and token.start() > 0 and text[token.start() - 1] != " "
        if token[1] is not None or token[3] or token[6]:
            continue
        known = word in _ATTACHED if attached else bool(word) and _is_unit_word(word)
        plain = word in _AFTER_NUMBERS and _PLAIN_NUMBER.fullmatch(text[: token.start()])
        more = word and behind_words and word.lower() not in _FORMULA_WORDS
        if (known or plain or more) and not _is_script(text, token.start()):
            behind_words = True
            continue
        if (token[4] or token[5] or token[7]) and (start < token.start() or token[7]):
            continue
        start, behind_words = token.end(), False
    # Powers, slashes and dots belong to a unit only behind one.
    behind = re.compile(r"\s*(?:\^\s*(?:\{\s*-?\d\s*\}|-?\d)|/|\\cdot|\\times)").match(text, start)
    while behind:
        start = behind.end()
        behind = re.compile(r"\s*(?:\^\s*(?:\{\s*-?\d\s*\}|-?\d)|/|\\cdot|\\times)").match(
            text, start
        )
    return start


def _is_unit_word(word: str) -> bool:
    """Whether a bare word behind a blank is a unit, or what is counted, and no product of letters."""
    if word.lower() in _FORMULA_WORDS or word in _PRODUCTS:
        return False
    pieces = re.split(r"[-/]", word.rstrip("."))
    return all(
        piece in NAMES or piece.lower() in COMPOUNDS or piece.lower() in SCALES or is_word(piece)
        or piece.lower() in _KNOWN_WORDS or (len(piece) == 1 and len(pieces) > 1)
        for piece in pieces
    )  # fmt: skip


_KNOWN_WORDS = _COUNTED | word_set("per sq cu square cubic percent pct cubed squared st nd rd th")


def _may_have_unit(body: str, tail: str) -> bool:
    """Whether bare words behind this formula are a unit: behind a number any, behind a letter known ones."""
    if re.match(r"\s*(?:\\text|\\degree|\\?%)", tail) or re.search(r"(?:[\d)}%]|\\pi)$", body):
        return True
    unit = _unit_of(tail)
    return unit is not None and unit.known and re.search(r"\\[A-Za-z]+$", body) is None


def _is_script(text: str, at: int) -> bool:
    return text[max(0, at - 2) : at].rstrip("{").endswith(("_", "^"))


def _read_tail(tail: str) -> tuple[Unit | None, int, bool] | None:
    """Unit, factor and percent sign of a tail; None: it has a word that is no unit."""
    tail = re.sub(r"\\text\{([^{}]*)\}", r" \1 ", tail)
    tail = tail.replace("\\degree", " degree ").replace("\\cdot", " ").replace("\\times", " ")
    words = tail.replace(".", "").replace("\\%", "%").split()
    if words and (words[0].lower() in ("squared", "cubed") or (words[0] == "point" and words[1:])):
        return None  # 8 cubed, 8 point five
    factor, percent = 1, False
    while words and words[0].lower() in SCALES:
        factor *= SCALES[words.pop(0).lower()]
    if words and words[0].lower() in ("%", "percent", "percents", "pct", "percentage"):
        words.pop(0)
        percent = True
    if percent and words and words[0].lower() in ("point", "points"):
        words.pop(0)
    if any(_DIGIT_OF_ITS_OWN.search(word) for word in words):
        return None
    flat = [w for word in words for w in re.findall(r"[a-z]+", word.lower())]
    if any(word in _NO_UNITS or word in SCALES for word in flat):
        return None
    first = re.match(r"[A-Za-z]+", words[0]) if words else None
    if first is not None and len(first[0]) == 1 and first[0] not in NAMES:
        return None  # an upright letter that is no unit is a variable
    if not words:
        return None, factor, percent
    return _unit_of(" ".join(words)), factor, percent


def _unit_of(text: str) -> Unit | None:
    """The unit that words name, with exponents (``square cm``, ``m/s^2``, ``km per hour``)."""
    powers: dict[str, int] = {}
    known, sign, ahead, last, held = True, 1, 1, "", False
    text = with_phrases(text)
    for token in _WORD.findall(text):
        word = token.lower()
        if token[0] in "^{-0123456789":
            if last in powers:
                powers[last] *= int(token.strip("^{}"))
        elif word in ("/", "per"):
            sign = -1
        elif word in "()":
            held = word == "(" and sign < 0  # J/(kg K): below the line until the bracket closes
            sign = -1 if held else 1
        elif word in ("square", "sq", "squared", "cubic", "cu", "cubed"):
            power = 2 if word.startswith("sq") else 3
            if word.endswith("ed") and last in powers:
                powers[last] *= power
            else:
                ahead = power
        elif token != "a" and word not in ("an", "of", "each"):
            found = powers_of(token)
            known = known and found is not None
            for name, exponent in (found or {word: 1}).items():
                powers[name] = powers.get(name, 0) + exponent * sign * ahead
                last = name
            sign, ahead = (-1 if held else 1), 1
    powers = {name: power for name, power in powers.items() if power}
    words = [spell_out(word) for word in text.split()]
    things = tuple(NAMES.get(thing, thing) for thing in counted_things(words))
    return Unit(tuple(sorted(powers.items())), known, things) if powers else None
