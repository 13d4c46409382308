"""The stage turns a recipe's sources into train.jsonl and dev.jsonl, the same each time."""

import dataclasses
import json

import pytest

from deimos import Prompt
from deimos.prompts import load_source, read_prompts, stage, write_prompts
from deimos.recipe import RecipeError, Source, parse

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
        ("gsm8k", {"path": 3}, "option path = 3: input should be a valid string"),
        ("lab", {"split": "dev"}, "option split = 'dev': input should be 'train' or 'test'"),
        ("own.py:none", {}, "gave no prompts"),
        ("own.py:other", {}, "gave a str, not a Prompt"),
    ],
)
def test_faults_of_a_block_are_told(own, source, options, message):
    source = source.replace("own.py:", own)
    with pytest.raises(RecipeError, match=message):
        load_source(Source(source=source, options=options), 0)
