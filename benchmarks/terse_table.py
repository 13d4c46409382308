"""The table of a run that made a real model terse: every way to a shorter answer, on the same problems.

usage: python benchmarks/terse_table.py RUN [--round RUN2] [--adapter NAME=FOLDER]… --command TEXT
           [--title TITLE] [--note TEXT] [--section table] [--out docs/results/terse.md]

RUN is a finished run with one test task: base, its untrained baselines and the tuned model are read
from its benchmark. RUN2 is the round after it (its tuned model is a row). Each `--adapter`, of another
run on the same base, is decoded here on the same problems, greedily and at the same budget, and judged by
the same grader; what has been decoded stays in RUN's folder beside (RUN-adapters). All rows are compared
with the base, paired by problem. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _pages import write_section

from deimos.bench.suites import MODELS
from deimos.evaluate import stats
from deimos.evaluate.arms import Arm
from deimos.evaluate.models import open_models
from deimos.evaluate.outcomes import reduce_completion
from deimos.evaluate.samples import Evaluator, SampleSet
from deimos.graders.worker.pool import Judge
from deimos.models.ref import ModelRef
from deimos.report import baselines, formatting
from deimos.runs.artifacts import Artifacts, load_run, samples_path
from deimos.runs.folder import RunFolder

PAGE = Path(__file__).resolve().parents[1] / "docs/results/terse.md"
LOCKED = "locked"
Answers = dict[str, tuple[bool, int, str]]
"""By problem: right, total tokens, how it ended."""


def read_bench(artifacts: Artifacts, model: str) -> Answers:
    """A model's answers at the locked decoding; unjudged ones are left out and counted by ``n``."""
    return {
        f.prompt_id: (f.ok, f.total_tokens, f.finish)
        for f in artifacts.sample_facts()
        if (f.model, f.config, f.index) == (model, LOCKED, 0) and f.ok is not None
    }


def decode(run: Path, name: str, adapter: Path) -> Answers:
    """The answers of another adapter on the run's base to the run's test problems."""
    recipe, runtime = RunFolder(run).settings()
    artifacts = load_run(run)
    task = recipe.bench.tasks[0]
    prompts = artifacts.problems()
    base = ModelRef(recipe.model.name, recipe.model.revision, recipe.model.dtype)
    ref = replace(base, adapter=str(adapter))
    sampling = replace(recipe.bench.locked.value(), max_tokens=recipe.bench.budget)
    path = samples_path(run.with_name(f"{run.name}-adapters"), f"{task.name}-{name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    wanted = SampleSet(Arm(ref, sampling, recipe.model.thinking, name, LOCKED), task.name,
                       prompts, path, seed=recipe.bench.seed)  # fmt: skip
    with Judge(recipe.bench_graders) as judge, open_models(
        {"base": base, name: ref}, runtime, recipe.model.thinking_tags(),
        template=recipe.model.template_arguments(),
    ) as models:  # fmt: skip
        asyncio.run(Evaluator(models, judge).fill(wanted))
        shapes = {p.id: models.render_for(wanted.arm, p).shape for p in prompts}
        found = wanted.read(models)
    known = {p.id: p for p in prompts}
    outcomes = [
        (c, reduce_completion(c, task.name, None, shapes[c.prompt_id], known[c.prompt_id]))
        for c in found
    ]
    return {c.prompt_id: (o.ok, o.total_tokens, c.finish) for c, o in outcomes if o.ok is not None}


def measure(base: Answers, own: Answers, budget: int) -> dict[str, Any]:
    """A row: the model's own numbers, and its differences from the base on the problems of both."""
    both = sorted(base.keys() & own.keys())
    right = [[float(side[p][0]) for p in both] for side in (base, own)]
    before, after = (
        stats.Clustered(np.array([side[p][1] for p in both], float), np.arange(len(both)))
        for side in (base, own)
    )
    own_right = sum(right[1])
    return {
        "n": len(both),
        "accuracy": stats.accuracy(right[1]),
        "median": stats.median(after, len(both)),
        "mean": float(np.mean([own[p][1] for p in both])),
        "unfinished": float(np.mean([own[p][2] == "length" for p in both])),
        "tokens_per_right": sum(own[p][1] for p in both) / own_right if own_right else None,
        "delta": stats.accuracy_delta(right[0], right[1]),
        "saved": stats.median_reduction(before, after, len(both)),
        "saved_mean": 1 - np.mean([own[p][1] for p in both]) / np.mean([base[p][1] for p in both]),
        "budget": budget,
    }


def _shown(estimate: stats.Estimate, form: Any) -> str:
    return f"{form(estimate.value)} {formatting.interval(estimate.ci, form)}".rstrip()


def table(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The rows as a table."""
    lines = [
        "| | n | accuracy [95%] | against the base, points [95%] | total tokens, median [95%] | "
        "against the base [95%] | total tokens, mean | against the base | tokens a right answer | unfinished |",
        "|---|---:|---|---|---|---|---:|---:|---:|---:|",
    ]
    for name, row in rows.items():
        own = name == "base"
        saved = row["saved"]
        cells = (
            name, f"{row['n']}",
            _shown(row["accuracy"], lambda v: formatting.percent(v, 1)),
            "" if own else _shown(row["delta"], formatting.points),
            _shown(row["median"], formatting.number),
            "" if own else f"{formatting.change(saved.value, 1)} {formatting.change_interval(saved.ci, 1)}".rstrip(),
            f"{row['mean']:.0f}",
            "" if own else formatting.change(float(row["saved_mean"]), 1),
            formatting.number(row["tokens_per_right"]),
            f"{row['unfinished']:.1%} of {row['budget']}",
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main(argv: Sequence[str] | None = None) -> None:
    """Read, decode, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--round", type=Path)
    parser.add_argument("--adapter", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--command", required=True)
    parser.add_argument("--title", default="Every way to a shorter answer, on the same problems")
    parser.add_argument("--note", default="")
    parser.add_argument(
        "--section", default="table", help="of the page, by the name in its comment"
    )
    parser.add_argument("--out", type=Path, default=PAGE)
    args = parser.parse_args(argv)
    recipe, _ = RunFolder(args.run).settings()
    artifacts = load_run(args.run)
    untrained = [f"base+{name}" for name in recipe.bench.baselines]
    found = {name: read_bench(artifacts, name) for name in (*MODELS, *untrained)}
    base, tuned = found.pop("base"), found.pop("tuned")
    sides = {"base": base, **{baselines.name_of(k): v for k, v in found.items()}}
    for given in args.adapter:
        name, _, folder = given.partition("=")
        sides[name] = decode(args.run, name, Path(folder))
    sides["tuned"] = tuned
    if args.round:
        sides["tuned, round 2"] = read_bench(load_run(args.round), "tuned")
    rows = {name: measure(base, own, recipe.bench.budget) for name, own in sides.items()}
    lines = [f"## {args.title}", "", f"`{args.command}`", "", args.note, "", *table(rows)]
    print("\n".join(lines))
    write_section(args.section, "\n".join(lines), args.out)
    print(json.dumps({"rows": {k: {"n": r["n"], "delta": r["delta"].value, "saved": r["saved"].value}
                               for k, r in rows.items()}}))  # fmt: skip


if __name__ == "__main__":
    main()
