"""The sweep on the lab model beside its full grid and beside Optuna, and what it drops if all is equal.

usage: python benchmarks/sweep_lab.py --run RUN [--work FOLDER] [--models tuned,base] [--items 150]
       [--orders 20] [--null 2000] [--out docs/results/sweep.md]

RUN is a run folder of recipes/lab.yaml that is complete up to train. Its dev prompts are answered at
every point of a grid of 54 configs (``--work`` keeps the answers; they are decoded once), and the
strategies are replayed on those answers, in ``--orders`` orders of the items. An *item evaluation* is
an item that a strategy has answered at a config, each once. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

import numpy as np
from _pages import write_section

from deimos.evaluate.merged import model_path
from deimos.evaluate.models import open_models
from deimos.evaluate.outcomes import Outcome
from deimos.evaluate.samples import Evaluator
from deimos.evaluate.stats import wilson
from deimos.graders.worker.pool import Judge
from deimos.models.ref import ModelRef
from deimos.recipe import Bench, SweepParameters
from deimos.runs.artifacts import load_run
from deimos.runs.folder import RunFolder
from deimos.store.sweep_rows import DecodingConfig
from deimos.store.template_date import read_template_date
from deimos.sweep.answers import ModelAnswers
from deimos.sweep.descent import Rules, descend
from deimos.sweep.lock import find_cluster, is_tied, mean_tokens
from deimos.sweep.score import Score
from deimos.sweep.space import Space, list_configs, reduce_to_effective, space_of
from deimos.sweep.tpe import explore
from deimos.sweep.trials import Trials

ALPHA, BLOCK, ROUNDS = 0.05, 16, 2
PARAMETERS = SweepParameters(
    temperature=[0.0, 0.6, 1.0], top_p=[0.9, 1.0], top_k=[0, 20],
    repetition_penalty=[1.0, 1.05, 1.1], presence_penalty=[0.0, 1.5],
)  # fmt: skip
"""48 warm configs and 6 greedy ones."""
Grid = Mapping[DecodingConfig, Sequence[Outcome]]


def lab_space(budget: int) -> Space:
    """The grid, begun where a server's defaults are: temperature 1 and nothing else."""
    bench = {"locked": {"temperature": 1.0}, "budget": budget}
    return space_of(PARAMETERS, Bench.model_validate(bench))


def decode_grid(run: Path, work: Path, name: str, items: int) -> Grid:
    """Answers of one model at every point of the grid; those that ``work`` has are not decoded again."""
    recipe, runtime = RunFolder(run).settings()
    artifacts = load_run(run)
    prompts = artifacts.prompts("dev")[:items]
    base = ModelRef(model_path(recipe), recipe.model.revision, recipe.model.dtype)
    tuned = ModelRef(base.path, base.revision, base.dtype, str(artifacts.adapter))
    ref = {"base": base, "tuned": tuned}[name]
    tags = recipe.model.thinking_tags()
    today = read_template_date(artifacts.folders["sample"])
    space, began = lab_space(recipe.bench.budget), time.monotonic()
    with (
        Judge(recipe.bench_graders) as judge,
        open_models({"base": base, "tuned": tuned}, runtime, tags, today=today) as models,
    ):
        answers = ModelAnswers(
            Evaluator(models, judge), ref, name, prompts, work, recipe.model.thinking, 0
        )

        async def fill() -> dict[DecodingConfig, Sequence[Outcome]]:
            found = {}
            for number, config in enumerate(list_configs(space), 1):
                found[config] = await answers.of(config, items)
                print(f"{name} {number}: {time.monotonic() - began:.0f} s", file=sys.stderr)
            return found

        return asyncio.run(fill())


@dataclass
class Replay:
    """Answers that are there already, and how many of them a strategy has asked for."""

    answer: Callable[[DecodingConfig], Sequence[Outcome]]
    items: int
    asked: dict[DecodingConfig, int] = field(default_factory=dict)
    whole: list[tuple[int, DecodingConfig]] = field(default_factory=list)
    """Evaluations so far at the time that a config was answered on all items."""

    async def of(self, config: DecodingConfig, items: int) -> Sequence[Outcome]:
        """See ``Answers.of``."""
        config = reduce_to_effective(config)
        before = self.asked.get(config, 0)
        self.asked[config] = max(items, before)
        if before < items == self.items:
            self.whole.append((self.evaluations, config))
        return self.answer(config)[:items]

    def decoded(self, config: DecodingConfig) -> int:
        """See ``Answers.decoded``."""
        return self.asked.get(reduce_to_effective(config), 0)

    @property
    def evaluations(self) -> int:
        """Item evaluations so far."""
        return sum(self.asked.values())


@dataclass(frozen=True)
class Found:
    """What a strategy came to, on one order of the items."""

    evaluations: int
    reached: int
    """Evaluations after which the best config so far is one of the grid's cluster, for good."""
    tied: bool
    """Its pick is not shown to be worse than the grid's best."""
    best_tied: bool
    """The same of the config with the highest accuracy that it saw."""
    accuracy: float
    tokens: float


def try_strategy(grid: Grid, space: Space, strategy: str, seed: int) -> Found:
    """Replay a strategy on the grid's answers, the items in the seed's order."""
    items = len(next(iter(grid.values())))
    order = np.random.default_rng(seed).permutation(items)
    replay = Replay(lambda config: [grid[config][i] for i in order], items)
    rules = Rules(items, BLOCK, ALPHA, ROUNDS, Score())
    trials = asyncio.run(_try(space, replay, rules, strategy, seed))
    score, best = Score(), find_cluster(grid, Score()).best
    pick = find_cluster(trials.whole(items), score)
    return Found(
        replay.evaluations,
        _reached(replay, grid, set(find_cluster(grid, score).tied)),
        is_tied(grid[pick.locked], grid[best], score),
        is_tied(grid[pick.best], grid[best], score),
        score.mean(grid[pick.locked]),
        mean_tokens(grid[pick.locked]),
    )


async def _try(space: Space, replay: Replay, rules: Rules, strategy: str, seed: int) -> Trials:
    if strategy == "coordinate":
        return await descend(space, replay, rules)
    return await explore(space, replay, rules, trials=len(list(list_configs(space))), seed=seed)


def _reached(replay: Replay, grid: Grid, cluster: set[DecodingConfig]) -> int:
    score, best, reached = Score(), None, None
    for evaluations, config in replay.whole:
        if best is None or score.mean(grid[config]) > score.mean(grid[best]):
            best = config
        inside = best in cluster
        reached = (reached or evaluations) if inside else None
    return reached or replay.evaluations


def draw_equal(seed: int, items: int) -> Callable[[DecodingConfig], Sequence[Outcome]]:
    """Answers of configs that are all equally good, each drawn when it is first asked for.

    Items differ in how hard they are, as real ones do; half of the seeds have no such difference.
    """
    rng = np.random.default_rng(seed)
    chance = rng.beta(1.2, 0.8, items) if seed % 2 else np.full(items, 0.6)
    known: dict[DecodingConfig, list[Outcome]] = {}

    def answer(config: DecodingConfig) -> list[Outcome]:
        if config not in known:
            right = rng.random(items) < chance
            known[config] = [
                Outcome(str(i), "null", True, 0, bool(ok), "stop", 9, 1, 10, 40, False)
                for i, ok in enumerate(right)
            ]
        return known[config]

    return answer


def count_wrong(
    spaces: Mapping[str, Space], strategy: str, repeats: int, items: int
) -> Iterator[tuple[str, int, float]]:
    """Sweeps in which anything was dropped although all is equal; and values dropped, a share."""
    rules = Rules(items, BLOCK, ALPHA, ROUNDS, Score())
    for name, space in spaces.items():
        wrong = dropped = tried = 0
        for seed in range(repeats):
            replay = Replay(draw_equal(seed, items), items)
            trials = asyncio.run(_try_null(space, replay, rules, strategy, seed))
            drops = sum(trial.dropped_at is not None for trial in trials.rows)
            wrong, dropped = wrong + (drops > 0), dropped + drops
            tried += len(trials.rows)
        yield name, wrong, dropped / tried


async def _try_null(space: Space, replay: Replay, rules: Rules, strategy: str, seed: int) -> Trials:
    if strategy == "coordinate":
        return await descend(space, replay, rules)
    size = 1 + sum(len(values) - 1 for values in space.values.values())
    return await explore(space, replay, rules, trials=size, seed=seed)


def report_grid(
    name: str, grid: Grid, space: Space, orders: int
) -> tuple[list[str], dict[str, float]]:
    """The lines of one model, and the numbers that its checks are about."""
    score, cluster = Score(), find_cluster(grid, Score())
    items, every = len(grid[cluster.best]), len(grid) * len(grid[cluster.best])
    found = {
        strategy: [try_strategy(grid, space, strategy, seed) for seed in range(orders)]
        for strategy in ("coordinate", "optuna")
    }
    lines = [
        f"{name}: {len(grid)} configs x {items} dev items. Accuracy {worst(grid):.3f} to "
        f"{score.mean(grid[cluster.best]):.3f}; {len(cluster.tied)} configs are not shown to be worse "
        f"than the best; the start (temperature 1, nothing else) has "
        f"{score.mean(grid[reduce_to_effective(space.start)]):.3f} at {mean_tokens(grid[reduce_to_effective(space.start)]):.0f} "
        f"tokens an item, the best {mean_tokens(grid[cluster.best]):.0f}, the cheapest of the cluster "
        f"{mean_tokens(grid[cluster.locked]):.0f}.",
        "",
        HEAD,
        "|---|---|---|---|---|---|---|",
    ]
    for strategy, runs in found.items():
        shares = [run.evaluations / every for run in runs]
        lines.append(
            f"| {strategy} | {spread(shares, '.2f')} | {spread([r.reached for r in runs], ',.0f')} | "
            f"{sum(r.tied for r in runs)} of {orders} | {sum(r.best_tied for r in runs)} of {orders} | "
            f"{mean(r.accuracy for r in runs):.3f} | {mean(r.tokens for r in runs):.0f} |"
        )
    ours, theirs = ([run.reached for run in found[s]] for s in ("coordinate", "optuna"))
    ratio, (low, high) = mean(ours) / mean(theirs), ratio_interval(ours, theirs)
    lines += [
        "",
        f"Evaluations until the cluster is reached for good, coordinate over optuna: {ratio:.2f} "
        f"[{low:.2f}, {high:.2f}] (ratio of means, bootstrap over {orders} pairs).",
    ]
    numbers = {
        f"{name}_share": mean(r.evaluations / every for r in found["coordinate"]),
        f"{name}_picks_tied": sum(r.tied for r in found["coordinate"]) / orders,
        f"{name}_reach_ratio": ratio,
    }
    return lines, numbers


HEAD = (
    "| strategy | item evaluations, share of the grid's | evaluations until the cluster is reached | "
    "pick inside the best's paired interval | the best that it saw inside | pick's accuracy | its tokens |"
)


def worst(grid: Grid) -> float:
    """The lowest accuracy of a config."""
    return min(Score().mean(outcomes) for outcomes in grid.values())


def spread(values: Sequence[float], form: str) -> str:
    """Mean, least and most."""
    return f"{mean(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def ratio_interval(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """95% percentile bootstrap of a ratio of means, pairs kept together."""
    a, b = np.asarray(ours, float), np.asarray(theirs, float)
    picks = np.random.default_rng(0).integers(0, len(a), (4000, len(a)))
    low, high = np.percentile(a[picks].mean(axis=1) / b[picks].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def report_null(repeats: int, pruned: int, items: int) -> tuple[list[str], dict[str, float]]:
    """Rates of wrong drops where all values are equal."""
    spaces = {
        "the grid's parameters": lab_space(512),
        "one parameter, 2 values": equal_space(2),
        "one parameter, 40 values": equal_space(40),
    }
    lines = ["| | strategy | sweeps with a wrong drop | values dropped |", "|---|---|---|---|"]
    worst_rate = 0.0
    for strategy, n in (("coordinate", repeats), ("optuna", pruned)):
        shown = spaces if strategy == "coordinate" else dict([*spaces.items()][:1])
        for name, wrong, dropped in count_wrong(shown, strategy, n, items) if n else ():
            low, high = wilson(wrong / n, n) or (0.0, 1.0)
            lines.append(
                f"| {name} | {strategy} | {wrong / n:.3f} [{low:.3f}, {high:.3f}], n={n:,} | "
                f"{dropped:.3f} |"
            )
            if strategy == "coordinate":
                worst_rate = max(worst_rate, wrong / n)
            print(lines[-1], file=sys.stderr)
    return lines, {"null_wrong": worst_rate}


def equal_space(values: int) -> Space:
    """One parameter with so many values."""
    named = [1 + i / 1000 for i in range(values)]
    return space_of(SweepParameters(repetition_penalty=named), Bench())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--run", type=Path, help="a run folder of the lab, complete up to train")
    parser.add_argument("--work", type=Path, default=Path("runs/sweep-grid"))
    parser.add_argument("--models", default="tuned,base")
    parser.add_argument("--items", type=int, default=150)
    parser.add_argument("--orders", type=int, default=20)
    parser.add_argument("--null", type=int, default=2000, help="repeats with equal values")
    parser.add_argument("--null-optuna", type=int, default=2000)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    sections: dict[str, list[str]] = {}
    numbers: dict[str, float] = {}
    if args.run:
        recipe, _ = RunFolder(args.run).settings()
        space, lines = lab_space(recipe.bench.budget), []
        for name in args.models.split(","):
            grid = decode_grid(args.run, args.work, name, args.items)
            part, found = report_grid(name, grid, space, args.orders)
            lines, numbers = [*lines, *part, ""], numbers | found
        command = f"`python benchmarks/sweep_lab.py --run RUN --items {args.items} --orders {args.orders}`"
        sections["grid"] = [f"{command}, {versions()}.", "", *lines]
    if args.null or args.null_optuna:
        part, found = report_null(args.null, args.null_optuna, args.items)
        numbers |= found
        command = (
            f"`python benchmarks/sweep_lab.py --null {args.null} --null-optuna {args.null_optuna}`"
        )
        sections["null"] = [f"{command}, {versions()}.", "", *part]
    for name, part in sections.items():
        text = "\n".join(part).strip()
        print(text, "\n")
        if args.out:
            write_section(name, text, args.out)
    print(json.dumps({key: round(value, 4) for key, value in numbers.items()}))


def versions() -> str:
    """What ran."""
    import optuna

    import deimos

    return f"deimos {deimos.__version__}, optuna {optuna.__version__}, numpy {np.__version__}"


if __name__ == "__main__":
    main()
