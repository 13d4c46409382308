"""The candidate as its tests see it: stubs that call into the box, and handles on what stays there.

A handle can be called, passed back, and have attributes read and set. Whatever would compare it,
test its truth or turn it into a value ends the check as unsupported, even if the tests catch the exception;
a comparison with an object that equals anything ends it as wrong.
"""

from __future__ import annotations

import builtins
from socket import socket
from typing import Any

from deimos.sandbox.exchange import wire
from deimos.sandbox.exchange.codec import (
    EQUALS_ALL,
    HANDLE,
    Malformed,
    Reader,
    TooLarge,
    Unsupported,
    Writer,
)
from deimos.sandbox.isolation.containers import fill


def _plain_exceptions() -> dict[str, type[Exception]]:
    known: dict[str, type[Exception]] = {}
    for name, kind in vars(builtins).items():
        if isinstance(kind, type) and issubclass(kind, Exception):
            known[name] = kind
    return known


EXCEPTIONS = _plain_exceptions()
"""What a candidate may raise in its tests, by name."""


class Stop(BaseException):
    """The check is decided; catching this in the tests does not change the verdict."""


class CandidateError(Exception):
    """An exception that cannot be built again here."""


class Link:
    """The tests' side of the connection to a box."""

    def __init__(self, stream: socket) -> None:
        self._stream = stream
        self.calls = 0
        self.fault: tuple[str, str] | None = None
        """Outcome and reason, once something decided the check."""
        self.ended = False
        """The candidate's process is gone."""
        self.raised: BaseException | None = None
        """The last exception that came out of the candidate."""
        self.looked = ""
        """What the tests read of the program besides its values: what they call wrong may be right."""
        self.unused: set[int] = set()
        """Handles that came and were never used."""
        self.equal_to_all: set[int] = set()
        """Handles on objects that call themselves equal to anything."""

    def ready(self) -> None:
        """Wait until the program is loaded; Stop if it cannot be."""
        kind, body = self._receive()
        if kind == wire.MISSING:
            names = body.decode("utf-8", "replace")
            raise self.stop("error", f"no code that defines {names or 'anything'}")
        if kind == wire.RAISED:
            error = self._error(body)
            outcome = "memory" if isinstance(error, MemoryError) else "error"
            raise self.stop(outcome, f"the program does not load: {describe(error)}")
        if kind != wire.READY:
            raise self.stop("error", "the program broke the protocol")

    def ask(self, kind: bytes, target: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """One question; the candidate's value, or its exception."""
        if self.fault:
            raise Stop
        self.calls += kind == wire.CALL
        writer = Writer(opaque=self._token)
        try:
            for part in (target, args, named):
                writer.put(part)
        except (Unsupported, TooLarge) as e:
            raise self.stop("unsupported", f"the tests pass {e}") from None
        try:
            wire.send(self._stream, kind, writer.out)
        except OSError:
            self.ended = True
            raise self.stop("error", "the program ended before it answered") from None
        return self._answer(writer.known)

    def stop(self, outcome: str, because: str) -> Stop:
        """Decide the check; the first decision stands."""
        self.fault = self.fault or (outcome, because)
        return Stop()

    def _answer(self, known: list[Any]) -> Any:
        kind, body = self._receive()
        text = body[:200].decode("utf-8", "replace")
        if kind == wire.VALUE:
            return self._value(body, known)
        if kind == wire.RAISED:
            self.raised = self._error(body)
            raise self.raised
        if kind == wire.MISSING:
            raise self.stop("error", f"the program defines no {text!r}")
        if kind == wire.UNSUPPORTED:
            raise self.stop("unsupported", f"the program returned {text}")
        if kind == wire.LARGE:
            raise self.stop("output", f"the program returned {text}")
        raise self.stop("error", "the program broke the protocol")

    def _value(self, body: bytes, known: list[Any]) -> Any:
        reader = Reader(body, list(known), self._handle)
        try:
            updates = [
                (reader.number(), reader.items()) for _ in range(min(reader.number(), len(known)))
            ]
            value = reader.get()
            for number, items in updates:
                fill(known[number], items)
        except (Malformed, IndexError, TypeError) as e:
            raise self.stop("error", f"the program broke the protocol: {e}") from None
        return value

    def _error(self, body: bytes) -> BaseException:
        try:
            base, name, args = Reader(body).get()
            kind = EXCEPTIONS.get(base)
            if kind is None:
                raise self.stop("error", f"the program raised {str(name)[:100]}")
            try:
                return kind(*args)
            except TypeError:
                return CandidateError(f"{name}: {args}"[:200])
        except (Malformed, ValueError, TypeError) as e:
            raise self.stop("error", f"the program broke the protocol: {e}") from None

    def _receive(self) -> tuple[bytes, bytes]:
        try:
            return wire.receive(self._stream)
        except (EOFError, OSError):
            self.ended = True
            raise self.stop("error", "the program ended before it answered") from None
        except Malformed as e:
            raise self.stop("error", f"the program broke the protocol: {e}") from None

    def _token(self, value: Any) -> tuple[bytes, int, str]:
        if type(value) is Stub:
            return b"g", 0, object.__getattribute__(value, "_name")
        if type(value) is Handle:
            number = object.__getattribute__(value, "_number")
            self.unused.discard(number)
            return HANDLE, number, ""
        raise Unsupported(type(value).__name__)

    def _handle(self, tag: bytes, number: int, name: str) -> Handle:
        if tag not in (HANDLE, EQUALS_ALL):
            raise Malformed(f"unknown tag {tag!r}")
        self.unused.add(number)
        self.equal_to_all |= {number} if tag == EQUALS_ALL else set()
        return Handle(self, number, name)


def describe(error: BaseException) -> str:
    """An exception in one short line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


class _Remote:
    """A value that stays in the candidate's process, to be called or passed back."""

    __slots__ = ("_link", "_name", "_number")

    def __init__(self, link: Link, number: int, name: str) -> None:
        for slot, value in (("_link", link), ("_number", number), ("_name", name)):
            object.__setattr__(self, slot, value)

    def __call__(self, *args: Any, **named: Any) -> Any:
        return _link(self).ask(wire.CALL, self, args, named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            _link(self).looked = name  # Python's own machinery may have asked: no fault by itself
            raise AttributeError(name)
        return _link(self).ask(wire.GET, self, (name,), {})

    def __setattr__(self, name: str, value: Any) -> None:
        _link(self).ask(wire.SET, self, (name, value), {})


def _link(remote: _Remote) -> Link:
    return object.__getattribute__(remote, "_link")


_OPERATIONS = """
    eq ne lt le gt ge bool len iter next contains getitem setitem delitem hash str repr format bytes
    int float complex index round trunc floor ceil abs neg pos invert enter exit reversed
    add sub mul truediv floordiv mod divmod pow lshift rshift and or xor matmul
    radd rsub rmul rtruediv rfloordiv rmod rdivmod rpow rlshift rrshift rand ror rxor rmatmul
    iadd isub imul dir reduce reduce_ex copy deepcopy array fspath instancecheck subclasscheck
"""


def _refusal(name: str) -> Any:
    def refuse(self: _Remote, *args: Any, **named: Any) -> Any:
        kind, number = (object.__getattribute__(self, slot) for slot in ("_name", "_number"))
        claims = type(self) is Handle and number in _link(self).equal_to_all
        if claims and name in ("__eq__", "__ne__"):
            raise _link(self).stop("wrong", f"the program returned a {kind!r} that equals anything")
        raise _link(self).stop("unsupported", f"the tests need {name} of {kind!r}")

    refuse.__name__ = name
    return refuse


for _operation in _OPERATIONS.split():
    setattr(_Remote, f"__{_operation}__", _refusal(f"__{_operation}__"))


class Stub(_Remote):
    """A name that the program should define."""

    __slots__ = ()


class Handle(_Remote):
    """A value of a type that does not cross."""

    __slots__ = ()
    __class__ = property(_refusal("__class__"))  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]
    __dict__ = property(_refusal("__dict__"))  # pyright: ignore[reportAssignmentType]
