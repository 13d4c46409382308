"""What the race saves, and that it keeps the same: raced beside exhaustive sampling.

usage: python benchmarks/race.py [--n 200] [--dev 40] [--recipe recipes/lab.yaml] [--model FOLDER]
       [--out docs/results/race.md] [--work FOLDER]
       python benchmarks/race.py --replay SAMPLE_FOLDER [--lag STEPS] [--max-batch ROWS]
       python benchmarks/race.py --grid [--n 200] [--max-batch ROWS] [--out docs/results/race.md]

The same prompts, seeds and constants are sampled both ways by the recipe's sample section on the
local engine; select then runs over both. The oracle decodes every candidate only as far as its
prompt's winner got (tokens in all; to its end where nobody won), with no delay of any verdict.
So raced / oracle may be a little below 1: the race stops a loser once its *thought* is longer than
a passed one's, while the oracle lets it decode the winner's thought and answer. The two agree where
all of a prompt's candidates start together and answer at equal length; one that starts late, when
the batch was full, is capped at the thought alone.
--replay races recorded exhaustive candidates over again by their lengths and verdicts, no model;
--grid does so with drawn ones: pass rates and spreads of lengths by how late verdicts come.
The last line is one JSON object {"raced_over_exhaustive", "raced_over_oracle", "same_gold", "n"}; of
the grid, the worst cell at lag 64.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import _replay
from _pages import write_section

from deimos.recipe import Recipe, Sample, load
from deimos.recipe.runtime import Runtime
from deimos.registry import resolve
from deimos.runs.artifacts import write_prompts
from deimos.runs.plan import StageJob
from deimos.runs.progress import ProgressBar
from deimos.select.policy import choose
from deimos.store.candidates import read_candidates
from deimos.types import Completion

Pool = Sequence[Completion]
PASS_RATES, SPREADS, LAGS = (0.3, 0.7, 0.95), (0.3, 0.6, 1.0), (0, 64, 512)
PACKAGES = ("deimos-llm", "torch", "transformers")
ORACLE = (
    "Oracle: every candidate decoded only as far as its prompt's winner got, thought and answer, "
    "and to its end where nobody won; no verdict is ever late. The race counts the thought alone: "
    "it stops a loser once its thought is longer than that of a candidate that has passed, so one "
    "that starts after a winner is known never decodes as far as the winner's answer, and raced / "
    "oracle may be a little below 1. Candidates that finish in another order push it above 1."
)
"""What the table says of its third row."""


@dataclass(frozen=True)
class Result:
    """Both ways of sampling, side by side; tokens are decoded ones."""

    raced: int
    exhaustive: int
    oracle: int
    same_gold: bool
    gold: int
    n: int
    """Prompts."""

    def line(self) -> dict[str, Any]:
        """What the last line of output says."""
        return {
            "raced_over_exhaustive": round(self.raced / self.exhaustive, 4),
            "raced_over_oracle": round(self.raced / self.oracle, 4),
            "same_gold": self.same_gold,
            "n": self.n,
        }


def golds(pool: Pool, recipe: Recipe) -> dict[str, tuple[int, tuple[int, ...]]]:
    """Prompt to the index and ids of what selection by shortest thought keeps."""
    found = {}
    for prompt_id, mine in by_prompt(pool).items():
        passing = [c for c in mine if c.verdict and c.verdict.ok]
        select = recipe.select
        winner = choose(
            passing,
            "shortest",
            min_pass=select.min_pass,
            min_think_tokens=select.min_think_tokens,
        )
        if winner:
            found[prompt_id] = winner.index, winner.completion_ids
    return found


def by_prompt(pool: Pool) -> dict[str, list[Completion]]:
    found: dict[str, list[Completion]] = defaultdict(list)
    for completion in pool:
        found[completion.prompt_id].append(completion)
    return found


def tokens_in(pool: Iterable[Completion]) -> int:
    return sum(len(c.completion_ids) for c in pool)


def oracle_tokens(exhaustive: Pool, recipe: Recipe) -> int:
    """Tokens if every candidate were stopped where its prompt's winner ended."""
    kept = golds(exhaustive, recipe)
    total = 0
    for prompt_id, mine in by_prompt(exhaustive).items():
        longest = len(kept[prompt_id][1]) if prompt_id in kept else sys.maxsize
        total += sum(min(len(c.completion_ids), longest) for c in mine)
    return total


def compare(raced: Pool, exhaustive: Pool, recipe: Recipe) -> Result:
    kept = golds(exhaustive, recipe)
    return Result(
        raced=tokens_in(raced),
        exhaustive=tokens_in(exhaustive),
        oracle=oracle_tokens(exhaustive, recipe),
        same_gold=golds(raced, recipe) == kept,
        gold=len(kept),
        n=len(by_prompt(exhaustive)),
    )


# On the model ------------------------------------------------------------------------------------


def measure(recipe: Recipe, runtime: Runtime, model: str, work: Path, n: int, dev: int) -> Result:
    """Sample ``n`` prompts both ways into ``work`` and compare."""
    first = recipe.prompts.sources[0]
    source = resolve("source", first.source)
    prompts = list(source(take=n + dev, seed=recipe.prompts.seed, **first.options))
    write_prompts(work / "prompts" / "train.jsonl", prompts[:n])
    write_prompts(work / "prompts" / "dev.jsonl", prompts[n:])
    pools = {}
    for way, exhaustive in (("exhaustive", True), ("raced", False)):
        settings = recipe.sample.model_copy(update={"exhaustive": exhaustive, "probe": 0})
        out = work / way
        out.mkdir(exist_ok=True)
        if way == "raced":  # the same constants: the dev pass is no part of the race
            shutil.copy(work / "exhaustive" / "constants.json", out)
        now = recipe.model_copy(update={"sample": settings})
        inputs = {"prompts": work / "prompts"}
        with ProgressBar() as progress:
            sample(StageJob(now, runtime, model, inputs, out, progress))
        pools[way] = [c.completion for c in read_candidates(out).values()]
    return compare(pools["raced"], pools["exhaustive"], recipe)


def sample(job: StageJob) -> None:
    from deimos.graders.worker.pool import Judge
    from deimos.sample import stage
    from deimos.select.filters import gate_for
    from deimos.select.function_words import function_word_rate

    select = job.recipe.select
    with Judge(select.graders, timeout=job.runtime.grader_timeout) as judge:
        gates = gate_for(select, job.recipe.model.thinking_tags(), judge)
        stage.run(job, gate_for=gates, function_words=function_word_rate)


def model_of(recipe: Recipe) -> str:
    if recipe.model.id != "lab":
        return recipe.model.name
    from deimos.lab.weights import lab_path

    return str(lab_path())


# From tables, without a model --------------------------------------------------------------------


def replay(recorded: Pool, recipe: Recipe, *, max_batch: int = 256, lag: int = 0) -> Result:
    """Race recorded candidates over again by their lengths and verdicts.

    Args:
        recorded: an exhaustive pool, verdicts included.
        recipe: whose min_pass and min_think_tokens count.
        max_batch: rows that decode together.
        lag: tokens that a row decodes until a verdict is there.
    """
    needs = {
        "min_pass": recipe.select.min_pass,
        "min_think_tokens": recipe.select.min_think_tokens,
    }
    return over_again(_replay.recorded(recorded), max_batch=max_batch, lag=lag, **needs)


def over_again(table: _replay.Table, *, max_batch: int, lag: int, **needs: int) -> Result:
    """Race a table's candidates beside what exhaustive sampling and the oracle would decode."""
    n = 1 + max(key.index for key in table)
    kept = _replay.shortest(table, **needs)
    settings = Sample.model_validate({"n": n})
    outcome = _replay.raced(table, settings, max_batch=max_batch, lag=lag, **needs)
    return Result(
        raced=outcome.tokens,
        exhaustive=_replay.exhaustive_tokens(table),
        oracle=_replay.oracle_tokens(table, kept),
        same_gold=outcome.golds == kept,
        gold=len(kept),
        n=len({key.prompt_id for key in table}),
    )


def grid(
    prompts: int, max_batch: int, *, median: float = 1500, lags: Sequence[int] = LAGS
) -> dict[tuple[float, float, int], Result]:
    """Drawn tables: pass rate, spread and lag to what the race came to; see ``_replay.drawn``."""
    found = {}
    for pass_rate in PASS_RATES:
        for spread in SPREADS:
            table = _replay.drawn(
                prompts, 8, pass_rate=pass_rate, spread=spread, seed=0, median=median
            )
            for lag in lags:
                found[pass_rate, spread, lag] = over_again(table, max_batch=max_batch, lag=lag)
    return found


# The table ---------------------------------------------------------------------------------------


def versions() -> str:
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} (not installed)")
    return ", ".join([*found, f"Python {sys.version.split()[0]}"])


def table(result: Result, command: str, how: str) -> str:
    return "\n".join(
        [
            f"`{command}`; {versions()}; {os.cpu_count()} CPU cores.",
            "",
            how,
            "",
            "| | decoded tokens | raced / it |",
            "|---|---|---|",
            f"| raced | {result.raced:,} | 1 |",
            f"| exhaustive | {result.exhaustive:,} | {result.raced / result.exhaustive:.3f} |",
            f"| oracle | {result.oracle:,} | {result.raced / result.oracle:.3f} |",
            "",
            f"Golds: {result.gold} of {result.n} prompts; "
            f"{'identical' if result.same_gold else '**not identical**'} both ways "
            "(candidate and token ids).",
            "",
            ORACLE,
            "",
        ]
    )


def worst(cells: Mapping[tuple[float, float, int], Result]) -> Result:
    """Of the cells at lag 64, the one that is farthest from the oracle."""
    late = [result for (_, _, lag), result in cells.items() if lag == 64]
    return max(late, key=lambda result: result.raced / result.oracle)


def grid_table(
    cells: Mapping[tuple[float, float, int], Result], short: Result, command: str
) -> str:
    prompts = next(iter(cells.values())).n
    rows = [
        "## By replay: how late verdicts may come",
        "",
        f"`{command}`; {versions()}.",
        "",
        f"{prompts} drawn prompts a cell, 8 candidates each, no model: lognormal thoughts (median "
        "1,500 tokens, 0.5 between prompts, the spread within a prompt as given), answers of about "
        "150 tokens, each candidate right with the pass rate whatever its length. The real race, "
        "its feed and its judging; 256 rows decode together. Lag: tokens that a row decodes between "
        "an answer's end and its verdict.",
        "",
        "| pass rate | spread | lag | raced / exhaustive | raced / oracle | golds | same golds |",
        "|---|---|---|---|---|---|---|",
    ]
    for (pass_rate, spread, lag), r in cells.items():
        rows.append(
            f"| {pass_rate} | {spread} | {lag} | {r.raced / r.exhaustive:.3f} | "
            f"{r.raced / r.oracle:.3f} | {r.gold} of {r.n} | {'yes' if r.same_gold else '**no**'} |"
        )
    over = [key for key, r in cells.items() if key[2] == 64 and r.raced > 1.15 * r.oracle]
    verdict = f"above 1.15 in {len(over)}" if over else "at most 1.15 in all"
    rows += [
        "",
        f"At lag 64 raced / oracle is {verdict} of the nine cells. What counts is the lag beside the "
        "thoughts: every candidate but the winner decodes at most the lag for nothing. With thoughts "
        f"a tenth as long the worst cell at lag 64 is {short.raced / short.oracle:.2f}.",
        "",
    ]
    return "\n".join(rows)


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=200, help="prompts to race")
    parser.add_argument("--dev", type=int, default=40, help="prompts for the constants")
    parser.add_argument("--recipe", type=Path, default=Path("recipes/lab.yaml"))
    parser.add_argument("--model", help="instead of the recipe's")
    parser.add_argument("--out", type=Path, help="default: docs/results/race.md, none for replays")
    parser.add_argument("--work", type=Path, help="keep the sampled folders here")
    parser.add_argument("--replay", type=Path, help="an exhaustive sample stage's folder")
    parser.add_argument("--grid", action="store_true", help="drawn tables, without a model")
    parser.add_argument("--lag", type=int, default=0, help="steps until a verdict, in a replay")
    parser.add_argument("--max-batch", type=int, default=256, help="rows at a time, in a replay")
    return parser.parse_args(argv)


def main(argv: Sequence[str] = sys.argv[1:]) -> None:
    args = parsed(argv)
    command = " ".join(["python benchmarks/race.py", *argv])
    page = args.out or Path("docs/results/race.md")
    if args.grid:
        cells = grid(args.n, args.max_batch)
        short = worst(grid(args.n, args.max_batch, median=150, lags=(64,)))
        text = grid_table(cells, short, command)
        print(text)
        write_section("the grid", text, page)
        same = all(result.same_gold for result in cells.values())
        print(json.dumps({**worst(cells).line(), "same_gold": same}))
        return
    recipe, settings = load(args.recipe)
    if args.replay:
        recorded = [c.completion for c in read_candidates(args.replay).values()]
        result = replay(recorded, recipe, max_batch=args.max_batch, lag=args.lag)
        how = f"Replay of recorded lengths and verdicts; verdicts {args.lag} tokens late."
    else:
        result = in_folder(args, recipe, settings)
        sampling = recipe.sample.sampling
        how = (
            f"{args.n} prompts of {recipe.prompts.sources[0].source}, {recipe.sample.candidates} "
            f"candidates each, temperature {sampling.temperature:g}, top_p {sampling.top_p:g}, "
            f"top_k {sampling.top_k}, at most {sampling.max_tokens} tokens; local engine, the same "
            "seeds."
        )
    text = table(result, command, how)
    print(text)
    if args.out or not args.replay:
        write_section("the race", text, page)
    print(json.dumps(result.line()))


def in_folder(args: argparse.Namespace, recipe: Recipe, settings: Mapping[str, Any]) -> Result:
    runtime, model = Runtime.model_validate(settings), args.model or model_of(recipe)
    if args.work:
        args.work.mkdir(parents=True, exist_ok=True)
        return measure(recipe, runtime, model, args.work, args.n, args.dev)
    with tempfile.TemporaryDirectory() as work:
        return measure(recipe, runtime, model, Path(work), args.n, args.dev)


if __name__ == "__main__":
    main()
