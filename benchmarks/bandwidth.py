"""The local engine's tokens a second beside what the device's memory bandwidth allows.

usage: python benchmarks/bandwidth.py [--models lab,0.5b,4b] [--rows 64,256,1024] [--new 128]
       [--rounds 3] [--device auto] [--section "…"] [--out docs/results/gpu.md]

`lab` is the packaged model in float32; `0.5b` and `4b` have the shapes of Qwen2.5-0.5B and Qwen3-4B,
random weights and bfloat16 (speed does not depend on what is said). Eight candidates a prompt of 96 to
160 tokens, all of the same number of new tokens, nothing ends by itself. In turn in each round, the
order alternating: our engine, and transformers' `generate` on the same prompts with the same sampling.
The limit: a step reads every weight that it multiplies with once, and the keys and values of every
row, at the bandwidth of a device-to-device copy (bytes read and written) measured in the same process.
Seconds are whole, prompts included, so our share of the limit is understated by their prefill.
The last line is one JSON object {"device", "bytes_per_second", "of_limit", "over_generate"}.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from _pages import ROOT, write_section
from local_engine import PLAIN, SAMPLING, left_padded, ours

from deimos.engines.base import Job, Key
from deimos.engines.local.engine import LocalEngine
from deimos.lab.weights import lab_path
from deimos.models.loading import load_model
from deimos.models.ref import ModelRef
from deimos.types import Sampling

N = 8
"""Candidates a prompt."""
SHAPES: dict[str, Callable[[], Any]] = {
    "0.5b": lambda: transformers.Qwen2Config(
        vocab_size=151_936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24,
        num_attention_heads=14, num_key_value_heads=2, tie_word_embeddings=True,
    ),
    "4b": lambda: transformers.Qwen3Config(
        vocab_size=151_936, hidden_size=2560, intermediate_size=9728, num_hidden_layers=36,
        num_attention_heads=32, num_key_value_heads=8, head_dim=128, tie_word_embeddings=True,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A model and a number of rows: seconds of each round, and what a step has to read."""

    model: str
    rows: int
    new: int
    ours: list[float]
    theirs: list[float]
    weights: int
    """Bytes."""
    cache: float
    """Bytes of all rows' keys and values, on average over the steps."""

    @property
    def speed(self) -> float:
        """Our tokens a second, the median round's."""
        return self.rows * self.new / statistics.median(self.ours)

    def limit(self, bandwidth: float) -> float:
        """Tokens a second that the bandwidth allows."""
        return self.rows * bandwidth / (self.weights + self.cache)

    @property
    def over_generate(self) -> float:
        """How many times generate's tokens a second, the median of the rounds."""
        return statistics.median(b / a for a, b in zip(self.ours, self.theirs, strict=True))


def bandwidth(device: torch.device) -> float:
    """Bytes a second of a copy within the device's memory, read and written; the best of ten."""
    size = 4 << 30 if device.type == "cuda" else 1 << 28
    source = torch.randint(0, 255, (size,), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    best = float("inf")
    for _ in range(10):
        wait(device)
        started = time.perf_counter()
        target.copy_(source)
        wait(device)
        best = min(best, time.perf_counter() - started)
    return 2 * size / best


def wait(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def model_of(name: str, device: torch.device) -> Any:
    """The packaged model, or one of a known shape with random weights."""
    if name == "lab":
        return load_model(ModelRef(str(lab_path()), dtype="float32"), device.type)
    with device:
        torch.manual_seed(0)
        return transformers.AutoModelForCausalLM.from_config(
            SHAPES[name](), dtype=torch.bfloat16
        ).eval()


def prompts_of(number: int, vocabulary: int) -> list[tuple[int, ...]]:
    """Random ids of 96 to 160 tokens."""
    rng = random.Random(0)
    return [
        tuple(rng.choices(range(10, vocabulary), k=rng.randint(96, 160))) for _ in range(number)
    ]


def cache_bytes(config: Any, tokens: float, itemsize: int) -> float:
    """Of one row's keys and values."""
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return 2 * config.num_hidden_layers * config.num_key_value_heads * size * itemsize * tokens


@torch.inference_mode()
def generate(model: Any, prompts: Sequence[tuple[int, ...]], new: int) -> int:
    """Transformers' own, left-padded; the new tokens."""
    ids, mask = left_padded(prompts)
    out = model.generate(
        ids.to(model.device), attention_mask=mask.to(model.device), do_sample=True,
        max_new_tokens=new, eos_token_id=None, pad_token_id=0, **SAMPLING,
    )  # fmt: skip
    return out[:, ids.shape[1] :].numel()


def measure(name: str, rows: int, new: int, rounds: int, device: torch.device) -> Row:
    """Both on the same work, in turn, after one short warm-up each."""
    model = model_of(name, device)
    config, itemsize = model.config, next(model.parameters()).element_size()
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    prompts = prompts_of(max(1, rows // N), config.vocab_size)
    each = [prompt for prompt in prompts for _ in range(min(N, rows))]

    def run_ours(tokens: int) -> int:
        sampling = Sampling(**SAMPLING, max_tokens=tokens)
        jobs = [Job(Key(str(i // N), i % N), ids, sampling, 0, PLAIN) for i, ids in enumerate(each)]
        return sum(map(len, ours(LocalEngine(model, (), max_batch=rows), jobs).values()))

    def run_theirs(tokens: int) -> int:
        model.set_attn_implementation("sdpa")
        return generate(model, each, tokens)

    ways = {"ours": run_ours, "theirs": run_theirs}
    for run in ways.values():
        run(8)
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for n in range(rounds):
        for way in ways if n % 2 == 0 else reversed(ways):
            wait(device)
            started = time.perf_counter()
            made = ways[way](new)
            wait(device)
            seconds[way].append(time.perf_counter() - started)
            if made != len(each) * new:
                raise SystemExit(f"{way} made {made} tokens, not {len(each) * new}")
    mean_tokens = statistics.mean(map(len, each)) + new / 2
    found = Row(
        name, len(each), new, seconds["ours"], seconds["theirs"], weights,
        len(each) * cache_bytes(config, mean_tokens, itemsize),
    )  # fmt: skip
    print(name, rows, [round(s, 2) for s in found.ours], [round(s, 2) for s in found.theirs])
    return found


def page(args: argparse.Namespace, device: str, speed: float, found: Sequence[Row]) -> str:
    """The section."""
    lines = [
        f"## {args.section}",
        "",
        f"`python benchmarks/bandwidth.py --models {args.models} --rows {args.rows} --new {args.new} "
        f"--rounds {args.rounds}`; {device}, a copy moves {speed / 1e12:.2f} TB/s; torch "
        f"{torch.__version__}, transformers {transformers.__version__}; medians of {args.rounds} rounds.",
        "",
        "| model | rows | ours, tokens/s | a step, ms | limit, tokens/s | of the limit | generate, "
        "tokens/s | ours / generate |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in found:
        generated = row.rows * row.new / statistics.median(row.theirs)
        lines.append(
            f"| {row.model} | {row.rows:,} | {row.speed:,.0f} | {1e3 * row.rows / row.speed:.1f} "
            f"| {row.limit(speed):,.0f} | {row.speed / row.limit(speed):.1%} | {generated:,.0f} "
            f"| {row.over_generate:.2f} |"
        )
    return "\n".join(lines)


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default="lab,0.5b,4b")
    parser.add_argument("--rows", default="64,256,1024", help="decoded together")
    parser.add_argument("--new", type=int, default=128, help="tokens a row")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--section", default="Decoding beside the memory's bandwidth")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/gpu.md")
    return parser.parse_args(argv)


def main(argv: Sequence[str] = sys.argv[1:]) -> None:
    args = parsed(argv)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    cuda = args.device == "cuda" or (args.device == "auto" and torch.cuda.is_available())
    device = torch.device("cuda" if cuda else "cpu")
    named = torch.cuda.get_device_name() if cuda else f"CPU, {torch.get_num_threads()} threads"
    speed = bandwidth(device)
    gc.collect()
    found = []
    for name in args.models.split(","):
        for rows in map(int, args.rows.split(",")):
            if cuda:
                torch.cuda.empty_cache()
            found.append(measure(name, rows, args.new, args.rounds, device))
            gc.collect()
            write_section(args.section, page(args, named, speed, found), args.out)
    line = {
        "device": named, "bytes_per_second": round(speed),
        "of_limit": {f"{r.model}/{r.rows}": round(r.speed / r.limit(speed), 4) for r in found},
        "over_generate": {f"{r.model}/{r.rows}": round(r.over_generate, 3) for r in found},
    }  # fmt: skip
    print(json.dumps(line))


if __name__ == "__main__":
    main()
