"""Every number of a card and a page, and whether it is one of the run's records.

A number is found if it is how ``formatting`` writes some number of the records (as it is, as the
change or the share that is left of it), a count of rows that a record's rows give, or if the whole
text that it stands in is a record's own. ``EXCEPTIONS`` is closed.
"""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import yaml
from card_reader import read_card

from deimos import __version__
from deimos.lab.traces import LEVELS
from deimos.report import formatting, headline
from deimos.store.journal import read, read_rows

NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)*(?:e[-+]?\d+)?")
EXCEPTIONS = {
    "95": "the level of every interval",
    "25": "tight is the base's 25th percentile, by its definition",
    "10": "percentiles of the rule by which traces are chosen",
    "50": "percentiles of the rule by which traces are chosen",
    "90": "percentiles of the rule by which traces are chosen; the middle share of a chart",
    "2.0": "Apache-2.0",
    "1,000": "a price is of so many tokens",
}
"""Numbers of the wording, which no run changes, and why they stand there."""
TABLES = (
    "bench.jsonl",
    "compare.jsonl",
    "by_config.jsonl",
    "trials.jsonl",
    "routing.jsonl",
    "splits.jsonl",
)
WHOLE = ("record.json", "constants.json", "locked.yaml")


def leaves(value: Any) -> Iterator[Any]:
    """Numbers and texts of a nested value; keys are texts."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield str(key)
            yield from leaves(each)
    elif isinstance(value, list | tuple):
        yield len(value)
        for each in value:
            yield from leaves(each)
    elif value is not None and not isinstance(value, bool):
        yield value


def written(value: float) -> Iterator[str]:
    """How a number may be written."""
    for each in (value, 1 - value, -value, 100 * value, value * headline._DETECTS, value / 100):
        for digits in range(4):
            yield formatting.number(each, digits)
        for digits in range(3):
            yield formatting.percent(each, digits)
            yield formatting.points(each, digits)
    yield formatting.seconds(abs(value))
    yield f"{value:.3g}"
    yield f"{value:g}"
    yield str(value)


def tokens(text: str) -> list[str]:
    return [found.rstrip(",") for found in NUMBER.findall(text)]


def known_numbers(folders: dict[str, Path], recipe: Any) -> set[str]:
    """Every number that a run's records hold, as it may be written."""
    values: list[Any] = [*leaves(recipe.model_dump(mode="json")), __version__]
    for folder in folders.values():
        values += folder.name.split("-")
        for name in (*WHOLE, *TABLES):
            path = folder / name
            if path.is_file() and name in TABLES:
                values += [leaf for row in read_rows(path) for leaf in leaves(row)]
            elif path.is_file():
                values += leaves(yaml.safe_load(path.read_text(encoding="utf-8")))
    values += counts(folders)
    values += [chance for level in LEVELS for chance in level]
    found: set[str] = set()
    for value in values:
        texts = written(value) if isinstance(value, int | float) else [str(value)]
        found.update(token for text in texts for token in tokens(text))
    return found


def counts(folders: dict[str, Path]) -> Iterator[Any]:
    """How many rows of each sort there are, and the ends of the intervals' half widths."""
    if "select" in folders:
        rows = read_rows(folders["select"] / "verdicts.jsonl")
        tally = Counter((r["stage"], r["ok"], r["finish"] == "outpaced") for r in rows)
        yield from tally.values()
        yield from Counter(
            r["stage"] for r in rows if r["ok"] is False and r["finish"] != "outpaced"
        ).values()
        yield from (sum(r["finish"] == "outpaced" for r in rows), len(rows), 3)
        yield sum(r["ok"] is None for r in rows)
        yield len(read_rows(folders["select"] / "gold.jsonl"))
    if "bench" in folders:
        for row in read_rows(folders["bench"] / "compare.jsonl"):
            ci = row.get("accuracy_delta_ci")
            if ci and None not in ci:
                yield (ci[1] - ci[0]) / 2
        by_model = Counter()
        for row in samples(folders):
            by_model[row["model"], row["engine"]] += 1
        yield from by_model.values()


def samples(folders: dict[str, Path]) -> Iterator[dict[str, Any]]:
    for path in (
        sorted((folders["bench"] / "samples").glob("*.jsonl")) if "bench" in folders else ()
    ):
        yield from read(path)


def lengths(folders: dict[str, Path]) -> set[str]:
    """Tokens of single completions, which charts and traces name; medians between two of them."""
    found = {0}
    for row in samples(folders):
        found |= {row["think_tokens"], row["answer_tokens"], len(row["completion_ids"])}
    every = sorted(found)
    middles = {(a + b) / 2 for a in every for b in every if 0 <= b - a < 12}
    named = {formatting.number(v) for v in {*found, *middles}}
    pairs = {(r["prompt_id"], r["task"], r["config"], r["index"], r["model"]): r["think_tokens"]
             for r in samples(folders)}  # fmt: skip
    for (*same, model), tuned in pairs.items():
        base = pairs.get((*same, "base"))
        if model == "tuned" and base is not None:
            named.update(tokens(formatting.change(1 - tuned / max(1, base))))
    return named


def texts_of_others(folders: dict[str, Path]) -> set[str]:
    """What models and data sets wrote, whitespace apart."""
    found = set()
    for row in samples(folders):
        found |= {squeezed(row[name]) for name in ("think", "answer", "text")}
        found.add(squeezed((row.get("verdict") or {}).get("because", "")))
    for stage in ("sample", "prompts", "bench", "select"):
        for path in folders[stage].rglob("*.jsonl") if stage in folders else ():
            if path.parent.name == "samples" or path.name in TABLES:
                continue
            rows = read(path) if path.parent.name == "completions" else read_rows(path)
            for row in rows:
                said = [row.get("text", ""), (row.get("verdict") or {}).get("because", "")]
                said += [row.get("because", ""), *(m["content"] for m in row.get("messages", ()))]
                found |= {squeezed(text) for text in said if isinstance(text, str)}
    return found


def squeezed(text: str) -> str:
    return " ".join(text.split())


def is_of_others(text: str, known: set[str]) -> bool:
    """Whether a text is one of theirs, or the beginning and the end of one."""
    shown = squeezed(text)
    if shown in known:
        return True
    head, mark, tail = text.partition("[…]")
    return bool(mark) and any(
        t.startswith(squeezed(head)[:-20]) and t.endswith(squeezed(tail)[20:]) for t in known
    )


class Page(HTMLParser):
    """The texts of a page: what others wrote apart, axes and style left out."""

    THEIRS = ("think", "answer", "problem")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.own: list[str] = []
        self.theirs: list[str] = []
        self.code: list[str] = []
        self._open: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        named = dict(attrs)
        if tag in ("meta", "link", "path", "line", "circle", "br", "rect"):
            return
        self.own += [named[name] for name in ("aria-label", "title") if named.get(name)]
        kind = named.get("class", "") or ""
        self._open.append((tag, kind))
        if kind in self.THEIRS:
            self.theirs.append("")
        if tag == "pre":
            self.code.append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        kinds = [kind for _, kind in self._open]
        tags = [tag for tag, _ in self._open]
        if "style" in tags or "tick" in kinds:
            return
        if any(kind in self.THEIRS for kind in kinds):
            self.theirs[-1] += data
        elif "pre" in tags:
            self.code[-1] += data
        else:
            self.own.append(data)


def unknown_in_page(text: str, folders: dict[str, Path], recipe: Any) -> list[str]:
    """Numbers of a page that no record holds, and texts of others that nobody wrote."""
    page, known = Page(text), known_numbers(folders, recipe) | lengths(folders)
    others = texts_of_others(folders)
    own = [part for part in page.own if squeezed(part) not in others]
    strange = [t for t in page.theirs if t.strip() and not is_of_others(html.unescape(t), others)]
    return [*unknown(own, known), *strange]


def unknown_in_card(text: str, folders: dict[str, Path], recipe: Any) -> list[str]:
    """Numbers of a card that no record holds, and texts of others that nobody wrote."""
    card, known = read_card(text), known_numbers(folders, recipe) | lengths(folders)
    others = texts_of_others(folders)
    prose = [token.content for token in card.inline]
    strange = [block for block in card.blocks("text") if not is_of_others(block, others)]
    settings = [
        str(leaf) for block in card.blocks("yaml") for leaf in leaves(yaml.safe_load(block))
    ]
    code = "\n".join([*card.blocks("python", "sh"), *settings])
    question = re.findall(r"^question = .*$", code, re.MULTILINE)
    for line in {*question}:
        code = code.replace(line, "")
    programs = [re.sub(r"localhost:8000|--port 8000|shape\[1\]|output\[0", "", code)]
    return [*unknown([*prose, *programs, json.dumps(card.front)], known), *strange]


def unknown(texts: Iterable[str], known: set[str]) -> list[str]:
    return sorted({t for text in texts for t in tokens(text)} - known - EXCEPTIONS.keys())
