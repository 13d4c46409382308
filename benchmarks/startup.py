"""How long `deimos --help` takes beside `lm_eval --help`, in turn, on this machine.

usage: python benchmarks/startup.py [--rounds N] [--out docs/results/startup.md]

Both programs come from this Python's environment. The last line is one JSON object
{"ratio", "rounds"}: ratio is the median over rounds of our seconds by theirs (below 1 is faster).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

BIN = Path(sys.executable).parent


def seconds(program: str) -> float:
    """Wall seconds of one `program --help`, which must say something and exit 0."""
    started = time.perf_counter()
    done = subprocess.run([BIN / program, "--help"], capture_output=True, text=True, check=True)
    elapsed = time.perf_counter() - started
    if "usage" not in done.stdout.lower():
        raise SystemExit(f"{program} --help printed no usage")
    return elapsed


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("docs/results/startup.md"))
    args = parser.parse_args()
    for program in ("deimos", "lm_eval"):  # both warm in the page cache before the first round
        seconds(program)
    rounds = [(seconds("deimos"), seconds("lm_eval")) for _ in range(args.rounds)]
    ratios = sorted(ours / theirs for ours, theirs in rounds)
    ratio = statistics.median(ratios)
    lines = [
        "# Start-up: `deimos --help` beside `lm_eval --help`",
        "",
        f"`python benchmarks/startup.py --rounds {args.rounds}`; deimos-llm {version('deimos-llm')}, "
        f"lm_eval {version('lm_eval')}, Python {sys.version.split()[0]}; in turn, {args.rounds} rounds.",
        "",
        "| | median seconds | ratio to lm_eval (median; lowest to highest round) |",
        "|---|---|---|",
        f"| deimos | {statistics.median(o for o, _ in rounds):.2f} "
        f"| {ratio:.2f}; {ratios[0]:.2f} to {ratios[-1]:.2f} |",
        f"| lm_eval | {statistics.median(t for _, t in rounds):.2f} | 1 |",
        "",
    ]
    args.out.write_text("\n".join(lines), encoding="utf-8")
    print(json.dumps({"ratio": round(ratio, 3), "rounds": args.rounds}))


if __name__ == "__main__":
    main()
