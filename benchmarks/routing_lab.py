"""The lab model routed by a policy fitted on its own dev answers, measured on test problems.

usage: python benchmarks/routing_lab.py FOLDER

Decodes into FOLDER what is not there yet, and writes the section "Routing the lab" of
docs/results/serve.md.
Dev is drawn from the lab's train split, test from its test split, as in recipes/lab.yaml but for the
numbers of steps: a mixed stream of short and long problems of four kinds. Both are decoded greedily by
the packaged model with thinking on and off.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

from _pages import ROOT, write_section

from deimos.bench.routed import PAIRS, RouteDecision, RoutedProblem, tabulate_routed
from deimos.evaluate.arms import Arm
from deimos.evaluate.models import open_models
from deimos.evaluate.outcomes import Outcome, reduce_completion
from deimos.evaluate.samples import Evaluator
from deimos.graders import Judge
from deimos.lab.source import lab
from deimos.lab.weights import lab_path
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.route.features import read_text
from deimos.route.fit import Paired, fit_policy
from deimos.route.policy import Policy, default_policy
from deimos.store.route_rows import RoutedRow
from deimos.thinking import Tags
from deimos.types import Kind, Prompt, Sampling

PAGE = ROOT / "docs/results/serve.md"
KINDS = get_args(Kind)
GREEDY = Sampling(temperature=0.0, max_tokens=512)
THIRDS = 3
Answered = Sequence[tuple[Prompt, Outcome, Outcome]]
"""Prompts with their outcomes ON and OFF."""


def draw(split: str, take: int, steps: Sequence[int]) -> list[Prompt]:
    return list(lab(take=take, seed=11, split=split, kinds=KINDS, steps=tuple(steps)))


def answer(prompts: Sequence[Prompt], folder: Path) -> Answered:
    """Each prompt in both modes; what the folder holds is not decoded again."""
    model = ModelRef(str(lab_path()), dtype="float32")
    arms = [Arm(model, GREEDY, thinking=switch) for switch in (True, False)]
    with (
        Judge({kind: kind for kind in KINDS}) as judge,
        open_models({"lab": model}, Runtime(device="cpu", max_batch=128), Tags()) as models,
    ):
        done = asyncio.run(Evaluator(models, judge).run(arms, prompts, folder))
        by_id = {prompt.id: prompt for prompt in prompts}
        sides = [
            {
                c.prompt_id: reduce_completion(
                    c, by_id[c.prompt_id].task, arm.thinking,
                    models.render(by_id[c.prompt_id], arm.thinking).shape,
                )
                for c in done[arm]
            }
            for arm in arms
        ]  # fmt: skip
    on, off = sides
    return [(prompt, on[prompt.id], off[prompt.id]) for prompt in prompts]


def fit(dev: Answered, margin: float) -> Policy:
    paired = [
        Paired(read_text(p.messages), on.ok, off.ok, on.total_tokens, off.total_tokens)
        for p, on, off in dev
        if on.ok is not None and off.ok is not None
    ]
    evidence = f"{len(paired)} dev problems of the lab, each answered with thinking on and off"
    return fit_policy("lab", evidence, paired, margin, default_policy())


def route(policy: Policy, test: Answered) -> list[RoutedRow]:
    return tabulate_routed(decide(policy, test), policy.identity)


def decide(policy: Policy, test: Answered) -> list[RoutedProblem]:
    problems = []
    for prompt, on, off in test:
        choice = policy.choose(prompt.messages)
        decision = RouteDecision(choice.mode == "off", choice.margin)
        problems.append(RoutedProblem(prompt.task, on, off, decision))
    return problems


def route_across(dev: Answered, margin: float) -> list[RoutedRow]:
    """Each third of the dev problems by a policy that was fitted on the other two."""
    problems = []
    for part in range(THIRDS):
        policy = fit([each for i, each in enumerate(dev) if i % THIRDS != part], margin)
        problems += decide(policy, [each for i, each in enumerate(dev) if i % THIRDS == part])
    return tabulate_routed(problems, "of the other two thirds")


def describe(rows: Sequence[RoutedRow]) -> Iterator[str]:
    yield (
        "| way | against | n | answered OFF | accuracy | difference, points, 95% interval "
        "| tokens saved, 95% interval |"
    )
    yield "|---|---|---|---|---|---|---|"
    for way, against in PAIRS[:-1]:
        row = next(r for r in rows if (r["task"], r["way"], r["against"]) == ("all", way, against))
        yield (
            f"| {way} | {against} | {row['n']:,} | {row['off']:.1%} | {row['accuracy']:.1%} "
            f"| {numbers(row)} |"
        )
    yield ""
    yield "By task, routed against always ON:"
    yield ""
    yield "| task | n | answered OFF | difference, points | tokens saved |"
    yield "|---|---|---|---|---|"
    for row in rows:
        if (row["way"], row["against"]) == PAIRS[0] and row["task"] != "all":
            yield f"| {row['task']} | {row['n']} | {row['off']:.1%} | {numbers(row)} |"


def numbers(row: RoutedRow) -> str:
    low, high = row["accuracy_delta_ci"] or (float("nan"),) * 2
    saved, (least, most) = (
        row["total_tokens_reduction"],
        row["total_tokens_reduction_ci"] or (0.0, 0.0),
    )
    delta = row["accuracy_delta"] or 0.0
    return f"{100 * delta:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] | {saved:.0%} [{least:.0%}, {most:.0%}]"


def describe_strata(policy: Policy) -> Iterator[str]:
    yield "| recognised as | expected gain from | n | ON | OFF | lower bound of OFF's gain | mode |"
    yield "|---|---|---|---|---|---|---|"
    for s in policy.strata:
        at, e = "any" if s.at_least is None else f"{s.at_least:+.3f}", s.evidence
        mode = "OFF" if s.gain_bound > 0 else "ON"
        yield f"| {s.kind} | {at} | {e['n']} | {e['on']:.1%} | {e['off']:.1%} | {s.gain_bound:+.3f} | {mode} |"


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dev", type=int, default=2400)
    parser.add_argument("--test", type=int, default=1200)
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--margin", type=float, default=0.02, help="as route.margin")
    args = parser.parse_args(argv)
    dev = answer(draw("train", args.dev, args.steps), args.folder / "dev")
    policy = fit(dev, args.margin)
    steps = ", ".join(map(str, args.steps))
    lines = [
        f"## Routing the lab, margin {args.margin:g}",
        "",
        f"`python benchmarks/routing_lab.py FOLDER --dev {args.dev} --test {args.test} --margin {args.margin:g}`: a mixed stream of "
        f"{len(KINDS)} kinds with {steps} steps, margin {args.margin:g}. The lab model proves nothing about yours.",
        "",
        f"{len(dev):,} problems of the train split, each third routed by a policy that was fitted on the other two:",
        "",
        *describe(route_across(dev, args.margin)),
        "",
        f"What the policy fitted on all {len(dev):,} measured:",
        "",
        *describe_strata(policy),
    ]
    if args.test:
        test = answer(draw("test", args.test, args.steps), args.folder / "test")
        lines += ["", f"That policy on {len(test):,} problems of the test split:", ""]
        lines += describe(route(policy, test))
    text = "\n".join(lines)
    write_section(f"routing the lab, margin {args.margin:g}", text, PAGE)
    print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
