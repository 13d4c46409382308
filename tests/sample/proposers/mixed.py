"""A world in which all five proposers make candidates: a scripted model that reads what it is asked.

The tokenizer, its template, the stages, filters and files are the real ones. What the model writes is
drawn from the world's seed, so that a race and an exhaustive run of one world are of the same model.
"""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deimos.engines.base import Job, Key
from deimos.engines.echo import EchoEngine
from deimos.recipe import parse
from deimos.recipe.proposers import INSTRUCTIONS, REWRITE
from deimos.recipe.runtime import Runtime
from deimos.runs.artifacts import write_prompts
from deimos.runs.plan import StageJob
from deimos.runs.progress import ProgressBar
from deimos.sample import stage
from deimos.sample.model import OpenModel, make_decode
from deimos.select import stage as select_stage
from deimos.select.filters import gate_for
from deimos.store.journal import read
from deimos.thinking import Tags
from deimos.types import Prompt, Verdict

RIGHT, WRONG = "Tom has 4 apples now.", "Tom has 5 apples now."
MIXED = [
    {"kind": "plain", "n": 2},
    {"kind": "instruction", "n": 1},
    {"kind": "few_shot", "n": 1, "shots": 2},
    {"kind": "rewrite", "n": 1},
    {"kind": "prune", "n": 1},
]
QUESTIONS = (
    "How many apples?", "Who has four of the pears in a basket?", "When does the train go?",
    "What is the sum of it?", "Where are all these plums?",
)  # fmt: skip


async def judge(prompt: Prompt, answer: str) -> Verdict:
    """Right is right."""
    return Verdict(answer == RIGHT, "compared")


@dataclass
class MixedWorld:
    """Prompts, and what a model writes about them."""

    folder: Path
    tokenizer: Any
    seed: int = 0
    prompts: int = 3
    share_right: float = 0.7
    max_batch: int = 4
    proposers: list[dict[str, Any]] = field(default_factory=lambda: list(MIXED))
    asked: dict[Key, list[str]] = field(default_factory=dict)
    """What each candidate was asked: the texts of its jobs' prompts."""
    tokens: int = 0

    def __post_init__(self) -> None:
        made = [
            Prompt.of(
                task="t", kind="math", messages=[{"role": "user", "content": question}],
                reference="4",
            )
            for question in QUESTIONS
        ]  # fmt: skip
        self.train = made[: self.prompts]
        write_prompts(self.folder / "prompts" / "train.jsonl", self.train)
        write_prompts(self.folder / "prompts" / "dev.jsonl", made[-1:])

    def random(self, *name: object) -> random.Random:
        return random.Random(repr((self.seed, *name)))

    def script(self, job: Job) -> list[int]:
        text = self.tokenizer.decode(job.prompt_ids)
        self.asked.setdefault(job.key, []).append(text)
        self.tokens += 1
        draw = self.random(job.key.prompt_id, job.seed, text)
        if REWRITE in text:
            said = "\n".join(["2 + 2 = 4"] * draw.randint(0, 3))
        elif text.endswith("</think>\n\n"):
            thought = text.rpartition("<think>")[2]
            enough = self.random(job.key.prompt_id).randint(0, 4)
            sure = thought.count("=") >= enough or draw.random() < 0.2
            said = RIGHT if sure else WRONG
        else:
            thought = "2 + 2 = 4. " * draw.randint(1, 6)
            answer = RIGHT if draw.random() < self.share_right else WRONG
            opened = "" if text.rstrip().endswith("<think>") else "<think>\n"
            said = f"{opened}{thought.strip()}\n</think>\n\n{answer}"
        return self.tokenizer(f"{said}<|im_end|>", add_special_tokens=False)["input_ids"]

    def job(self, out: str, **sets: Any) -> StageJob:
        data: dict[str, Any] = {
            "name": "test",
            "model": {"id": "lab"},
            "prompts": {"sources": [{"source": "jsonl"}]},
            "sample": {"proposers": self.proposers},
            "select": {"function_words": False},
        }
        for section, values in sets.items():
            data[section] = {**data.get(section, {}), **values}
        inputs = {"prompts": self.folder / "prompts", "sample": self.folder / "sample"}
        place = self.folder / out
        place.mkdir(parents=True, exist_ok=True)
        runtime = Runtime(max_batch=self.max_batch)
        return StageJob(parse(data), runtime, "lab", inputs, place, ProgressBar())

    def model(self) -> OpenModel:
        engine = EchoEngine(self.script, max_batch=self.max_batch)
        eos = frozenset({self.tokenizer.eos_token_id})
        return OpenModel(engine, self.tokenizer, make_decode(self.tokenizer, eos, engine.name))

    def sample(self, judge: Any = judge, **sets: Any) -> dict[str, Any]:
        job = self.job("sample", **sets)
        self.asked.clear()
        return stage.run(
            job, gate_for=gate_for(job.recipe.select, Tags(), judge),
            function_words=lambda answer, kind: None, model=self.model(),
        )  # fmt: skip

    def select(self, judge: Any = judge, **sets: Any) -> dict[str, Any]:
        job = self.job("select", **sets)
        return select_stage.run(job, gate_for=gate_for(job.recipe.select, Tags(), judge))

    def golds(self) -> dict[str, dict[str, Any]]:
        lines = (self.folder / "select" / "gold.jsonl").read_text().splitlines()
        return {row["prompt_id"]: row for row in map(json.loads, lines)}

    def rows(self) -> list[dict[str, Any]]:
        return [*read(self.folder / "sample" / "completions")]


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


__all__ = ["INSTRUCTIONS", "MIXED", "RIGHT", "WRONG", "MixedWorld", "judge", "run"]
