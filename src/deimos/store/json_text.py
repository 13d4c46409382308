"""Reading JSON that somebody else wrote: what cannot be used is one sentence, never a traceback."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

DEEPEST = 200
"""Lists and objects inside one another; JSON libraries give up somewhere above this."""
_LOST_BACKSLASH = re.compile(
    r"[\x07\x08\x0b\x0c](?=[A-Za-z])"
    r"|\t(?=(?:imes|heta|au|anh?|ext(?:bf|rm|it|sf|tt|normal|color|style)?|frac|o|op|riangle(?:left|right|q|down)?|ilde|herefore|hinspace|hickspace|binom)(?![A-Za-z]))"
    r"|\r(?=(?:ho|ight\w*|angle|ceil|floor|brace|brack|m)(?![A-Za-z]))"
    r"|(?<![\\&\s])[ ]{0,3}\n(?=(?:u|eq?|abla|otin|ot|i|mid|less|gtr|leq?|geq?|parallel|sim|cong|exists"
    r"|subset\w*|supset\w*|earrow|warrow)(?![A-Za-z]))"
)
"""A control sign and behind it the rest of a TeX command: in JSON, ``"\frac"`` with one backslash is a
form feed and "rac"."""
_ESCAPES = {"\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r"}
_HALF = re.compile("[\ud800-\udfff]")
_ESCAPED_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def read_json(text: str | bytes, *, half_surrogates: bool = False) -> Any:
    """The value of a JSON text.

    Args:
        text: UTF-8 if it is bytes; one value.
        half_surrogates: accept texts with half a surrogate pair, which a model may write and which
            no file can hold unescaped.

    Raises:
        ValueError: one line about why it is not JSON, or has what this package cannot use: a key that
            one object names twice, NaN and infinities, half surrogate pairs, more than ``DEEPEST`` levels, integers of more digits
            than Python reads.
    """
    try:
        decoded = text if isinstance(text, str) else text.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise ValueError(f"not UTF-8 text: byte {e.start + 1} is {e.object[e.start]:#04x}") from e
    try:
        value = json.loads(
            decoded, object_pairs_hook=read_pairs, parse_constant=_refuse_constant,
            parse_float=_finite, parse_int=read_integer,
        )  # fmt: skip
    except json.JSONDecodeError as e:
        line = f"line {e.lineno} " if e.lineno > 1 else ""
        raise ValueError(f"not valid JSON: {e.msg} at {line}column {e.colno}") from e
    except RecursionError as e:
        raise ValueError(f"nested more than {DEEPEST} levels deep") from e
    if decoded.count("[") + decoded.count("{") > DEEPEST:
        _refuse_depth(value)
    if not half_surrogates and (_ESCAPED_HALF.search(decoded) or _HALF.search(decoded)):
        _refuse_halves(value)
    return value


def read_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object that JSON's names and values make, for ``object_pairs_hook``.

    Raises:
        ValueError: one line: a name stands twice, of which most parsers silently keep the last.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"{name[:64]!r} is named twice in one object")
            seen.add(name)
    return found


def read_integer(digits: str) -> int:
    """The integer that JSON writes so.

    Raises:
        ValueError: one line: it has more digits than Python reads.
    """
    try:
        return int(digits)
    except ValueError as e:
        count, most = len(digits.removeprefix("-")), sys.get_int_max_str_digits()
        raise ValueError(
            f"the number {digits[:20]}… has {count:,} digits: at most {most:,} are accepted (a longer "
            "one can be written as text, in quotes)"
        ) from e


def refuse_lost_backslash(text: str) -> None:
    """Refuse TeX that was written into JSON with one backslash, which makes some commands other text.

    Raises:
        ValueError: one sentence with the command.
    """
    if lost := _LOST_BACKSLASH.search(text):
        sign = lost[0].strip(" ")
        rest = re.match(r"[A-Za-z]*", text[lost.end() :])
        command = f"\\{_ESCAPES[sign]}{rest[0] if rest else ''}"
        raise ValueError(
            f"the reference has a control character where {command} was meant: in JSON a backslash is "
            f"written twice, {json.dumps(command)}"
        )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"not valid JSON: it has no {name}")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number {digits[:40]} is too large")
    return number


def _refuse_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for item in level for inner in _inside(item)]
        if not level:
            return
    raise ValueError(f"nested more than {DEEPEST} levels deep")


def _refuse_halves(value: Any) -> None:
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, str) and (half := _HALF.search(item)):
            raise ValueError(
                f"half a surrogate pair, {half[0]!a}, which is no character, in "
                f"{item[max(0, half.start() - 20) : half.end() + 20]!a}"
            )
        left += [*item, *item.values()] if isinstance(item, dict) else _inside(item)


def _inside(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value
