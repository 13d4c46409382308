"""The stage turns a recipe's sources into train.jsonl and dev.jsonl, the same each time."""

import dataclasses
import json
from pathlib import Path

import pytest

from deimos import Prompt
from deimos.bench.tasks import list_questions, read_tasks
from deimos.pipeline.stages import plan
from deimos.prompts import load_source, read_prompts, stage, write_prompts
from deimos.prompts.splits import find_common
from deimos.recipe import RecipeError, SourceSettings, load, parse

OWN = """
from deimos import Prompt, source

@source("own")
def own(*, take, seed, word="hello"):
    for n in range(take or 30):
        yield Prompt.of(task="own", kind="math", messages=[{"role": "user", "content": f"{word} {n}"}], reference=str(n))

def needy(*, take, seed, path):
    return [path]

def other(*, take, seed):
    return ["text"]

def none(*, take, seed):
    return []

def breaks(*, take, seed):
    raise FloatingPointError("over\\nflow")
"""


@dataclasses.dataclass
class Job:
    """As much of a stage's job as this stage reads."""

    recipe: object
    out: object
    said: list = dataclasses.field(default_factory=list)

    def progress(self, *what):
        self.said.append(what)


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    return f"{tmp_path / 'own.py'}:"


def test_sources_are_divided_and_written(tmp_path, own):
    rows = [{"prompt": f"{n}+1?", "kind": "math", "reference": n + 1} for n in range(20)]
    (tmp_path / "sums.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    recipe = parse(
        {
            "name": "t",
            "model": {"id": "lab"},
            "prompts": {
                "sources": [
                    {"source": f"{own}own", "options": {"word": "hi"}},
                    {
                        "source": "jsonl",
                        "take": 10,
                        "options": {"path": str(tmp_path / "sums.jsonl")},
                    },
                ],
                "dev_min_per_kind": 10,
            },
        }
    )
    written, checked = [], []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        job = Job(recipe, tmp_path / name)
        counts = stage.run(job, check=checked.append)
        assert (counts["train"], counts["dev"], counts["by_task"]) == (
            30,
            10,
            {"own": 30, "sums": 10},
        )
        assert job.said[-1] == ("prompts", 2, 2, "") and len(checked[-1]) == 40
        written.append([(job.out / f"{part}.jsonl").read_bytes() for part in ("train", "dev")])
    assert written[0] == written[1]
    train, dev = (read_prompts(tmp_path / "a" / f"{part}.jsonl") for part in ("train", "dev"))
    assert not {p.id for p in train} & {p.id for p in dev}
    assert any(p.messages[0]["content"].startswith("hi ") for p in train)


def test_prompts_come_back_as_they_were_written(tmp_path):
    reference = {"letter": "B", "options": ["ä", "\u2028", "z"]}
    prompts = [
        Prompt.of(
            task="t",
            kind="choice",
            messages=[{"role": "user", "content": "q"}],
            reference=reference,
        )
    ]
    write_prompts(tmp_path / "p.jsonl", prompts)
    assert read_prompts(tmp_path / "p.jsonl") == prompts


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("gsm9k", {}, "did you mean 'gsm8k'"),
        (
            "gsm8k",
            {"splt": "test"},
            "has no option 'splt': accepted: dataset, instruction, path, revision, split",
        ),
        ("own.py:needy", {}, "needs the option 'path'"),
        ("gsm8k", {"path": 3}, "option path = 3: must be text: put it in quotes"),
        ("lab", {"split": "dev"}, "option split = 'dev': must be one of train, test"),
        ("own.py:none", {}, "gave no prompts"),
        ("own.py:breaks", {}, r"failed with FloatingPointError: over flow \(own.py, line"),
        ("own.py:other", {}, "gave a str, not a Prompt"),
    ],
)
def test_faults_of_a_block_are_told(own, source, options, message):
    source = source.replace("own.py:", own)
    with pytest.raises(RecipeError, match=message):
        load_source(SourceSettings(source=source, options=options), 0)


CROSSED = """
from deimos import Prompt

def some(*, take, seed, first=0, count=40, extra=""):
    for n in range(first, first + count):
        text = f"Number {n}: how many {chr(97 + n % 26) * 3}{n} apples are there in the basket that stands under the stairs of house {n}?{extra}"
        yield Prompt.of(task="some", kind="math", messages=[{"role": "user", "content": text}], reference=str(n))
"""


def crossed(tmp_path, monkeypatch, first, **more):
    """A recipe that trains on problems 0 to 39 and tests on 40 from ``first`` on."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.py").write_text(CROSSED)
    tests = {"source": "./some.py:some", "options": {"first": first, "extra": " Say why."}}
    prompts = {
        "sources": [{"source": "./some.py:some"}],
        "dev_min_per_kind": 1,
        "decontaminate": {"ngram": 50, "near_duplicates": None, **more.pop("decontaminate", {})},
    }
    return parse(
        {"name": "t", "model": {"id": "lab"}, "prompts": prompts,
         "bench": {"tasks": [{"name": "tests", "source": tests}]}, **more}
    )  # fmt: skip


def run_it(recipe, out):
    given = read_tasks(recipe)
    out.mkdir(exist_ok=True)
    return stage.run(Job(recipe, out), tests=list_questions(given), check=lambda found: None)


def test_what_overlaps_with_a_test_is_dropped_told_and_counted(tmp_path, monkeypatch):
    strict = {"short_ngram": 12}
    recipe = crossed(tmp_path, monkeypatch, 35, decontaminate=strict)
    counts = run_it(recipe, tmp_path / "out")
    assert (counts["decontaminated"], counts["train"] + counts["dev"]) == (5, 35)
    told = counts["decontamination"]
    assert (told["tests"], told["overlaps"], told["by_test"]) == (40, 5, {"tests": 5})
    assert told["by_rule"] == {"12-gram": 5} and told["unchecked"] is None
    rows = [json.loads(row) for row in (tmp_path / "out" / "decontaminated.jsonl").open()]
    assert {row["reference"] for row in rows} == {"35", "36", "37", "38", "39"}
    row = next(row for row in rows if row["reference"] == "35")
    assert row["test_task"] == "tests" and "jjj35 apples" in row["matched"] and not row["kept"]
    assert row["test"].startswith("Number 35:")


def test_a_recipe_that_mostly_trains_on_its_tests_is_refused(tmp_path, monkeypatch):
    strict = {"short_ngram": 12}
    recipe = crossed(tmp_path, monkeypatch, 20, decontaminate=strict)
    with pytest.raises(RecipeError, match=r"20 of 40 some prompts overlap .*--allow-contamination"):
        run_it(recipe, tmp_path / "out")
    allowed = crossed(tmp_path, monkeypatch, 20, decontaminate=strict, allow_contamination=True)
    counts = run_it(allowed, tmp_path / "allowed")
    assert counts["train"] + counts["dev"] == 40, "kept"
    assert (counts["decontaminated"], counts["decontamination"]["overlaps"]) == (0, 20), "but told"
    rows = (tmp_path / "allowed" / "decontaminated.jsonl").read_text().splitlines()
    assert len(rows) == 20 and all(json.loads(row)["kept"] for row in rows)
    off = crossed(tmp_path, monkeypatch, 20, decontaminate={"enabled": False})
    assert "decontamination" not in run_it(off, tmp_path / "off")
    assert not (tmp_path / "off" / "decontaminated.jsonl").exists(), "nothing was looked for"


def test_the_tests_are_part_of_what_the_prompts_are_only_where_they_decide(tmp_path, monkeypatch):
    def prints(first, **more):
        return plan(crossed(tmp_path, monkeypatch, first, **more))[0].fingerprint

    off = {"decontaminate": {"enabled": False}}
    assert prints(30) != prints(31)
    assert prints(30, **off) == prints(31, **off)
    allowed = {"allow_contamination": True}
    assert prints(30, **allowed) == prints(31, **allowed)
    recipe = crossed(tmp_path, monkeypatch, 30)
    (task,) = recipe.bench.tasks
    other = recipe.bench.model_copy(update={"tasks": [task.model_copy(update={"thinking": False})]})
    same = recipe.model_copy(update={"bench": other})
    assert plan(same)[0].fingerprint == plan(recipe)[0].fingerprint


def test_the_labs_splits_are_disjoint_though_it_is_not_decontaminated():
    """Its recipe says why: no start with the same steps stands in two splits."""
    recipe, _ = load(Path(__file__).parents[2] / "recipes" / "lab.yaml")
    assert not recipe.prompts.decontaminate.enabled
    train = [p for s in recipe.prompts.sources for p in load_source(s, recipe.prompts.seed)]
    tests = [p for each in read_tasks(recipe) for p in each.prompts]
    assert find_common(train, tests) == [] and len(train) == 440 and len(tests) >= 1000
