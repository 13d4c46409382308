"""The model card: always the same headings, and text of others stays text in it."""

import json
import re
from pathlib import Path

import pytest
import runfolder
from card_reader import read_card

from deimos.recipe import parse
from deimos.report import card, stage
from deimos.store.journal import Journal, read, read_rows, write_rows

GUIDE = Path(__file__).parents[2] / "docs/guides/report-and-card.md"


def card_of(folders, recipe, top):
    stage.run(top, folders, recipe)
    return read_card((top / "MODEL_CARD.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("stages", [0, 1, 2, 3, 4, 5])
def test_headings_are_the_fixed_list_whatever_has_run(reported, tmp_path, stages):
    folders = dict(list(reported.folders.items())[:stages])
    found = card_of(folders, reported.recipe, tmp_path)
    assert tuple(found.headings) == card.HEADINGS
    assert found.front["pipeline_tag"] == "text-generation"


@pytest.mark.parametrize(
    "model", [{"tags": None, "thinking": None}, {"thinking": None}, {"id": "a/b"}]
)
def test_headings_are_the_fixed_list_for_any_model(reported, tmp_path, model):
    settings = reported.recipe.model_dump(mode="json")
    settings["model"] |= model
    found = card_of(reported.folders, parse(settings), tmp_path)
    assert tuple(found.headings) == card.HEADINGS
    off = "there is no thinking to turn off" in found.text
    assert off is (model.get("tags", "") is None)


def test_the_guide_lists_the_headings():
    named = re.findall(r"^\| (.+?) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    wanted = [heading.lstrip("# ") for heading in card.HEADINGS]
    assert [name for name in named if name in wanted] == wanted


def test_the_example_is_one_that_both_models_answer_right(reported):
    found = read_card(reported.text("MODEL_CARD.md"))
    assert "Both right, a typical cut (the median)" in found.text
    texts = [row["think"] for path in (reported.folders["bench"] / "samples").glob("*-tuned-*")
             for row in read(path)]  # fmt: skip
    assert found.blocks("text")[1].strip() in texts


def test_the_locked_config_stands_there_as_the_rows_have_it(reported, tmp_path):
    import yaml

    found = read_card(reported.text("MODEL_CARD.md"))
    assert yaml.safe_load(found.blocks("yaml")[0])["temperature"] == 0.0
    assert "no benchmark row says" in found.text
    folders = runfolder.write_run(tmp_path / "run", problems=12)
    path = folders["bench"] / "by_config.jsonl"
    decoding = {**yaml.safe_load(found.blocks("yaml")[0]), "temperature": 0.25, "max_tokens": 333}
    rows = [{**row, "decoding": decoding} if row.get("model") else row for row in read_rows(path)]
    write_rows(path, rows)
    swept = card_of(folders, reported.recipe, tmp_path)
    assert yaml.safe_load(swept.blocks("yaml")[0]) == decoding
    assert "the benchmark's rows" in swept.text
    assert "max_new_tokens=333" in swept.blocks("python")[0]


ATTACK = (
    "x | y `z` **b** <img src=x onerror=alert(1)> <script>alert(1)</script> [a](javascript:alert(1)) "
    "![p](https://e.example/p.png) https://e.example www.e.example {{ 7 * 7 }} {% raw %} $x$ ~~s~~ &lt; "
    "\u202egnp.exe \u200b\x1b[31m @all"
)
LINES = f"{ATTACK}\n---\nlicense: mit\n---\n# Owned\n## Licence\n```\n````\n`````python\nimport os\n<b>\n"


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """A run whose task names, traces, reasons, sources, engines, licences and model name attack."""
    top = tmp_path_factory.mktemp("attacked")
    folders = runfolder.write_run(top / "run", problems=24)
    bench = folders["bench"]
    for name in ("bench.jsonl", "compare.jsonl", "by_config.jsonl", "budget_curve.jsonl"):
        rows = read_rows(bench / name)
        write_rows(bench / name, [r | {"task": attack(r["task"])} for r in rows])
    for path in sorted((bench / "samples").glob("*.jsonl")):
        rows = [
            {**r, "task": attack(r["task"]), "think": LINES, "answer": LINES, "text": LINES,
             "engine": ATTACK, "verdict": {**r["verdict"], "because": LINES}}
            for r in read(path)
        ]  # fmt: skip
        path.unlink()
        with Journal(path) as journal:
            for row in rows:
                journal.append(row)
    for path in (folders["prompts"] / "train.jsonl", bench / "prompts.jsonl"):
        asked = [{"role": "user", "content": LINES}]
        rows = [
            {**r, "licence": LINES, "source": LINES, "messages": asked} for r in read_rows(path)
        ]
        write_rows(path, rows)
    record = json.loads((folders["select"] / "record.json").read_text())
    record["counts"]["engines"] = {ATTACK: 3, LINES: 2}
    (folders["select"] / "record.json").write_text(json.dumps(record))
    settings = runfolder.recipe().model_dump(mode="json")
    settings["model"] |= {
        "id": LINES,
        "revision": LINES,
        "tags": {"open": "<a|b`>", "close": "</a|b`>"},
    }
    settings["train"]["lora"]["target_modules"] = [LINES]
    stage.run(top, folders, parse(settings))
    return top


def attack(task):
    return task if task == "all" else {"lab-math": ATTACK, "lab-choice": LINES}[task]


def test_an_attacked_card_has_the_same_headings_and_no_markup(attacked):
    found = read_card((attacked / "MODEL_CARD.md").read_text(encoding="utf-8"))
    assert tuple(found.headings) == card.HEADINGS
    titles = [t for t in found.tokens if t.type == "heading_open" and t.tag == "h1"]
    assert len(titles) == 1
    kinds = {t.type for t in found.tokens} | {c.type for c in found.inline}
    assert (
        not {"html_block", "html_inline", "link_open", "image", "hr", "s_open", "em_open"} & kinds
    )
    assert set(found.front) <= {"pipeline_tag", "library_name", "tags", "language"}
    assert found.languages <= {"python", "sh", "yaml", "text"}
    for block in found.blocks("python"):
        compile(block, "card", "exec")
    lines = (attacked / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b-\u200f\x00-\x08\x1b]", lines)


def test_an_attacked_cards_tables_keep_their_columns(attacked):
    text = (attacked / "MODEL_CARD.md").read_text(encoding="utf-8")
    outside = re.sub(r"^(`{3,})\w*\n.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    for table in re.findall(r"(?:^\|.*\n)+", outside, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


def test_an_attacked_page_has_no_markup_of_theirs(attacked):
    page = (attacked / "report.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;" in page and "{{ 7 * 7 }}" in page
    assert "<script" not in page.lower() and "<img" not in page.lower() and "<b>" not in page
    assert not re.search(r"href=\"(?!#|data:,)", page)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b-\u200f\x00-\x08\x1b]", page)
