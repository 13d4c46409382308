"""The router: what its recogniser makes of prompts it was not fitted on, and what a decision takes.

usage: python benchmarks/routing.py DATA [--fit]

With ``--fit`` it fits and writes src/deimos/route/default_policy.json, else the section "Routing" of
docs/results/serve.md.
DATA is a folder of public data sets (gsm8k/train.jsonl, math/test.jsonl, ifeval/input_data.jsonl, …).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from _pages import ROOT, write_section
from _router_prompts import Asked, list_fit, list_tests

from deimos.evaluate.stats import wilson
from deimos.route.policy import (
    KINDS,
    LABELS,
    Policy,
    PolicyChoice,
    Stratum,
    default_policy,
    write_policy,
)

PAGE = ROOT / "docs/results/serve.md"
SHIPPED = ROOT / "src/deimos/route/default_policy.json"
TALK = {"knowledge", "chat"}
"""Both are answered in the default mode, so one taken for the other is no error."""
AIMS = {"IFEval": 0.97, "made by hand": 0.90}
UNMEASURED = -0.06
LOAD = round(os.getloadavg()[0])
PAPER = {
    "source": "Li et al. 2025, arXiv 2505.11423: IFEval, prompts answered directly and with chain of thought",
    "models": 14,
    "models_less_accurate_with_thought": 13,
    "model": "Llama-3-70B-Instruct",
    "n": 541,
    "on": 0.773,
    "off": 0.856,
    "delta": -0.083,
    "delta_ci": [-0.129, -0.037],
    "interval": "of two independent shares: the paired answers are not published",
}
CARD = {
    "source": "model card of Deimos-A4: 50 prompts a task, no intervals published",
    "ifeval_prompt_strict": {"on": 0.40, "off": 0.44},
    "gsm8k_flexible": {"on": 0.86, "off": 0.80},
}
EVIDENCE = (
    "Published, not measured by us: on IFEval 13 of 14 models were less accurate with chain of thought "
    "(arXiv 2505.11423), and the card of Deimos-A4 has 0.44 with thinking off against 0.40 with it on "
    "(50 prompts); all other kinds keep thinking, as nothing shows a gain."
)


def fit(data: Path) -> None:
    """Fit the recogniser and write the policy that ships."""
    from deimos.route.fit import fit_recogniser

    asked = list_fit(data)
    tests = {each.text for tests in list_tests(data).values() for each in tests}
    asked = [each for each in asked if each.text not in tests]
    recogniser = fit_recogniser([each.text for each in asked], [each.kind for each in asked])
    because = "13 of 14 models do better unthought on IFEval (arXiv 2505.11423)"
    bound = -PAPER["delta_ci"][1]
    strict = Stratum("format", None, bound, because, {"paper": PAPER, "card": CARD})
    write_policy(SHIPPED, Policy("default", EVIDENCE, recogniser, [strict], UNMEASURED))
    print(Counter(each.kind for each in asked), f"{SHIPPED.stat().st_size:,} bytes")


def is_recognised(each: Asked, choice: PolicyChoice) -> bool:
    return choice.kind == each.kind or {choice.kind, each.kind} <= TALK


def describe(policy: Policy, tests: dict[str, list[Asked]]) -> Iterator[str]:
    """The tables of the page."""
    chosen = {
        name: [policy.choose([{"role": "user", "content": each.text}]) for each in asked]
        for name, asked in tests.items()
    }
    yield "| prompts | n | recognised, 95% interval | aim | answered OFF |"
    yield "|---|---|---|---|---|"
    for name, asked in tests.items():
        right = sum(map(is_recognised, asked, chosen[name]))
        off = sum(choice.mode == "off" for choice in chosen[name])
        aim = AIMS.get(name, 0.99)
        yield f"| {name} | {len(asked):,} | {share(right, len(asked))} | {aim:.0%} | {off} |"
    made = tests["made by hand"]
    for group in dict.fromkeys(each.source for each in made):
        own = [(a, c) for a, c in zip(made, chosen["made by hand"]) if a.source == group]
        right, off = sum(is_recognised(*pair) for pair in own), sum(c.mode == "off" for _, c in own)
        yield f"| made by hand: {group} | {len(own)} | {share(right, len(own))} | | {off} |"
    yield ""
    yield "Recognised as (rows: what they are):"
    yield ""
    yield f"| | {' | '.join(LABELS.get(kind, kind) for kind in KINDS)} |"
    yield f"|---|{'---|' * len(KINDS)}"
    for name, asked in tests.items():
        for kind in dict.fromkeys(each.kind for each in asked):
            own = Counter(c.kind for a, c in zip(asked, chosen[name]) if a.kind == kind)
            label = f"{name}: {LABELS.get(kind, kind)}" if name == "made by hand" else name
            yield f"| {label} | {' | '.join(str(own[k]) for k in KINDS)} |"


def share(right: int, n: int) -> str:
    low, high = wilson(right / n, n) or (0.0, 1.0)
    return f"{right:,} = {right / n:.1%} [{100 * low:.1f}, {100 * high:.1f}]"


def list_errors(policy: Policy, tests: dict[str, list[Asked]]) -> Iterator[str]:
    """Every prompt that was taken for another kind."""
    for name, asked in tests.items():
        for each in asked:
            choice = policy.choose([{"role": "user", "content": each.text}])
            if not is_recognised(each, choice):
                text = " ".join(each.text.split())
                yield f"{name}: {each.kind} taken for {choice.kind} ({choice.probability:.2f}), {choice.mode}: {text[:200]}"


def time_decisions(policy: Policy, texts: Sequence[str]) -> Iterator[str]:
    """Milliseconds of a decision at several lengths: texts that follow each other, cut.

    By the clock, and of the processor: on a machine that is busy with other things the clock also
    counts what those take.
    """
    yield f"A decision, {LOAD} processes running beside this one on {os.cpu_count()} cores:"
    yield ""
    yield "| characters | decisions | median, processor | 99th percentile | median, clock | aim for the median |"
    yield "|---|---|---|---|---|---|"
    whole = "\n".join(texts)
    for length, aim in ((200, ""), (2_000, "0.5 ms"), (32_000, "5 ms")):
        clock, processor = [], []
        for i in range(1_000):
            start = (i * 977) % (len(whole) - length)
            messages = [{"role": "user", "content": whole[start : start + length]}]
            began, began_here = time.perf_counter(), time.thread_time()
            policy.choose(messages)
            processor.append(1_000 * (time.thread_time() - began_here))
            clock.append(1_000 * (time.perf_counter() - began))
        yield (
            f"| {length:,} | {len(clock):,} | {statistics.median(processor):.2f} ms "
            f"| {sorted(processor)[int(0.99 * len(processor))]:.2f} ms "
            f"| {statistics.median(clock):.2f} ms | {aim} |"
        )


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--errors", action="store_true", help="print every error instead")
    args = parser.parse_args(argv)
    if args.fit:
        fit(args.data)
        return
    policy, tests = default_policy(), list_tests(args.data)
    if args.errors:
        print("\n".join(list_errors(policy, tests)))
        return
    english = [each.text for each in tests["MATH test"][:300] + tests["IFEval"]]
    text = "\n".join(
        [
            "## Routing",
            "",
            "`python benchmarks/routing.py DATA` writes this section.",
            "",
            *describe(policy, tests),
            "",
            *time_decisions(policy, english),
        ]
    )
    write_section("routing", text, PAGE)
    print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
