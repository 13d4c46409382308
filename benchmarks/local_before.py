"""The local engine's tokens a second beside an earlier commit's, in turn, on this machine.

usage: python benchmarks/local_before.py [--before 78e7a91] [--rounds 12] [--out docs/results/house.md]

Each round decodes the same 256 prompts with the lab model, once in either tree, in a process of its
own on one thread; the two must decode the same number of tokens. Seconds are the process's own
processor time, so that what else runs here matters less. The last line is one JSON object
{"ratio", "least", "most", "rounds", "tokens"}: the ratio is ours over theirs, above 1 is faster.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

from _pages import write_section

ROOT = Path(__file__).resolve().parents[1]
DECODE = """
import asyncio, json, time, torch
try:
    from deimos.engines.local.engine import local
    from deimos.models.loading import load_tokenizer
    from deimos.models.ref import ModelRef
    from deimos.recipe.runtime import Runtime
except ImportError:  # the tree before modules moved
    from deimos.engines.base import ModelRef
    from deimos.engines.loading import load_tokenizer
    from deimos.engines.local import local
    from deimos.runtime import Runtime
from deimos.engines.base import Done, Job, Key
from deimos.lab.weights import lab_path
from deimos.thinking import Tags, render
from deimos.types import Sampling

torch.set_num_threads(1)
ref = ModelRef(str(lab_path()), None, "float32")
tokenizer = load_tokenizer(ref)
engine = local(ref, Runtime(max_batch=64, threads=1))
asks = "Nora has {} stamps. Nora buys {} more stamps. How many stamps does Nora have now?"
jobs = []
for i, (a, b) in enumerate((a, b) for a in range(10, 42) for b in range(3, 11)):
    r = render(tokenizer, [{"role": "user", "content": asks.format(a, b)}], tags=Tags(), thinking=True)
    jobs.append(Job(Key(str(i), 0), r.ids, Sampling(temperature=1.0, max_tokens=160), i, r.think))

async def feed(jobs):
    for job in jobs:
        yield job

async def decode(jobs):
    done = [e async for e in engine.sample(feed(jobs)) if isinstance(e, Done)]
    return sum(len(e.completion_ids) for e in done)

asyncio.run(decode(jobs[:32]))
began = time.process_time()
tokens = asyncio.run(decode(jobs))
print(json.dumps([tokens, time.process_time() - began]))
"""


def decode(tree: Path) -> tuple[int, float]:
    """Tokens and processor seconds of one decoding by the package in ``tree``."""
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-P", "-c", DECODE]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    tokens, seconds = json.loads(done.stdout.splitlines()[-1])
    return tokens, seconds


def main() -> None:
    """Decode in turn, compare, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", default="78e7a91", metavar="COMMIT")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/house.md")
    args = parser.parse_args()
    command = ["git", "archive", args.before, "src"]
    packed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    ratios, counted = [], set()
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        trees = [ROOT, Path(folder)]
        for number in range(args.rounds):
            found = {tree: decode(tree) for tree in (trees if number % 2 else trees[::-1])}
            counted |= {tokens for tokens, _ in found.values()}
            ratios.append(found[trees[1]][1] / found[ROOT][1])
            print(f"round {number + 1}: {ratios[-1]:.3f}", flush=True)
    if len(counted) != 1:
        raise SystemExit(f"the two trees decoded different numbers of tokens: {sorted(counted)}")
    result = {
        "ratio": round(statistics.median(ratios), 3),
        "least": round(min(ratios), 3),
        "most": round(max(ratios), 3),
        "rounds": args.rounds,
        "tokens": counted.pop(),
    }
    text = (
        f"## The local engine before and after\n\n`python benchmarks/local_before.py --before {args.before} "
        f"--rounds {args.rounds}`; torch {version('torch')}, transformers {version('transformers')}, "
        f"one thread, float32.\n\nTokens per second of processor time, after / before, the same "
        f"{result['tokens']:,} tokens of 256 prompts in turn: {result['ratio']:.2f} (median of "
        f"{args.rounds} rounds; {result['least']:.2f} to {result['most']:.2f})."
    )
    write_section("local engine", text, page=args.out)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
