r"""A formula's parts: the nodes of its tree, and the tokens that its text is cut into.

Letters are cut one by one unless they spell a function or a word; ``1,000`` is one number outside
brackets and two inside, where a comma parts coordinates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any


class Unreadable(Exception):
    """The text is no formula that this grammar knows."""


@dataclass(frozen=True, slots=True)
class Node:
    """One part of a formula; ``kind`` says what ``parts`` and ``data`` are."""

    kind: str
    """number, symbol, constant, sum, negative, product, quotient, power, root, function, factorial,
    percent, degrees, plus_minus, series, relation, tuple, set, builder, union, intersection, difference,
    matrix, numbers (a named set of numbers), empty, dots."""
    parts: tuple[Node, ...] = ()
    data: Any = None
    """number: its ``Fraction``; symbol, constant, function, numbers: the name; plus_minus: ``+-`` or
    ``-+``; relation: the signs; tuple: both brackets; matrix: (rows, columns); series: sum or prod."""


def word_set(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


SHORT_WORDS = word_set(
    "no on yes not odd one two six ten all any red sun mon tue wed thu fri sat cis"
)
_JOINING_WORDS = word_set("of the is in at to by or and an it as if up for are none")
FUNCTIONS = word_set(
    "sin cos tan sec csc cot arcsin arccos arctan sinh cosh tanh coth arcsinh arccosh arctanh arcsec arccsc arccot"
    " log ln lg exp max min gcd lcm det deg arg sgn sign cis"
)  # fmt: skip
ALIASES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "arsinh": "arcsinh", "artanh": "arctanh",
            "arcosh": "arccosh", "tg": "tan", "ctg": "cot", "cosec": "csc", "sign": "sgn"}  # fmt: skip
BARE = {"infinity": "infty", "inf": "infty", "oo": "infty", "pi": "pi", "sqrt": "sqrt", "mod": "bmod", "theta": "theta",
         "alpha": "alpha", "beta": "beta", "gamma": "gamma", "delta": "delta", "lambda": "lambda", "omega": "omega",
         "phi": "phi", "in": "in", "union": "cup", "binom": "binom"}  # fmt: skip
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d{1,3}(?:,\d{3})+(?!,?\d)|\d+)(?:\.\d+)?|\.\d+)"
    r"(?:(?P<point>\.)?\s*\\(?:overline|bar|dot)\s*(?:\{\s*(?P<repeat>\d+)\s*\}|(?P<digit>\d))|(?P<dot>\.(?!\d)))?"
    r"(?P<exponent>[eE][-+]?\d+(?![\d.]))?"
    r"|\\text\{(?P<text>[^{}]*)\}|\\(?:begin|end)\s*\{(?P<env>[A-Za-z*]+)\}"
    r"|(?P<command>\\(?:[A-Za-z]+|[{}|]|\\(?:\s*\[[^\]]*\])?))|(?P<run>[A-Za-z]+)|(?P<primes>'+)|(?P<sign><=|>=|!=|==|\*\*|[^\s]))",
    re.ASCII,
)  # fmt: skip
OPENING, CLOSING = {"(": ")", "[": "]"}, (")", "]")
_PAIRED = re.compile(r"(?:([a-z])\1)+")
_SPELLED_FUNCTION = re.compile(r"(arcsin|arccos|arctan|sin|cos|tan|sec|csc|cot|ln|log)([a-zA-Z])")


@dataclass(frozen=True, slots=True)
class FormulaToken:
    """One token; ``kind`` is number, text, begin, end, command, letter, primes or sign."""

    kind: str
    text: str
    value: Any = None
    spaced: bool = False
    """Whether a blank stands before it."""


def is_word(run: str) -> bool:
    """Whether a run of letters is a word and no product: four small letters with a vowel, say."""
    small = run[1:]
    if len(run) < 4 or not small.islower():
        return False
    codes = sorted(map(ord, set(run.lower())))
    alphabetical = codes == list(range(codes[0], codes[-1] + 1))  # abcd, wxyz
    return not alphabetical and any(c in "aeiouy" for c in run.lower())


def _fold_word(text: str) -> str:
    """Words in small letters; short runs of letters (``Rr``, ``PPQ``) keep their case, as products do."""
    return re.sub(r"[A-Za-z]{2,}", lambda m: m[0].casefold() if _folds(m[0]) else m[0], text)


def _folds(run: str) -> bool:
    low = run.lower()
    if _PAIRED.fullmatch(low):
        return False  # a genotype: RRYY is not rryy
    if low in SHORT_WORDS | _JOINING_WORDS or is_word(low):
        return run[1:].islower() or run.isupper()
    return len(run) > 2 and run[1:].islower() and any(c in "aeiouy" for c in low[1:])


def small(words: str) -> str:
    """Words in small letters, a single letter too; other runs of letters keep their case."""
    return words.casefold() if len(words) == 1 else _fold_word(words)


def cut(text: str) -> list[FormulaToken]:
    """The tokens of a cleaned text.

    Raises:
        Unreadable: a sign that no formula has, or a number beyond the limits.
    """
    found: list[FormulaToken] = []
    at, depth = 0, 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            if not text[at:].strip():
                break
            raise Unreadable("a sign that no formula has")
        spaced = text[at : at + 1].isspace()
        if match["number"] is not None:
            # Inside brackets a comma parts coordinates: (1,200) is a pair.
            if depth and "," in match["number"]:
                digits = match["number"].partition(",")[0]
                found.append(FormulaToken("number", digits, Fraction(digits), spaced))
                at = match.start("number") + len(digits)
                continue
            found.append(_number(match, spaced))
        elif match["run"]:
            found += _letters(match["run"], spaced)
        elif match["command"] and (joined := _joined_function(match["command"])):
            found += joined
        else:
            token = _other(match, spaced)
            if _is_factorial(token, found):
                found += [FormulaToken("sign", "!"), FormulaToken("sign", "=")]
                at = match.end()
                continue
            depth += (token.text in OPENING or token.text == "\\{") - (
                token.text in (*CLOSING, "\\}")
            )
            found.append(token)
        at = match.end()
    return found


def _number(match: re.Match[str], spaced: bool) -> FormulaToken:
    digits = match["number"].replace(",", "")
    value = Fraction(digits)
    if repeat := match["repeat"] or match["digit"]:
        if "." not in digits and not match["point"]:
            raise Unreadable("a line over digits in front of the decimal point")
        places = len(digits.partition(".")[2])
        value += Fraction(int(repeat), (10 ** len(repeat) - 1) * 10**places)
    if match["exponent"]:
        power = int(match["exponent"][1:])
        if abs(power) > 400:
            raise Unreadable("a number too large to work out")
        value *= Fraction(10) ** power
    return FormulaToken("number", match["number"], value, spaced)


def _letters(run: str, spaced: bool) -> list[FormulaToken]:
    """A run of letters: a name of a function or constant, a word, or a product of variables."""
    if run in BARE or run in FUNCTIONS or run in ALIASES:
        return [FormulaToken("command", "\\" + BARE.get(run, run), spaced=spaced)]
    if run in ("or", "and") and spaced:
        return [FormulaToken("text", run, spaced=True)]
    if spelled := _SPELLED_FUNCTION.fullmatch(run):
        return [
            FormulaToken("command", "\\" + spelled[1], spaced=spaced),
            FormulaToken("letter", spelled[2]),
        ]
    if is_word(run):
        return [FormulaToken("letter", run.lower(), spaced=spaced)]
    return [
        FormulaToken("letter", letter, spaced=spaced and i == 0) for i, letter in enumerate(run)
    ]


def _joined_function(command: str) -> list[FormulaToken]:
    r"""``\\cotx``, which lost its blank: the function, then the letter."""
    name = command[1:]
    spelled = _SPELLED_FUNCTION.fullmatch(name)
    if spelled is None or name in FUNCTIONS or name in ALIASES:
        return []
    return [FormulaToken("command", "\\" + spelled[1]), FormulaToken("letter", spelled[2])]


def _other(match: re.Match[str], spaced: bool) -> FormulaToken:
    if match["text"] is not None:
        return FormulaToken("text", small(" ".join(match["text"].split())), spaced=spaced)
    if match["env"]:
        return FormulaToken("begin" if "\\begin" in match[0] else "end", match["env"])
    if match["command"]:
        name = match["command"]
        return FormulaToken("command", "\\\\" if name.startswith("\\\\") else name, spaced=spaced)
    if match["primes"]:
        return FormulaToken("primes", match["primes"])
    sign = "^" if match["sign"] == "**" else match["sign"]
    return FormulaToken("sign", sign, spaced=spaced)


def _is_factorial(token: FormulaToken, before: list[FormulaToken]) -> bool:
    """Whether the sign is that of ``5!=120``, and not that of ``5 != 6`` or ``x!=2``."""
    if token.text != "!=" or token.spaced or not before:
        return False
    return before[-1].kind == "number" or before[-1].text == ")"
