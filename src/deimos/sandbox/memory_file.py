"""Files in memory: what a check's processes are handed."""

from __future__ import annotations

import os


def make_memory_file(content: bytes) -> int:
    """The descriptor of a new file in memory that holds the content, to be read from its start."""
    fd = os.memfd_create("deimos")
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
