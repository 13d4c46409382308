"""A forward pass of one token a row with linear layers as the local engine has them, beside torch's own.

usage: python benchmarks/linear_layers.py MODEL [--rows 1 8 16 32 64] [--rounds 5] [--threads 2]
           [--page docs/results/local_engine.md]

MODEL is a folder; it is run in float32. Each round runs both models in turn for every number of rows,
three passes each; the logits of the two must agree to 1e-3 of the largest. The last line is one JSON object
{"rows": {rows: [ratio of each round]}, "difference"}: above 1 the engine's layers are faster.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from _pages import write_section

from deimos.engines.local.linear import pack_linear_layers
from deimos.models.loading import load_model
from deimos.models.ref import ModelRef

PASSES = 3


def logits_of(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Logits of one token a row, [rows, vocabulary]."""
    with torch.inference_mode():
        return model(ids, use_cache=False).logits[:, -1]


def seconds_of(model: Any, ids: torch.Tensor) -> float:
    """Seconds of a forward pass, the mean of some."""
    began = time.perf_counter()
    for _ in range(PASSES):
        logits_of(model, ids)
    return (time.perf_counter() - began) / PASSES


def main() -> None:
    """Load, compare, time, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 8, 16, 32, 64])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--page", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    plain = load_model(ModelRef(str(args.model), None, "float32"), "cpu")
    packed = copy.deepcopy(plain)
    if not pack_linear_layers(packed):
        raise SystemExit("this machine or build of torch has no such layers: nothing to compare")
    torch.manual_seed(0)
    given = {rows: torch.randint(0, 1000, (rows, 1)) for rows in args.rows}
    difference = 0.0
    for ids in given.values():  # also the first pass of each, which sets up
        ours, theirs = logits_of(packed, ids), logits_of(plain, ids)
        difference = max(difference, float((ours - theirs).abs().max() / theirs.abs().max()))
    if difference > 1e-3:
        raise SystemExit(f"the two differ by {difference:.1e} of the largest logit")
    ratios: dict[int, list[float]] = {rows: [] for rows in args.rows}
    for number in range(args.rounds):
        for rows, ids in given.items():
            pair = (packed, plain) if number % 2 else (plain, packed)
            took = {id(model): seconds_of(model, ids) for model in pair}
            ratios[rows].append(took[id(plain)] / took[id(packed)])
        print(f"round {number + 1}: {[round(each[-1], 2) for each in ratios.values()]}", flush=True)
    lines = [
        f"## Linear layers through oneDNN: {args.model.name}", "",
        f"`python benchmarks/linear_layers.py {args.model.name} --rounds {args.rounds}`; torch "
        f"{version('torch')}, transformers {version('transformers')}, float32, {args.threads} threads, "
        f"{torch.backends.cpu.get_cpu_capability()}; a forward pass of one token a row, torch's own "
        f"linear layers / the local engine's, in turn. Logits differ by {difference:.0e} of the largest.",
        "", "| rows | times as fast, median of rounds | least to most |", "|---:|---:|---|",
        *(
            f"| {rows} | {statistics.median(each):.2f} | {min(each):.2f} to {max(each):.2f} |"
            for rows, each in ratios.items()
        ),
    ]  # fmt: skip
    print("\n".join(lines))
    if args.page:
        write_section("linear layers", "\n".join(lines), args.page)
    print(json.dumps({"rows": ratios, "difference": difference}))


if __name__ == "__main__":
    main()
