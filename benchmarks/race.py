"""What the race saves, and that it keeps the same: raced beside exhaustive sampling.

usage: python benchmarks/race.py [--n 200] [--dev 40] [--recipe recipes/lab.yaml] [--model FOLDER]
       [--out docs/results/race.md] [--work FOLDER]
       python benchmarks/race.py --replay SAMPLE_FOLDER [--lag STEPS] [--max-batch ROWS]

The same prompts, seeds and constants are sampled both ways by the recipe's sample section on the
local engine; select then runs over both. The oracle decodes every candidate only as far as its
prompt's winner got (tokens in all; to its end where nobody won), with no delay of any verdict.
So raced / oracle may be a little below 1: the race stops a loser once its *thought* is longer than
a passed one's, while the oracle lets it decode the winner's thought and answer. The two agree where
all of a prompt's candidates start together and answer at equal length; one that starts late, when
the batch was full, is capped at the thought alone.
--replay races recorded exhaustive candidates over again by their lengths and verdicts, no model.
The last line is one JSON object {"raced_over_exhaustive", "raced_over_oracle", "same_gold", "n"}.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from deimos.candidates import read_candidates
from deimos.engines.base import Done, Job, Key
from deimos.engines.collect import Request
from deimos.engines.echo import EchoEngine
from deimos.progress import Progress
from deimos.prompts.files import write_prompts
from deimos.recipe import Recipe, Sample, load
from deimos.registry import resolve
from deimos.run import StageJob
from deimos.runtime import Runtime
from deimos.sample.race import Entrant, race
from deimos.select.policy import choose
from deimos.thinking import Rendered, Shape, ThinkIds, count
from deimos.types import Completion, Prompt, Verdict

Pool = Sequence[Completion]
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
    prompts = resolve("source", first.source)(
        take=n + dev, seed=recipe.prompts.seed, **first.options
    )
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
        with Progress() as progress:
            sample(StageJob(now, runtime, model, inputs, out, progress))
        pools[way] = [c.completion for c in read_candidates(out).values()]
    return compare(pools["raced"], pools["exhaustive"], recipe)


def sample(job: StageJob) -> None:
    from deimos.graders.worker import Judge
    from deimos.sample import stage
    from deimos.select.filters import gate_for
    from deimos.select.words import function_word_rate
    from deimos.thinking import Tags

    tags, select = job.recipe.model.tags, job.recipe.select
    with Judge(select.graders, timeout=job.runtime.grader_timeout) as judge:
        gates = gate_for(select, Tags(tags.open, tags.close) if tags else None, judge)
        stage.run(job, gate_for=gates, function_words=function_word_rate)


def model_of(recipe: Recipe) -> str:
    if recipe.model.id != "lab":
        return recipe.model.id
    from deimos.lab.weights import lab_path

    return str(lab_path())


# From a recorded table ---------------------------------------------------------------------------

EOS, OPEN, CLOSE, WORD = range(4)


def replay(recorded: Pool, recipe: Recipe, *, max_batch: int = 256, lag: int = 0) -> Result:
    """Race recorded candidates over again by their lengths and verdicts.

    Args:
        recorded: an exhaustive pool, verdicts included.
        recipe: whose n, min_pass and min_think_tokens count.
        max_batch: rows that decode together.
        lag: engine steps until a verdict is there.
    """
    think = ThinkIds(Shape.FREE, (OPEN,), (CLOSE,))
    lengths = [replace(c, completion_ids=_script(c)) for c in recorded]
    table = {Key(c.prompt_id, c.index): c for c in lengths}
    n = 1 + max(c.index for c in recorded)

    def decode(done: Done, request: Request) -> Completion:
        counts = count(done.completion_ids, think, {EOS})
        finish = "outpaced" if done.finish == "stopped" else table[done.key].finish
        return replace(
            table[done.key],
            completion_ids=done.completion_ids,
            think_tokens=counts.think_tokens,
            answer_tokens=counts.answer_tokens,
            finish=finish,
            verdict=None,
        )

    async def gate(prompt: Prompt, completion: Completion) -> Verdict:
        for _ in range(lag):
            await asyncio.sleep(0)
        return table[Key(completion.prompt_id, completion.index)].verdict or Verdict(None)

    def script(job: Job) -> tuple[int, ...]:
        return table[job.key].completion_ids

    rendered = Rendered("", (WORD,), think, None)
    prompts = [Prompt(p, "", "math", (), None) for p in by_prompt(recorded)]
    longest = max(len(c.completion_ids) for c in lengths)
    settings = Sample.model_validate({"n": n, "sampling": {"max_tokens": longest + 1}})
    raced: list[Completion] = []
    asyncio.run(
        race(
            [Entrant(prompt, rendered) for prompt in prompts],
            EchoEngine(script, max_batch=max_batch),
            settings=settings,
            gate=gate,
            keep=raced.append,
            decode=decode,
            min_pass=recipe.select.min_pass,
            min_think_tokens=recipe.select.min_think_tokens,
        )
    )
    return compare(raced, lengths, recipe)


def _script(c: Completion) -> tuple[int, ...]:
    """A completion of the recorded lengths; in the plain shape the thought is all there is."""
    plain = c.think_tokens == c.answer_tokens and len(c.completion_ids) < 2 * c.think_tokens
    answer = 0 if plain else c.answer_tokens
    body = (OPEN, *(WORD,) * c.think_tokens)
    if c.finish == "length" and not c.answer_tokens:
        return body
    closed = (*body, CLOSE, *(WORD,) * answer)
    return closed if c.finish == "length" else (*closed, EOS)


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
            "# The race beside exhaustive sampling",
            "",
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
    parser.add_argument("--lag", type=int, default=0, help="steps until a verdict, in a replay")
    parser.add_argument("--max-batch", type=int, default=256, help="rows at a time, in a replay")
    return parser.parse_args(argv)


def main(argv: Sequence[str] = sys.argv[1:]) -> None:
    args = parsed(argv)
    recipe, settings = load(args.recipe)
    if args.replay:
        recorded = [c.completion for c in read_candidates(args.replay).values()]
        result = replay(recorded, recipe, max_batch=args.max_batch, lag=args.lag)
        how = f"Replay of recorded lengths and verdicts; verdicts {args.lag} steps late."
    else:
        result = in_folder(args, recipe, settings)
        sampling = recipe.sample.sampling
        how = (
            f"{args.n} prompts of {recipe.prompts.sources[0].source}, {recipe.sample.n} candidates "
            f"each, temperature {sampling.temperature:g}, top_p {sampling.top_p:g}, top_k "
            f"{sampling.top_k}, at most {sampling.max_tokens} tokens; local engine, the same seeds."
        )
    text = table(result, " ".join(["python benchmarks/race.py", *argv]), how)
    print(text)
    out = args.out or (None if args.replay else Path("docs/results/race.md"))
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
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
