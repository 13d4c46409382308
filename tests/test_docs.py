"""The pages: links lead somewhere, commands exist, README is short, and the words are plain."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from deimos.cli.main import app
from deimos.store import bench_rows, names, schema
from deimos.types import Completion, Prompt

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOW = [page for page in PAGES if page.name != "log.md"]
"""The log says what commands were then; every other page says what they are."""
PLAIN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PLAIN = [p for p in PLAIN if p.name != "log.md"] + sorted((ROOT / "docs/guides").glob("*.md"))
STOCK = (
    "hangs? on", "ow(e|es|ed|ing)", "has no say", "dies? of", "told", "tells (us|you)", "befell",
    "shrug", "reckon(s|ed|ing)?", "spoiled", "is no \\w+ folder", "held to", "foreign", "glue",
    "had better", "no longer be kept", "unseats?", "its chance", "texts all", "made again",
)  # fmt: skip
"""Phrases that made a reader stop: machines with feelings, and words of our own for common things."""


def name(page):
    return page.relative_to(ROOT).as_posix()


def test_readme_can_be_read_in_five_minutes():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 1000


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text))
    paths = [link.partition("#")[0] for link in links if "://" not in link]
    assert [p for p in paths if p and not (page.parent / p).exists()] == []


@pytest.mark.parametrize("folder", ["guides", "results", "adr"])
def test_every_page_is_linked_from_an_index(folder):
    indices = [ROOT / "docs/README.md", ROOT / "docs/results/README.md"]
    found = {
        (index.parent / link).resolve()
        for index in indices
        for link in re.findall(r"\]\(([^)#\s]+)", index.read_text(encoding="utf-8"))
    }
    assert sorted(set((ROOT / "docs" / folder).glob("*.md")) - found) == []


def test_the_tree_page_has_every_file_and_no_other():
    page = (ROOT / "docs/tree.md").read_text(encoding="utf-8")
    listed, folder = set(), ""
    for heading, file in re.findall(r"^## (\S+)/$|^- \*\*(\S+)\*\*:", page, flags=re.MULTILINE):
        folder = "" if heading == "deimos" else heading or folder
        listed |= {f"{folder}/{file}".lstrip("/")} if file else set()
    tree = ROOT / "src/deimos"
    here = {p.relative_to(tree).as_posix() for p in tree.rglob("*.py") if p.name != "__init__.py"}
    assert listed == here, "run `python benchmarks/house.py --page`"


FOLDER = (ROOT / "docs/guides/run-folder.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "row", [Prompt, Completion, schema.Gold, bench_rows.BenchRow, bench_rows.CompareRow], ids=str
)
def test_every_field_of_the_contract_stands_in_the_guide(row):
    fields = {field.removesuffix("_ci") for field in row.__annotations__}
    assert fields - set(re.findall(r"\w+", FOLDER)) == set()


def test_every_file_of_a_run_stands_in_the_guide():
    files = {v for k, v in vars(names).items() if k.isupper() and "." in v}
    known = {names.LOCK, names.ADAPTER_CONFIG, names.ADAPTER_WEIGHTS}
    assert {f for f in files - known if f not in FOLDER} == set()


def commands(page):
    """Every ``deimos …`` line and ``deimos …`` in code quotes of a page."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    quoted = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [c.split(" #")[0] for c in [*lines, *quoted] if c.startswith("deimos ")]


def faults_of(command):
    """The verb or flags of a command that do not exist."""
    words, here = shlex.split(command.replace("…", ""))[1:], get_command(app)
    while words and hasattr(here, "commands") and not words[0].startswith("-"):
        verb = words.pop(0)
        if verb not in here.commands:
            return [verb]
        here = here.commands[verb]
    known = {"--help", *(flag for p in here.params for flag in (*p.opts, *p.secondary_opts))}
    return [w for w in words if w.startswith("--") and w.partition("=")[0] not in known]


@pytest.mark.parametrize("page", NOW, ids=name)
def test_every_command_exists_with_its_flags(page):
    found = {command: faults_of(command) for command in commands(page)}
    assert {command: faults for command, faults in found.items() if faults} == {}


def test_a_wrong_verb_or_flag_would_be_seen():
    assert faults_of("deimos runn lab") == ["runn"]
    assert faults_of("deimos plan lab --pilots 8 --set a=b") == ["--pilots"]
    assert faults_of("deimos lab train --out x") == []


@pytest.mark.parametrize("page", PLAIN, ids=name)
def test_the_words_are_plain(page):
    text = " ".join(page.read_text(encoding="utf-8").split())
    pattern = rf"\b({'|'.join(STOCK)})\b"
    assert [m[0] for m in re.finditer(pattern, text, re.IGNORECASE)] == []
