"""The local engine beside plain batched `generate`, and whether batching changes what it says.

usage: python benchmarks/local_engine.py [--model DIR|random] [--prompts 64] [--candidates 4]
                                         [--batch 128] [--rounds 5] [--out docs/results/local_engine.md]

Same model, same prompts, same sampling, same number of useful tokens for each sequence: targets are
enforced on both sides (ours by the job's budget, generate's by a stopping criterion that ends each
row at its target), and nothing ends by itself. In turn within a round, the order alternating.
(a) equal lengths; (b) lengths spread as the model's own (as it writes until it ends its turn; a
log-normal for a random model); (c) 64 candidates alone, batched and shuffled: the share of tokens
from the first difference on. Without --model: the packaged lab model, or a random one of its size; in float32.
The last line is one JSON object {"equal_ratio", "spread_ratio", "differing_share", "n"}.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import StoppingCriteria, StoppingCriteriaList

from deimos.engines.base import Done, Job, Key
from deimos.engines.local.engine import LocalEngine
from deimos.lab.source import lab
from deimos.lab.weights import lab_path
from deimos.models.end_of_turn import eos_ids_of
from deimos.models.loading import load_model, load_tokenizer
from deimos.models.ref import ModelRef
from deimos.thinking import Shape, Tags, ThinkIds, render
from deimos.types import Sampling

PLAIN = ThinkIds(Shape.PLAIN)
SAMPLING = {"temperature": 1.0, "top_k": 20, "top_p": 0.95}


@dataclass
class Work:
    """What is decoded: prompts' ids, one entry a candidate, and how to load the model."""

    name: str
    prompts: list[tuple[int, ...]]
    eos_ids: frozenset[int]
    folder: Path | None

    def model(self) -> Any:
        """A fresh copy of the model."""
        if self.folder is None:
            return random_model()
        return load_model(ModelRef(str(self.folder), dtype="float32"), "cpu")


def random_model() -> Any:
    """A Qwen3 of the lab model's size with random weights."""
    config = transformers.Qwen3Config(
        vocab_size=1024, hidden_size=192, intermediate_size=512, num_hidden_layers=6,
        num_attention_heads=6, num_key_value_heads=2, head_dim=32, tie_word_embeddings=True,
        max_position_embeddings=2048,
    )  # fmt: skip
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


def work_of(model: str | None, prompts: int) -> Work:
    """Real lab prompts for a model with a chat template; random ids for a random model."""
    folder = Path(model) if model not in (None, "random") else lab_path()
    if model == "random" or (model is None and not (folder / "config.json").is_file()):
        rng = random.Random(0)
        ids = [tuple(rng.choices(range(1, 1024), k=rng.randint(40, 90))) for _ in range(prompts)]
        return Work("random weights, 2.6 M parameters", ids, frozenset({0}), None)
    tokenizer = load_tokenizer(ModelRef(str(folder)))
    asked = lab(take=prompts, seed=0, split="test")
    ids = [render(tokenizer, p.messages, tags=Tags(), thinking=True).ids for p in asked]
    return Work(folder.name, ids, eos_ids_of(tokenizer, ModelRef(str(folder))), folder)


def ours(engine: LocalEngine, jobs: Sequence[Job]) -> dict[Key, tuple[int, ...]]:
    """Every job's completion ids."""

    async def main() -> dict[Key, tuple[int, ...]]:
        async def feed() -> AsyncIterator[Job]:
            for job in jobs:
                yield job

        ends = [e async for e in engine.sample(feed()) if isinstance(e, Done)]
        return {end.key: end.completion_ids for end in ends}

    return asyncio.run(main())


def jobs_of(work: Work, candidates: int, targets: Sequence[int]) -> list[Job]:
    """One job a candidate, each with its own budget."""
    keys = [Key(str(p), i) for p in range(len(work.prompts)) for i in range(candidates)]
    return [
        Job(
            key, work.prompts[int(key.prompt_id)], Sampling(**SAMPLING, max_tokens=target), 0, PLAIN
        )
        for key, target in zip(keys, targets, strict=True)
    ]


class Targets(StoppingCriteria):
    """A row is done once it has its target of new tokens."""

    def __init__(self, prompt: int, targets: Sequence[int]) -> None:
        self._ends = prompt + torch.tensor(targets)

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        """Done, per row."""
        return self._ends <= input_ids.shape[1]


def left_padded(prompts: Sequence[tuple[int, ...]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask, [prompts, longest]."""
    longest = max(map(len, prompts))
    ids = torch.zeros(len(prompts), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt)
        mask[row, longest - len(prompt) :] = 1
    return ids, mask


@torch.inference_mode()
def theirs(
    model: Any, prompts: Sequence[tuple[int, ...]], targets: Sequence[int], batch: int
) -> int:
    """Plain `generate`, left-padded, in batches in the order given; the useful tokens made."""
    useful = 0
    for start in range(0, len(prompts), batch):
        part, wanted = prompts[start : start + batch], targets[start : start + batch]
        ids, mask = left_padded(part)
        longest = ids.shape[1]
        out = model.generate(
            ids, attention_mask=mask, do_sample=True, max_new_tokens=max(wanted), eos_token_id=None,
            pad_token_id=0, stopping_criteria=StoppingCriteriaList([Targets(longest, wanted)]),
            **SAMPLING,
        )  # fmt: skip
        useful += sum(min(out.shape[1] - longest, target) for target in wanted)
    return useful


@dataclass
class Round:
    """Useful tokens a second of one round."""

    ours: float
    theirs: float


def race(
    work: Work, candidates: int, targets: Sequence[int], batch: int, rounds: int
) -> list[Round]:
    """Both on the same work, in turn, after one short warm-up each."""
    engine, peer = LocalEngine(work.model(), (), max_batch=batch), work.model()
    jobs = jobs_of(work, candidates, targets)
    prompts = [job.prompt_ids for job in jobs]

    def run_ours() -> int:
        return sum(map(len, ours(engine, jobs).values()))

    def run_theirs() -> int:
        return theirs(peer, prompts, targets, batch)

    ours(engine, jobs_of(work, candidates, [4] * len(jobs)))
    theirs(peer, prompts[:batch], [4] * len(prompts[:batch]), batch)
    found: list[Round] = []
    for n in range(rounds):
        speed: dict[str, float] = {}
        order = [("ours", run_ours), ("theirs", run_theirs)]
        for name, run in order if n % 2 == 0 else reversed(order):
            started = time.perf_counter()
            useful = run()
            speed[name] = useful / (time.perf_counter() - started)
            if useful != sum(targets):
                raise SystemExit(f"{name} made {useful} useful tokens, not {sum(targets)}")
        found.append(Round(**speed))
        print(f"  round {n + 1}: ours {speed['ours']:.0f}, generate {speed['theirs']:.0f} tokens/s")
    return found


def own_lengths(work: Work, candidates: int, batch: int, most: int) -> list[int]:
    """How long the model itself writes; a log-normal for a random one."""
    n = len(work.prompts) * candidates
    if work.folder is None:
        rng = random.Random(1)
        return [min(most, max(16, round(rng.lognormvariate(4.5, 0.8)))) for _ in range(n)]
    engine = LocalEngine(work.model(), work.eos_ids, max_batch=batch)
    jobs = jobs_of(work, candidates, [most] * n)
    ends = ours(engine, jobs)
    return [len(ends[job.key]) for job in jobs]


def differing_share(work: Work, most: int, batch: int) -> float:
    """64 candidates alone, batched, shuffled: tokens from the first difference on, over all."""
    model = work.model()
    small = Work(work.name, work.prompts[:16], work.eos_ids, work.folder)
    jobs = jobs_of(small, 4, [most] * 64)
    shuffled = random.Random(2).sample(jobs, len(jobs))
    together = ours(LocalEngine(model, work.eos_ids, max_batch=64), jobs)
    alone = LocalEngine(model, work.eos_ids, max_batch=1)
    others = [ours(alone, jobs), ours(LocalEngine(model, work.eos_ids, max_batch=23), shuffled)]
    differ = total = 0
    for other in others:
        for key, ids in together.items():
            pairs = zip(ids, other[key], strict=False)
            longest = max(len(ids), len(other[key]))
            same = next(
                (i for i, (a, b) in enumerate(pairs) if a != b), min(len(ids), len(other[key]))
            )
            differ += longest - same
            total += longest
    return differ / total


def row_of(label: str, targets: Sequence[int], rounds: list[Round]) -> str:
    """A line of the table."""
    ratios = [r.ours / r.theirs for r in rounds]
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    quarts = statistics.quantiles(targets, n=4)
    return (
        f"| {label} | {quarts[0]:.0f} / {quarts[1]:.0f} / {quarts[2]:.0f} / {max(targets)} "
        f"| {statistics.median(r.ours for r in rounds):,.0f} "
        f"| {statistics.median(r.theirs for r in rounds):,.0f} "
        f"| {statistics.median(ratios):.2f} ({low:.2f} to {high:.2f}) |"
    )


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="folder, or random; default: the lab model if it is there")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--candidates", type=int, default=4)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--max-tokens", type=int, default=640, help="longest completion")
    parser.add_argument("--out", type=Path, default=Path("docs/results/local_engine.md"))
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    work = work_of(args.model, max(16, args.prompts))
    share = differing_share(work, args.max_tokens, args.batch)
    print(f"differing tokens, 64 candidates alone, batched, shuffled: {share:.4%}")
    spread = own_lengths(work, args.candidates, args.batch, args.max_tokens)
    equal = [max(1, round(statistics.mean(spread)))] * len(spread)
    found: dict[str, list[Round]] = {}
    for label, targets in (("equal lengths", equal), ("lengths as the model's own", spread)):
        print(f"{label}: {len(targets)} sequences, {sum(targets)} tokens a round")
        found[label] = race(work, args.candidates, targets, args.batch, args.rounds)
    rows = [row_of(*x) for x in zip(found, (equal, spread), found.values(), strict=True)]
    lines = [
        "# The local engine beside transformers' `generate`", "",
        f"`python benchmarks/local_engine.py {' '.join(sys.argv[1:])}`; model: {work.name}; "
        f"transformers {transformers.__version__}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads; batch {args.batch}, {len(spread)} sequences "
        f"({len(work.prompts)} prompts, {args.candidates} candidates each), {args.rounds} rounds in "
        "turn. The same useful tokens on both sides; generate decodes each batch until its longest "
        "is done.", "",
        "| | tokens a sequence: quartiles / longest | ours, tokens/s | generate, tokens/s "
        "| ratio, median of rounds (IQR) |",
        "|---|---|---|---|---|", *rows, "",
        f"Tokens that differ (from the first difference on) when 64 candidates are decoded alone, "
        f"batched and shuffled: {share:.4%}.", "",
    ]  # fmt: skip
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text("\n".join(lines), encoding="utf-8")
    ratios = [round(statistics.median(r.ours / r.theirs for r in x), 3) for x in found.values()]
    summary = {"equal_ratio": ratios[0], "spread_ratio": ratios[1]}
    print(json.dumps(summary | {"differing_share": round(share, 6), "n": len(spread)}))


if __name__ == "__main__":
    main()
