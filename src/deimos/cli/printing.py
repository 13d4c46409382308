"""Printing on terminals and into pipes that cannot show every character."""

from __future__ import annotations

import codecs
import io
import sys

PLAIN = {
    "×": "x", "−": "-", "–": "-", "—": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "…": "...",
    "→": "->", "·": "-", "≥": ">=", "≤": "<=", "█": "#",
}  # fmt: skip
"""What stands for the signs of our own messages."""


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Replace what an encoding lacks by plain signs, or by a question mark."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(PLAIN.get(sign, "?") for sign in lacking), error.end


def degrade_output() -> None:
    """Let standard output and error replace what their encoding lacks, where they would raise."""
    codecs.register_error("deimos.plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="deimos.plain")
