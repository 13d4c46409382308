"""What crosses between the tests and a candidate: plain values, by their exact types, as bytes.

A value is a tag and its content; nothing is evaluated, no class of the other side is ever built.
Ints are hexadecimal text (no limit of digits), floats their eight bytes (NaN, -0.0 and inf survive).
Lists and tuples that are long runs of numbers are packed. Lists, dicts, sets and their like are *known*: numbered as they are met, met again they are a
reference. So sharing survives, a list that holds itself too, and a change made on one side can be
sent to the other. Anything else is an opaque handle, or does not cross.

Bytes from a candidate may be anything: reading invalid ones raises ``Malformed``.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import itertools
import re
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from deimos.sandbox.isolation.containers import fill, flatten

DEPTH = 100
"""Containers within containers."""
MOST = 16 << 20
"""Bytes of one message."""
TYPES: dict[str, type] = {
    t.__name__: t
    for t in (bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset)
} | {"NoneType": type(None), "object": object}
"""Types that cross by name."""

_LENGTH = struct.Struct(">I")
_REAL, _COMPLEX = struct.Struct(">d"), struct.Struct(">dd")
_INT = re.compile(rb"-?[0-9a-f]+")
_DTYPE = re.compile(r"[<>|=](?:b1|[iuf][1248]|f16|c8|c16)")
_MOMENTS = (datetime.date, datetime.time, datetime.datetime, datetime.timedelta)


_PACKED = (list, tuple)
_CODES: dict[type, bytes] = {int: b"q", float: b"d"}
_FEW = 16
"""Shorter lists, and such as change their type more often, are written value by value."""

HANDLE, EQUALS_ALL = b"h", b"H"
"""Tags of values that stay where they are; the second says of itself that it equals anything."""


class Malformed(Exception):
    """Bytes that no honest sender writes."""


class Unsupported(Exception):
    """A value of a type that does not cross; the message is its name."""


class TooLarge(Exception):
    """More bytes or deeper nesting than may cross."""


class Matched:
    """A ``re.Match`` on the other side: true, as every match is; what it matched can be asked."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self._text, self._span = str(text), (int(start), int(end))

    def group(self) -> str:
        """The whole match."""
        return self._text

    def span(self) -> tuple[int, int]:
        """Where it began and ended."""
        return self._span


class Writer:
    """Writes values one after the other.

    Args:
        known: mutable containers that the reader has, in its order.
        opaque: turns what is not plain into (tag, number, type name), or raises Unsupported.
    """

    def __init__(
        self,
        known: Iterable[Any] = (),
        opaque: Callable[[Any], tuple[bytes, int, str]] | None = None,
    ) -> None:
        self.out = bytearray()
        self.known = list(known)  # held, so that an id stays one object's
        self._ids = {id(value): i for i, value in enumerate(self.known)}
        self._opaque = opaque

    def put(self, value: Any, depth: int = 0) -> None:
        """Write one value.

        Raises:
            Unsupported: of a type that does not cross.
            TooLarge: beyond ``MOST`` or ``DEPTH``.
        """
        kind, out = type(value), self.out
        if len(out) > MOST:
            raise TooLarge(f"more than {MOST >> 20} MiB")
        if kind is int:
            digits = b"%x" % value
            out += b"i" + _LENGTH.pack(len(digits)) + digits
        elif kind is str:
            self._bytes(b"s", value.encode("utf-8", "surrogatepass"))
        elif kind is float:
            out += b"f" + _REAL.pack(value)
        elif kind is bool:
            out += b"T" if value else b"F"
        elif value is None:
            out += b"N"
        elif kind in _SIMPLE:
            _SIMPLE[kind](self, value)
        elif kind in _CONTAINERS:
            self._container(kind, value, depth)
        elif kind is type and TYPES.get(value.__name__) is value:
            self._bytes(b"y", value.__name__.encode())
        elif _is_numpy(value):
            self._array(value)
        else:
            self._handle(value)

    def number(self, value: int) -> None:
        """Write a bare length."""
        self.out += _LENGTH.pack(value)

    def items(self, value: Any) -> None:
        """Write what a known container holds, for ``Reader.items``."""
        held = [bytes(value)] if type(value) is bytearray else list(flatten(value))
        self.number(len(held))
        for item in held:
            self.put(item, 1)

    def _container(self, kind: type, value: Any, depth: int) -> None:
        if _CONTAINERS[kind][1]:
            number = self._ids.get(id(value))
            if number is not None:
                self.out += b"R" + _LENGTH.pack(number)
                return
            self._ids[id(value)] = len(self.known)
            self.known.append(value)
        if depth >= DEPTH:
            raise TooLarge(f"nested deeper than {DEPTH}")
        if kind in _PACKED and len(value) >= _FEW and self._packed(kind, value, depth):
            return
        self.out += _CONTAINERS[kind][0] + _LENGTH.pack(len(value))
        for item in flatten(value):
            self.put(item, depth + 1)

    def _packed(self, kind: type, value: Any, depth: int) -> bool:
        """Write a long list or tuple as runs of one type, numbers packed; False: too many runs."""
        runs = [(t, list(run)) for t, run in itertools.groupby(value, type)]
        if len(runs) > len(value) // _FEW:
            return False
        self.out += b"p" + _CONTAINERS[kind][0] + _LENGTH.pack(len(runs))
        for t, run in runs:
            code, length = _CODES.get(t, b"v"), _LENGTH.pack(len(run))
            try:
                body = b"" if code == b"v" else struct.pack(f">{len(run)}{code.decode()}", *run)
            except struct.error:  # an int of more than 64 bits
                code, body = b"v", b""
            if len(self.out) + len(body) > MOST:
                raise TooLarge(f"more than {MOST >> 20} MiB")
            self.out += code + length + body
            for item in run if code == b"v" else ():
                self.put(item, depth + 1)
        return True

    def _bytes(self, tag: bytes, body: bytes) -> None:
        if len(self.out) + len(body) > MOST:
            raise TooLarge(f"more than {MOST >> 20} MiB")
        self.out += tag + _LENGTH.pack(len(body)) + body

    def _complex(self, value: complex) -> None:
        self.out += b"c" + _COMPLEX.pack(value.real, value.imag)

    def _bytearray(self, value: bytearray) -> None:
        number = self._ids.get(id(value))
        if number is not None:
            self.out += b"R" + _LENGTH.pack(number)
            return
        self._ids[id(value)] = len(self.known)
        self.known.append(value)
        self._bytes(b"B", bytes(value))

    def _parts(self, tag: bytes, parts: Sequence[Any]) -> None:
        self.out += tag
        for part in parts:
            self.put(part)

    def _moment(self, value: Any) -> None:
        if getattr(value, "tzinfo", None) is not None:
            raise Unsupported("a time with a time zone")
        self.out += b"m" + bytes([_MOMENTS.index(type(value))])
        self.put(_moment_parts(value))

    def _array(self, value: Any) -> None:
        """A numpy array or scalar: its type, shape and bytes."""
        dtype = value.dtype.str
        if not _DTYPE.fullmatch(dtype):
            raise Unsupported(f"numpy {value.dtype}")
        self.out += b"n" if type(value).__name__ == "ndarray" else b"u"
        self._bytes(b"", dtype.encode())
        self.put(tuple(value.shape))
        self._bytes(b"", value.tobytes())

    def _handle(self, value: Any) -> None:
        if self._opaque is None:
            raise Unsupported(type(value).__name__)
        tag, number, name = self._opaque(value)
        self.out += tag + _LENGTH.pack(number)
        self._bytes(b"", name.encode("utf-8", "replace")[:100])


class Reader:
    """Reads values one after the other, trusting nothing.

    Args:
        data: the bytes.
        known: mutable containers that references may mean, in the writer's order; grows.
        opaque: makes a handle of (tag, number, type name).
    """

    def __init__(
        self,
        data: bytes,
        known: list[Any] | None = None,
        opaque: Callable[[bytes, int, str], Any] | None = None,
    ) -> None:
        self._data, self._at = data, 0
        self.known: list[Any] = [] if known is None else known
        self._opaque = opaque

    def get(self, depth: int = 0) -> Any:
        """The next value; Malformed if there is none."""
        try:
            return self._get(depth)
        except (ValueError, TypeError, ArithmeticError, LookupError, RecursionError) as e:
            raise Malformed(f"{type(e).__name__} while reading a value") from e

    def number(self) -> int:
        """A bare length."""
        return _LENGTH.unpack(self._take(4))[0]

    def items(self) -> list[Any]:
        """What a container holds now, to ``fill`` it with."""
        return [self.get(1) for _ in range(min(self.number(), self.rest()))]

    def rest(self) -> int:
        """Bytes not yet read."""
        return len(self._data) - self._at

    def _take(self, size: int) -> bytes:
        if size > self.rest():
            raise Malformed("a value is cut short")
        self._at += size
        return self._data[self._at - size : self._at]

    def _body(self) -> bytes:
        return self._take(self.number())

    def _get(self, depth: int) -> Any:
        tag = self._take(1)
        if tag == b"i":
            return self._int()
        if tag == b"s":
            return self._body().decode("utf-8", "surrogatepass")
        if tag == b"f":
            return _REAL.unpack(self._take(8))[0]
        if tag in _BY_TAG:
            return self._container(*_BY_TAG[tag], depth)
        if tag == b"p":
            return self._packed(depth)
        if tag in b"TFN":
            return {b"T": True, b"F": False, b"N": None}[tag]
        if tag == b"R":
            return self.known[self.number()]
        return self._rare(tag, depth)

    def _int(self) -> int:
        digits = self._body()
        if not _INT.fullmatch(digits):
            raise Malformed("an int is not hexadecimal")
        return int(digits, 16)

    def _container(self, kind: type, mutable: bool, depth: int) -> Any:
        count = self.number()
        if depth >= DEPTH or count > self.rest():
            raise Malformed("nested too deeply, or longer than the message")
        if not mutable:
            return kind([self._get(depth + 1) for _ in range(count)])
        made = kind()
        self.known.append(made)  # before its content: it may hold itself
        fill(
            made,
            [self._get(depth + 1) for _ in range(count * (2 if isinstance(made, dict) else 1))],
        )
        return made

    def _packed(self, depth: int) -> Any:
        """A list or tuple in runs."""
        tag, runs = self._take(1), self.number()
        kind, mutable = _BY_TAG[tag]
        if kind not in _PACKED or depth >= DEPTH:
            raise Malformed("packed, and no list or tuple, or nested too deeply")
        items: list[Any] = []
        if mutable:
            self.known.append(items)  # before its content: it may hold itself
        for _ in range(runs):
            code, count = self._take(1), self.number()
            if code in _CODES.values():
                items += struct.unpack(f">{count}{code.decode()}", self._take(8 * count))
            elif code == b"v" and count <= self.rest():
                items += [self._get(depth + 1) for _ in range(count)]
            else:
                raise Malformed("a run of no known sort, or longer than the message")
        return items if mutable else tuple(items)

    def _rare(self, tag: bytes, depth: int) -> Any:
        if tag == b"b":
            return self._body()
        if tag == b"B":
            self.known.append(bytearray(self._body()))
            return self.known[-1]
        if tag == b"c":
            return complex(*_COMPLEX.unpack(self._take(16)))
        if tag == b"r":
            return range(self._get(depth), self._get(depth), self._get(depth))
        if tag == b"e":
            return decimal.Decimal(str(self._get(depth)))
        if tag == b"a":
            return fractions.Fraction(self._get(depth), self._get(depth))
        if tag == b"m":
            return _MOMENTS[self._take(1)[0]](*self._get(depth))
        if tag == b"M":
            return Matched(self._get(depth), self._get(depth), self._get(depth))
        if tag == b"y":
            return TYPES[self._body().decode()]
        if tag in (b"n", b"u"):
            return self._array(scalar=tag == b"u")
        if self._opaque is None:
            raise Malformed(f"unknown tag {tag!r}")
        return self._opaque(tag, self.number(), self._body().decode("utf-8", "replace"))

    def _array(self, *, scalar: bool) -> Any:
        import numpy

        dtype, shape = self._body().decode(), self._get(0)
        if not _DTYPE.fullmatch(dtype) or type(shape) is not tuple:
            raise Malformed("no such array")
        made = numpy.ndarray(shape, dtype, self._body())  # TypeError where the bytes don't suffice
        return made[()] if scalar else made.copy()


def _is_numpy(value: Any) -> bool:
    # By the class itself, not its name: a look-alike is a handle.
    import sys

    numpy = sys.modules.get("numpy")
    return numpy is not None and (
        type(value) is numpy.ndarray
        or (issubclass(type(value), numpy.generic) and type(value).__module__ == "numpy")
    )


def _moment_parts(value: Any) -> tuple[int, ...]:
    if type(value) is datetime.timedelta:
        return value.days, value.seconds, value.microseconds
    day = (value.year, value.month, value.day) if isinstance(value, datetime.date) else ()
    clock = ("hour", "minute", "second", "microsecond")
    return *day, *(getattr(value, part) for part in clock if type(value) is not datetime.date)


_CONTAINERS: dict[type, tuple[bytes, bool]] = {
    list: (b"l", True), tuple: (b"t", False), dict: (b"d", True), set: (b"S", True),
    frozenset: (b"z", False), collections.deque: (b"q", True), collections.Counter: (b"C", True),
    collections.OrderedDict: (b"O", True), collections.defaultdict: (b"D", True),
}  # fmt: skip
"""Type to its tag and whether it is known (mutable). A defaultdict's factory is not sent."""
_BY_TAG = {tag: (kind, mutable) for kind, (tag, mutable) in _CONTAINERS.items()}
_SIMPLE: dict[type, Callable[[Writer, Any], None]] = {
    bytes: lambda w, v: w._bytes(b"b", v),
    bytearray: Writer._bytearray,
    complex: Writer._complex,
    range: lambda w, v: w._parts(b"r", (v.start, v.stop, v.step)),
    decimal.Decimal: lambda w, v: w._parts(b"e", (str(v),)),
    re.Match: lambda w, v: w._parts(b"M", (v.group(), *v.span())),
    fractions.Fraction: lambda w, v: w._parts(b"a", (v.numerator, v.denominator)),
    **dict.fromkeys(_MOMENTS, Writer._moment),
}
