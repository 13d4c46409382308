"""Proposers side by side on one model's train prompts: pass rates, lengths, golds, tokens a gold.

usage: python benchmarks/proposers.py MODEL --train train.jsonl --out RUN [--prompts 60] [--tags]
           [--plain 4] [--each 2] [--temperature 1.0] [--exemplars FILE] [--teacher FOLDER]
           [--without KIND] [--title TITLE] [--page docs/results/terse.md]

A prompt gets --plain plain candidates and --each of every instruction and set of examples. MODEL and
the teacher are folders or Hub ids; train.jsonl is OpenAI's grade-school-math file, without
it the Hub's copy is taken; few_shot shows the examples of each FILE as well as the run's own. The
prompts are sampled by `deimos run --until select` with every candidate
decoded to its end, so that each proposer is seen by itself and every subset of them is known; run
again with the same folder it resumes. Of a model that thinks in tags (`--tags`), prune is among them.

Proposers are compared with the same number of plain candidates of the same prompts (the first ones):
in how many prompts there is a right one, and how long the shortest right one is where both have one.
Intervals are over prompts: Wilson, Fieller for ratios of mean lengths, Tango for paired shares. The
last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _pages import write_section

from deimos.evaluate import ratios, stats
from deimos.recipe import parse, write_yaml
from deimos.report import formatting
from deimos.runs.artifacts import Artifacts
from deimos.runs.folder import RunFolder

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/results/terse.md"


@dataclass(frozen=True)
class Seen:
    """One candidate of an exhaustive pool."""

    index: int
    tokens: int
    """Of the thought; in the plain grammar of the whole text."""
    right: bool


Pool = Mapping[str, Sequence[Seen]]
"""By prompt id, in order of index."""


def recipe_of(args: argparse.Namespace) -> dict[str, Any]:
    """The recipe that samples the pool."""
    proposers: list[dict[str, Any]] = [
        {"kind": "plain", "n": args.plain},
        {"kind": "instruction", "name": "fragments", "n": args.each, "text": "fragments"},
        {"kind": "instruction", "name": "difficulty", "n": args.each, "text": "difficulty"},
        {"kind": "few_shot", "n": args.each, "exemplars": "own", "shots": args.shots},
        {"kind": "rewrite", "name": "rewrite (itself)", "n": 1},
    ]
    for path in args.exemplars:
        shown = {"exemplars": str(path), "shots": args.shots}
        name = f"few_shot ({path.stem})"
        proposers.append({"kind": "few_shot", "name": name, "n": args.each, **shown})
    if args.teacher:
        teacher = {"path": args.teacher, "dtype": args.dtype}
        proposers.append(
            {"kind": "rewrite", "name": "rewrite (teacher)", "n": 1, "teacher": teacher}
        )
    if args.tags:
        proposers.append({"kind": "prune", "n": 1})
    proposers = [each for each in proposers if each["kind"] not in args.without]
    options = {"split": "train", **({"path": str(args.train)} if args.train else {})}
    return {
        "name": "proposers",
        "model": {
            "id": args.model, "dtype": args.dtype,
            **({} if args.tags else {"thinking": None, "tags": None}),
        },
        "prompts": {
            "sources": [{"source": "gsm8k", "take": args.prompts + args.dev, "options": options}],
            "dev_min_per_kind": args.dev, "dev_fraction": 0.01,
        },
        "sample": {
            "proposers": proposers, "exhaustive": True,
            "sampling": {
                "temperature": args.temperature, "top_p": 0.95, "top_k": 20,
                "max_tokens": args.max_tokens,
            },
        },
        "select": {"answer_max": {"math": 512}},
        "runtime": {"max_batch": args.max_batch},
    }  # fmt: skip


def sample(args: argparse.Namespace) -> None:
    """Sample and select the pool; resumes."""
    recipe = args.out.with_name(f"{args.out.name}.yaml")
    recipe.parent.mkdir(parents=True, exist_ok=True)
    recipe.write_text(write_yaml(recipe_of(args)), encoding="utf-8")
    code = "import sys; from deimos.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "run", str(recipe), "--out", str(args.out)]
    subprocess.run([*command, "--until", "select"], check=True)


def read_pool(run: Path) -> tuple[dict[str, Pool], dict[str, Any], list[str]]:
    """The pool by proposer, what select counted of each, and the ids of all prompts."""
    folder = RunFolder(run)
    recipe, _ = folder.settings()
    found = {
        stage: max(run.glob(f"{stage}-*"), key=lambda path: path.stat().st_mtime)
        for stage in ("prompts", "sample", "select")
    }
    artifacts = Artifacts(found)
    tokens = {
        name: candidate.completion.think_tokens
        for name, candidate in artifacts.candidates(ids=False).items()
    }
    pools: dict[str, dict[str, list[Seen]]] = {
        proposer.name: defaultdict(list) for proposer in recipe.sample.proposers or []
    }
    for row in artifacts.verdicts():
        right = row.ok is True or row.stage == "length"
        seen = Seen(row.index, tokens[row.prompt_id, row.index], right)
        pools[row.proposer][row.prompt_id].append(seen)
    counts = artifacts.record("select")["counts"]["proposers"]
    return {**pools}, counts, [prompt.id for prompt in artifacts.prompts("train")]


def shortest(pool: Pool, prompt: str, most: int | None = None) -> int | None:
    """Tokens of the shortest right one of a prompt's first candidates; None: none is right."""
    seen = sorted(pool.get(prompt, ()), key=lambda one: one.index)[:most]
    return min((one.tokens for one in seen if one.right), default=None)


def measure(
    pool: Pool, plain: Pool, prompts: Sequence[str], each: int, counts: Mapping[str, Any]
) -> dict[str, Any]:
    """A proposer's row; ``each``: its candidates of a prompt, and as many plain ones beside them."""
    rates = [np.mean([one.right for one in pool[p]]) for p in prompts if pool.get(p)]
    best = {p: shortest(pool, p) for p in prompts}
    beside = {p: shortest(plain, p, each) for p in prompts}
    found = [tokens for tokens in best.values() if tokens is not None]
    both = [(b, t) for p in prompts if (b := beside[p]) is not None and (t := best[p]) is not None]
    lengths = stats.Clustered(np.array(found, float), np.arange(len(found)))
    base = [float(beside[p] is not None) for p in prompts]
    tuned = [float(best[p] is not None) for p in prompts]
    return {
        "candidates": sum(len(seen) for seen in pool.values()),
        "each": each,
        "pass_rate": stats.accuracy(rates, each),
        "covered": stats.accuracy(tuned),
        "covered_delta": stats.accuracy_delta(base, tuned),
        "shortest": stats.median(lengths, len(found)),
        "both": len(both),
        "reduction": ratios.mean_reduction([b for b, _ in both], [t for _, t in both]),
        "gold": counts["gold"],
        "decoded_tokens": counts["decoded_tokens"],
        "teacher_tokens": counts["teacher_tokens"],
        "tokens_per_covered": counts["decoded_tokens"] / len(found) if found else None,
    }


def _shown(estimate: stats.Estimate, form: Any) -> str:
    return f"{form(estimate.value)} {formatting.interval(estimate.ci, form)}".rstrip()


def table(rows: Mapping[str, Mapping[str, Any]], prompts: int) -> list[str]:
    """The rows as a table."""
    lines = [
        "| proposer | candidates | right, of all [95%] | prompts with a right one [95%] | against as "
        "many plain, points [95%] | shortest right, median tokens [95%] | against as many plain: mean "
        "tokens [95%] | of prompts | golds | tokens decoded | tokens a prompt with a right one |",
        "|---|---:|---|---|---|---|---|---:|---:|---:|---:|",
    ]
    for name, row in rows.items():
        plain = name == "plain"
        cells = (
            name,
            f"{row['candidates']:,}",
            _shown(row["pass_rate"], lambda v: formatting.percent(v, 1)),
            _shown(row["covered"], lambda v: formatting.percent(v, 1)),
            "" if plain else _shown(row["covered_delta"], formatting.points),
            _shown(row["shortest"], formatting.number),
            ""
            if plain
            else f"{formatting.change(row['reduction'].value, 0)} "
            f"{formatting.change_interval(row['reduction'].ci, 0)}".rstrip(),
            "" if plain else f"{row['both']}",
            f"{row['gold']}",
            formatting.number(row["decoded_tokens"]),
            formatting.number(row["tokens_per_covered"]),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, "", f"{prompts} prompts."]


def main(argv: Sequence[str] | None = None) -> None:
    """Sample, read, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--train", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--prompts", type=int, default=60)
    parser.add_argument("--dev", type=int, default=8)
    parser.add_argument("--plain", type=int, default=4)
    parser.add_argument("--each", type=int, default=2)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--shots", type=int, default=4)
    parser.add_argument("--exemplars", type=Path, action="append", default=[])
    parser.add_argument("--teacher")
    parser.add_argument("--tags", action="store_true")
    parser.add_argument("--without", action="append", default=[], metavar="KIND")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--max-batch", type=int, default=64)
    parser.add_argument("--title", default="Proposers side by side")
    parser.add_argument("--page", type=Path)
    args = parser.parse_args(argv)
    parse({k: v for k, v in recipe_of(args).items() if k != "runtime"})
    sample(args)
    pools, counts, prompts = read_pool(args.out)
    each = {
        name: max((len(seen) for seen in pool.values()), default=0) for name, pool in pools.items()
    }
    rows = {
        name: measure(pool, pools["plain"], prompts, each[name], counts[name])
        for name, pool in pools.items()
    }
    lines = table(rows, len(prompts))
    print("\n".join(lines))
    if args.page:
        words = sys.argv[1:] if argv is None else argv
        given = " ".join(Path(word).name if "/" in word else word for word in words)
        text = [f"## {args.title}", "", f"`python benchmarks/proposers.py {given}`", "", *lines]
        write_section("proposers", "\n".join(text), args.page)
    print(json.dumps({"n": len(prompts), "proposers": rows}))


if __name__ == "__main__":
    main()
