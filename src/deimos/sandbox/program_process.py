"""Inside a candidate's box: load the program, then answer what the tests ask of it.

Nothing here is trusted: whatever a program does to this code, it can only send other values.
The tests and what they expect are never in this process, nor were they in its parent.
"""

from __future__ import annotations

import builtins
import json
import os
import sys
from socket import socket
from types import ModuleType
from typing import Any

from deimos.sandbox.exchange import wire
from deimos.sandbox.exchange.codec import EQUALS_ALL, HANDLE, Reader, TooLarge, Unsupported, Writer
from deimos.sandbox.extract import program
from deimos.sandbox.isolation.containers import has_changed, snapshot

NAME = "candidate"
"""The name of the module in which a program runs; never ``__main__``."""


class Missing(Exception):
    """The program defines no such name."""


class _Server:
    def __init__(self, stream: socket) -> None:
        self.stream = stream
        self.module = ModuleType(NAME)
        self.objects: list[Any] = []

    def load(self, request: dict[str, Any]) -> None:
        """Find the program in the answer and execute it."""
        units = program(request["answer"], request["names"], request["prompt"])
        if units is None:
            wire.send(self.stream, wire.MISSING, ", ".join(request["names"]).encode())
            return
        sys.modules[NAME] = self.module  # dataclasses and typing look for it
        try:
            for unit in units:
                code = compile(unit, "<candidate>", "exec", dont_inherit=True)
                exec(code, self.module.__dict__)
        except BaseException as e:
            self.raised(e)
        else:
            wire.send(self.stream, wire.READY)

    def serve(self) -> None:
        """Answer until the tests end."""
        while True:
            kind, body = wire.receive(self.stream)
            try:
                wire.send(self.stream, wire.VALUE, self._answer(kind, body))
            except Missing as e:
                wire.send(self.stream, wire.MISSING, str(e).encode())
            except Unsupported as e:
                wire.send(self.stream, wire.UNSUPPORTED, str(e).encode())
            except TooLarge as e:
                wire.send(self.stream, wire.LARGE, str(e).encode())
            except _Raised as e:
                self.raised(e.error)

    def raised(self, error: BaseException) -> None:
        """Describe an exception by its nearest built-in class, its own name and its arguments."""
        kinds = [k for k in type(error).__mro__ if getattr(builtins, k.__name__, None) is k]
        try:
            writer = Writer()
            writer.put((kinds[0].__name__, type(error).__name__, tuple(error.args)))
        except BaseException:
            writer = Writer()
            writer.put((kinds[0].__name__, type(error).__name__, (_text(error),)))
        wire.send(self.stream, wire.RAISED, writer.out)

    def _answer(self, kind: bytes, body: bytes) -> bytearray:
        reader = Reader(body, opaque=self._found)
        target, args, named = reader.get(), reader.get(), reader.get()
        before = snapshot(reader.known)
        try:
            if kind == wire.CALL:
                value = target(*args, **named)
            elif kind == wire.GET:
                value = getattr(target, *args)
            else:
                value = setattr(target, *args)
        except BaseException as e:
            raise _Raised(e) from None
        writer = Writer(reader.known, self._kept)
        touched = [i for i, old in enumerate(before) if has_changed(reader.known[i], old)]
        writer.number(len(touched))
        for i in touched:
            writer.number(i)
            writer.items(reader.known[i])
        writer.put(value)
        return writer.out

    def _found(self, tag: bytes, number: int, name: str) -> Any:
        if tag == HANDLE:
            return self.objects[number]
        if name not in self.module.__dict__:
            raise Missing(name)
        return self.module.__dict__[name]

    def _kept(self, value: Any) -> tuple[bytes, int, str]:
        self.objects.append(value)
        tag = EQUALS_ALL if _equals_anything(value) else HANDLE
        return tag, len(self.objects) - 1, type(value).__name__


class _Raised(Exception):
    def __init__(self, error: BaseException) -> None:
        self.error = error


def main(stream: socket, answer_fd: int) -> None:
    """Serve one answer's program; ends when the tests close their side."""
    with os.fdopen(answer_fd, "rb") as file:
        request = json.loads(file.read())
    server = _Server(stream)
    try:
        server.load(request)
        server.serve()
    except (EOFError, OSError):
        return


def _equals_anything(value: Any) -> bool:
    """Whether an object says that it equals others that were made just now, of two unrelated types."""
    if type(value).__eq__ is object.__eq__:
        return False
    try:
        return all(bool(value == made) for made in (object(), f"{os.urandom(8)!r}"))
    except BaseException:
        return False


def _text(error: BaseException) -> str:
    try:
        return str(error)[:500]
    except BaseException:
        return ""
