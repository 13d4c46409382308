"""LoRA settings held to each other on a run's dev prompts: accuracy and length, greedy.

usage: python benchmarks/lora_dev.py RUN [--settings 1e-4:2,3e-4:2,1e-3:2]
                                         [--title TITLE] [--out docs/results/lora_dev.md]

RUN is a finished run folder. Each setting (learning rate:epochs) is trained on its golds by
`deimos train` in a copy of the run folder, then base and adapter answer every dev prompt at the
locked config and the bench's budget. Test problems are not touched: what is chosen here is chosen
on dev. Intervals: Wilson; the change in tokens is the ratio of medians, bootstrapped over prompts.
The last line is one JSON object: per setting `{"learning_rate", "epochs", "accuracy", "reduction", "n"}`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from deimos import engines
from deimos.engines.collect import Request, collect
from deimos.evaluate import stats
from deimos.evaluate.merged import model_path
from deimos.graders.worker.pool import Judge
from deimos.models.end_of_turn import eos_ids_of
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.report import formatting
from deimos.runs.artifacts import read_prompts
from deimos.runs.folder import RunFolder
from deimos.thinking import render
from deimos.types import Prompt

KEPT = ("prompts-*", "sample-*", "select-*", "recipe.yaml")


class Answers(NamedTuple):
    """What one model said on dev, prompts in order."""

    right: list[bool]
    think: list[int]
    unfinished: int


def answers(run: RunFolder, prompts: Sequence[Prompt], adapter: Path | None) -> Answers:
    """Greedy answers to every prompt, judged."""
    recipe, runtime = run.settings()
    path, model = model_path(recipe), recipe.model
    ref = ModelRef(path, model.revision, model.dtype, str(adapter) if adapter else None)
    tokenizer = load_tokenizer(ref)
    eos_ids = eos_ids_of(tokenizer, ref)
    engine = engines.open(ref, runtime)
    tags = model.thinking_tags()
    locked = recipe.bench.locked.model_copy(update={"max_tokens": recipe.bench.budget}).value()
    requests = [
        Request(p, render(tokenizer, p.messages, tags=tags, thinking=model.thinking), 0, 0, locked)
        for p in prompts
    ]

    async def main() -> dict[str, tuple[bool, int, bool]]:
        by_id = {p.id: p for p in prompts}
        found = {}
        with Judge(recipe.select.graders) as judge:
            async for c in collect(engine, tokenizer, eos_ids, requests):
                done = c.finish == "stop"
                verdict = await judge(by_id[c.prompt_id], c.answer) if done else None
                found[c.prompt_id] = bool(verdict and verdict.ok), c.think_tokens, not done
        return found

    found = asyncio.run(main())
    rows = [found[p.id] for p in prompts]
    return Answers([r[0] for r in rows], [r[1] for r in rows], sum(r[2] for r in rows))


def trained(source: RunFolder, work: Path, rate: str, epochs: str) -> Path:
    """The adapter of one setting."""
    copy = work / f"{rate}-{epochs}"
    for pattern in KEPT:
        for path in source.path.glob(pattern):
            target = copy / path.name
            copy.mkdir(exist_ok=True)
            (shutil.copytree if path.is_dir() else shutil.copy2)(path, target)
    sets = ["--set", f"train.learning_rate={float(rate)}", "--set", f"train.epochs={epochs}"]
    command = [sys.executable, "-m", "deimos.cli.main", "train", str(copy), *sets]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return next(copy.glob("train-*")) / "adapter"


def line(name: str, found: Answers, base: Answers) -> tuple[str, dict[str, Any]]:
    """A row of the table, and of the JSON object."""
    n = len(found.right)
    value, ci = stats.accuracy([float(x) for x in found.right], 1)
    number = np.arange(n)
    before, after = (stats.Clustered(np.array(a.think, float), number) for a in (base, found))
    change = stats.median_reduction(before, after, n, seed=0)
    cells = (
        name,
        f"{formatting.percent(value, 1)} {formatting.interval(ci, lambda x: formatting.percent(x, 1))}",
        f"{statistics.median(found.think):.0f}",
        f"{formatting.change(change.value)} {formatting.change_interval(change.ci)}",
        str(found.unfinished),
    )
    return f"| {' | '.join(cells)} |", {"accuracy": value, "reduction": change.value, "n": n}


def main() -> None:
    """Train, answer, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--settings", default="1e-4:2,3e-4:2,1e-3:2")
    parser.add_argument("--title", default="LoRA settings on the lab's dev prompts")
    parser.add_argument("--out", type=Path, default=Path("docs/results/lora_dev.md"))
    args = parser.parse_args()
    run = RunFolder.open(args.run)
    prompts = read_prompts(next(args.run.glob("prompts-*")) / "dev.jsonl")
    base = answers(run, prompts, None)
    rows = [line("base", base, base)[0]]
    told = []
    with tempfile.TemporaryDirectory() as work:
        for setting in args.settings.split(","):
            rate, epochs = setting.split(":")
            found = answers(run, prompts, trained(run, Path(work), rate, epochs))
            row, numbers = line(f"{rate}, {epochs} epochs", found, base)
            rows.append(row)
            told.append({"learning_rate": float(rate), "epochs": float(epochs), **numbers})
            print(row, file=sys.stderr, flush=True)
    recipe, _ = run.settings()
    lines = [
        f"# {args.title}",
        "",
        f"`python benchmarks/lora_dev.py RUN --settings {args.settings}`; deimos-llm "
        f"{version('deimos-llm')}, trl {version('trl')}, peft {version('peft')}, torch {version('torch')}.",
        "",
        f"{len(prompts)} dev prompts, each once, at the locked config and a budget of "
        f"{recipe.bench.budget} tokens; no test problem was looked at.",
        "",
        "| learning rate | accuracy [95%] | think tokens, median | against base [95%] | unfinished |",
        "|---|---|---|---|---|",
        *rows,
        "",
    ]
    args.out.write_text("\n".join(lines), encoding="utf-8")
    print(json.dumps(told))


if __name__ == "__main__":
    main()
