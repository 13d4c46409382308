"""Frames between the two sides: four bytes of length, one of kind, a body."""

from __future__ import annotations

import struct
from socket import socket

from deimos.sandbox.exchange.codec import MOST, Malformed

CALL, GET, SET = b"c", b"a", b"s"
"""Asked: call something, read or set an attribute."""
READY, VALUE, RAISED, UNSUPPORTED, LARGE, MISSING = b"G", b"K", b"X", b"U", b"L", b"M"
"""Answered."""
_HEAD = struct.Struct(">Ic")


def send(stream: socket, kind: bytes, body: bytes | bytearray = b"") -> None:
    """Write a frame."""
    stream.sendall(_HEAD.pack(len(body), kind) + body)


def receive(stream: socket) -> tuple[bytes, bytes]:
    """Read a frame.

    Raises:
        EOFError: the other side is gone.
        Malformed: it announces more than may cross.
    """
    length, kind = _HEAD.unpack(_exactly(stream, _HEAD.size))
    if length > 2 * MOST:
        raise Malformed(f"a frame of {length} bytes")
    return kind, _exactly(stream, length)


def _exactly(stream: socket, size: int) -> bytes:
    parts: list[bytes] = []
    while size:
        part = stream.recv(min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
