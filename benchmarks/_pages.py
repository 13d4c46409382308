"""One page of results that several scripts write, each its own section.

Not a benchmark. A section stands between two comments that name it and is replaced whole; what else
the page says stays.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/results/graders.md"


def write_section(name: str, text: str, page: Path = PAGE) -> None:
    """Put a section into the page, in its place or at the end."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    section = f"{begin}\n{text.strip()}\n{end}"
    old = page.read_text(encoding="utf-8") if page.is_file() else f"# {page.stem}\n"
    head, found, rest = old.partition(begin)
    tail = rest.partition(end)[2] if found else "\n"
    head = head if found else f"{head.rstrip()}\n\n"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(head + section + tail, encoding="utf-8")
