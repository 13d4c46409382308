"""One recipe through several engines: do they keep as many golds, think as long, say the same?

usage: python benchmarks/engines.py [--engines local,vllm,server,servers] [--take 240] [--greedy 100]
       [--raced local,server] [--recipe recipes/lab.yaml] [--set KEY=VALUE]…
       [--python .venv-vllm/bin/python]
       [--work FOLDER] [--section engines] [--out docs/results/engines.md]

Engines: `local`, on the CPU; `gpu`, the local engine on one; `vllm`, in the sample stage's own
process; `server` and `servers`, one and two of vLLM's OpenAI-compatible servers; `ray`, the local
engine in two actors on a cluster of two nodes, both of this machine; `vllm-ray`, vLLM in two actors
of a cluster that the sample stage's own process makes (a node's workers have its own Python, which
must then be vLLM's); `seed1`, `seed2`, …: the local
engine with that seed in place of the recipe's, which shows how far two pools of one engine are apart.
Each samples the recipe's prompts with `deimos run --until select`: exhaustively, which is what the
distributions are compared on, and (all of them, or those of --raced) raced.
Each beside the first engine, prompt by prompt: the difference with its 95% interval (prompts with a
gold: Tango's; kept thoughts where both keep one, passes and mean length of the thought: prompts drawn
anew), and p: McNemar's exact test of prompts with a gold, sign-flip permutation tests of kept thoughts,
passes and mean lengths, Kolmogorov-Smirnov on all lengths, which ignores that prompts are the same.
Holm's correction over all of them.
Decoded tokens are the servers' own `vllm:generation_tokens_total` before and after, less the dev
pass, where there are servers; the engine's own count else, or what the journal holds.
Greedy agreement is in float32, each first divergence with the local model's logit gap between the
two tokens. The last line is one JSON object {"engines", "least_p_holm", "identical", "raced_over_exhaustive"}.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _pages import ROOT, write_section
from _vllm_server import VLLMServer
from numpy.typing import ArrayLike

from deimos.evaluate.merged import model_path
from deimos.evaluate.ratios import mean_reduction
from deimos.evaluate.stats import (
    Estimate,
    Interval,
    accuracy,
    accuracy_delta,
    mean_difference,
)
from deimos.models.loading import load_model
from deimos.models.ref import ModelRef
from deimos.recipe import Recipe, load
from deimos.store.candidates import read_candidates
from deimos.store.journal import read
from deimos.types import Completion

ARMS = ("local", "gpu", "vllm", "server", "servers", "ray", "vllm-ray")
IN_VLLMS_PYTHON = ("vllm", "vllm-ray")
SEEDED = re.compile(r"seed(\d+)")
EAGER = {"enforce_eager": True, "kv_cache_memory_bytes": 1 << 30}
RESAMPLES = 9_999
LEVEL = 0.05


@dataclass(frozen=True)
class Pool:
    """What one run sampled."""

    passes: dict[str, int]
    """Candidates that passed, by prompt."""
    lengths: dict[str, list[int]]
    """Tokens of the thoughts of whole candidates, by prompt."""
    cut: int
    """Candidates that the budget ended."""
    golds: dict[str, int]
    """Tokens of the kept thought, by prompt; only prompts that have one."""
    sampled: dict[str, int]
    """Candidates, by prompt."""
    decoded: dict[str, int]
    """Tokens that its journal holds, by prompt."""
    counted: int | None
    """Tokens by the counter of whoever decoded them; None: nobody counts."""
    seconds: float
    engine: str

    @property
    def tokens(self) -> int:
        """By the best count there is."""
        return sum(self.decoded.values()) if self.counted is None else self.counted


@dataclass(frozen=True)
class Tested:
    """An engine beside the first one, by the name of what was compared."""

    engine: str
    p: dict[str, float]
    apart: dict[str, Estimate]
    """This engine less the first one; empty where the test has no difference of its own."""


# Running -----------------------------------------------------------------------------------------


@contextmanager
def ready(
    arm: str, python: Path, model: str, dtype: str
) -> Iterator[tuple[list[VLLMServer], dict[str, Any]]]:
    """The servers that an arm needs, and what `--set` says to have the sample stage use it."""
    number = {"server": 1, "servers": 2}.get(arm, 0)
    # Two servers that are bound to cores would choose the same one.
    threads = str(max(1, (os.cpu_count() or 1) // max(1, number)))
    env = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": threads} if number > 1 else {}
    with ExitStack() as stack:
        servers = [VLLMServer(python, model, dtype=dtype, env=env) for _ in range(number)]
        for server in servers:
            stack.callback(server.kill)
            server.begin()
        for server in servers:
            server.wait()
        address = stack.enter_context(two_nodes()) if arm == "ray" else ""
        yield servers, settings(arm, python, servers, address)


@contextmanager
def two_nodes() -> Iterator[str]:
    """A Ray cluster on this machine: a head that runs nothing, and two nodes with half of the cores."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster  # pyright: ignore[reportMissingImports]

    store = 80 << 20
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": store}
    )
    try:
        for _ in range(2):
            cores = max(1, (os.cpu_count() or 1) // 2)
            cluster.add_node(num_cpus=cores, object_store_memory=store)
        yield str(cluster.address)
    finally:
        cluster.shutdown()


def settings(arm: str, python: Path, servers: Sequence[VLLMServer], address: str) -> dict[str, Any]:
    """What `--set` says."""
    cores = max(1, (os.cpu_count() or 1) // 2)
    if arm in IN_VLLMS_PYTHON:
        options = {f"runtime.engine_options.{k}": v for k, v in EAGER.items()}
        engine = "deimos.engines.vllm.engine:vllm"
        own = {"runtime.engine": engine, "runtime.python.sample": str(python), **options}
        cluster = {"address": "local", "actors": 2, "cpus_per_actor": cores}
        return own if arm == "vllm" else {**own, "runtime.cluster": cluster}
    if servers:
        options = {"urls": [s.url for s in servers], "seeds": False, "concurrency": 256}
        return {"runtime.engine": "openai", "runtime.engine_options": options}
    if arm == "ray":
        cluster = {"address": address, "actors": 2, "cpus_per_actor": cores}
        return {"runtime.cluster": cluster, "runtime.device": "cpu"}
    if seeded := SEEDED.fullmatch(arm):
        return {"runtime.device": "cpu", "sample.seed": int(seeded[1])}
    return {"runtime.device": "cuda" if arm == "gpu" else "cpu"}


def sample(out: Path, args: argparse.Namespace, sets: Mapping[str, Any]) -> None:
    """`deimos run --until select`, anew: what is there already no counter would see."""
    if out.exists():
        raise SystemExit(f"{out} is there already: name a new folder with --work")
    words = [w for k, v in sets.items() for w in ("--set", f"{k}={json.dumps(v)}")]
    given = [w for item in args.set for w in ("--set", item)]
    command = [sys.executable, "-m", "deimos.cli.main", "run", str(args.recipe), "--out", str(out)]
    subprocess.run([*command, "--until", "select", *given, *words], cwd=ROOT, check=True)


def pool_of(out: Path, counted: int | None) -> Pool:
    """What a run folder holds; ``counted`` with the dev pass."""
    (folder,) = out.glob("sample-*")
    found: list[Completion] = [c.completion for c in read_candidates(folder).values()]
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    kept = (next(out.glob("select-*")) / "gold.jsonl").read_text(encoding="utf-8").splitlines()
    golds = {gold["prompt_id"]: gold["think_tokens"] for gold in map(json.loads, kept)}
    passes: dict[str, int] = {}
    sampled: dict[str, int] = {}
    decoded: dict[str, int] = {}
    lengths: dict[str, list[int]] = {}
    for c in found:
        sampled[c.prompt_id] = sampled.get(c.prompt_id, 0) + 1
        decoded[c.prompt_id] = decoded.get(c.prompt_id, 0) + len(c.completion_ids)
        passes[c.prompt_id] = passes.get(c.prompt_id, 0) + bool(c.verdict and c.verdict.ok)
        if c.finish in ("stop", "length"):
            lengths.setdefault(c.prompt_id, []).append(c.think_tokens)
    dev = sum(len(row["completion_ids"]) for row in read(folder / "dev.jsonl"))
    if counted is None and "tokens" in (told := record["counts"].get("engine", {})):
        counted = told["tokens"]
    return Pool(
        passes, lengths, sum(c.finish == "length" for c in found), golds, sampled, decoded,
        None if counted is None else counted - dev, record["counts"]["seconds"], found[0].engine,
    )  # fmt: skip


def measure(
    arm: str, args: argparse.Namespace, recipe: Recipe, work: Path
) -> tuple[Pool, Pool | None, list[dict[str, Any]]]:
    """An arm exhaustively and, where it is wanted, raced; and its greedy rows."""
    model = model_path(recipe)
    pools = []
    ways = ("exhaustive", "raced") if arm in raced_arms(args) else ("exhaustive",)
    with ready(arm, args.python, model, recipe.model.dtype) as (servers, own):
        for way in ways:
            before = sum(s.generated() for s in servers)
            sets = {
                **own,
                "prompts.sources.0.take": args.take,
                "sample.exhaustive": way == "exhaustive",
            }
            sample(work / f"{arm}-{way}", args, sets)
            after = sum(s.generated() for s in servers)
            pools.append(pool_of(work / f"{arm}-{way}", after - before if servers else None))
        rows = greedy(arm, args, recipe, own) if args.greedy else []
    return pools[0], pools[1] if len(pools) > 1 else None, rows


def raced_arms(args: argparse.Namespace) -> list[str]:
    return (args.raced or args.engines).split(",")


def greedy(
    arm: str, args: argparse.Namespace, recipe: Recipe, sets: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The first prompts decoded greedily in float32."""
    source = recipe.prompts.sources[0]
    options = EAGER if arm in IN_VLLMS_PYTHON else sets.get("runtime.engine_options", {})
    request = {
        "engine": sets.get("runtime.engine", "local"),
        "model": model_path(recipe),
        "dtype": "float32",
        "runtime": {
            "engine_options": options,
            "device": sets.get("runtime.device", "auto"),
            "cluster": sets.get("runtime.cluster"),
        },
        "source": {"name": source.source, "take": args.greedy, "options": source.options},
        "thinking": recipe.model.thinking,
        "tags": recipe.model.tags is not None,
        "sampling": {"temperature": 0.0, "max_tokens": recipe.sample.sampling.max_tokens},
    }
    python = args.python if arm in IN_VLLMS_PYTHON else Path(sys.executable)
    done = subprocess.run(
        [str(python), "benchmarks/_decode.py"], input=json.dumps(request), cwd=ROOT,
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return json.loads([line for line in done.stdout.splitlines() if line.startswith("{")][-1])[
        "rows"
    ]


# Comparing ---------------------------------------------------------------------------------------


def compared(name: str, first: Pool, other: Pool) -> Tested:
    """An engine beside the first one, on the same prompts."""
    from scipy import stats

    prompts = sorted(first.passes.keys() & other.passes.keys())
    if len(prompts) != len(first.passes):
        raise SystemExit(f"{name} has sampled other prompts")
    both = [p for p in prompts if p in first.lengths and p in other.lengths]
    gold = [[p in pool.golds for p in prompts] for pool in (first, other)]
    kept_by_both = first.golds.keys() & other.golds.keys()
    gained, lost = (len(a.golds.keys() - kept_by_both) for a in (other, first))
    kept = np.array([other.golds[p] - first.golds[p] for p in prompts if p in kept_by_both])
    mcnemar = stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    rates = [[pool.passes[p] / pool.sampled[p] for p in prompts] for pool in (first, other)]
    passes = np.subtract(rates[1], rates[0])
    means = np.array([np.mean(other.lengths[p]) - np.mean(first.lengths[p]) for p in both])
    smirnov: Any = stats.ks_2samp(flat(first), flat(other))
    p = {
        "prompts with a gold": float(mcnemar), "kept thought": sign_flips(kept),
        "passes": sign_flips(passes),
        "mean thought": sign_flips(means), "all thoughts": float(smirnov.pvalue),
    }  # fmt: skip
    apart = {
        "prompts with a gold": accuracy_delta(*gold),
        "kept thought": mean_difference(kept),
        "passes": accuracy_delta(*rates, samples_each=max(first.sampled.values())),
        "mean thought": mean_difference(means),
    }
    return Tested(name, p, apart)


def flat(pool: Pool) -> list[int]:
    return [length for lengths in pool.lengths.values() for length in lengths]


def sign_flips(differences: ArrayLike) -> float:
    """Two-sided p-value of the mean of paired differences, under random signs."""
    d = np.asarray(differences, dtype=float)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(RESAMPLES, len(d)))
    extreme = np.abs((signs * d).mean(axis=1)) >= abs(d.mean()) - 1e-12
    return float((1 + extreme.sum()) / (1 + RESAMPLES))


def holm(p: Sequence[float]) -> list[float]:
    """P-values corrected for their number, in their order."""
    order = np.argsort(p)
    corrected, least = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        least = max(least, min(1.0, (len(p) - rank) * p[i]))
        corrected[i] = least
    return corrected


def divergences(
    first: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]], model: Any
) -> list[tuple[str, int, float]]:
    """Rows whose ids differ: prompt, first differing token, and the model's logit gap there."""
    import torch

    found = []
    for a, b in zip(first, other, strict=True):
        if a["ids"] == b["ids"]:
            continue
        pairs = zip(a["ids"], b["ids"])
        at = next((i for i, (x, y) in enumerate(pairs) if x != y), -1)
        gap = float("nan")  # one is the other's beginning
        if at >= 0:
            with torch.no_grad():
                ids = torch.tensor([[*a["prompt_ids"], *a["ids"][:at]]])
                logits = model(input_ids=ids).logits[0, -1]
            gap = float(logits[a["ids"][at]] - logits[b["ids"][at]])
        found.append((a["prompt_id"][:8], at, gap))
    return found


# The page ----------------------------------------------------------------------------------------


def page(
    args: argparse.Namespace,
    budget: int,
    pools: Mapping[str, tuple[Pool, Pool | None]],
    tested: Sequence[Tested],
    apart: Mapping[str, list[tuple[str, int, float]]],
) -> str:
    first = next(iter(pools))
    n = len(pools[first][0].passes)
    given = "".join(f" --set {item}" for item in args.set)
    given = (f" --raced {args.raced}" if args.raced else "") + given
    lines = [
        f"## {args.section}",
        "",
        f"`python benchmarks/engines.py --engines {args.engines} --take {args.take} --greedy "
        f"{args.greedy} --recipe {args.recipe}{given}`; {n} prompts, {os.cpu_count()} CPU cores.",
        "",
        f"| engine | golds | passed [95%] | thought, median [quartiles] | cut at {budget} "
        "| decoded exhaustively | raced | raced / exhaustive [95%] | counted by | golds raced "
        "| seconds exhaustive, raced |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, (full, raced) in pools.items():
        low, middle, high = np.percentile(flat(full), [25, 50, 75])
        who = "the journal" if full.counted is None else "whoever decoded"
        rates = [full.passes[p] / k for p, k in full.sampled.items()]
        passed = accuracy(rates, sum(full.sampled.values()) / n)
        lines.append(
            f"| {name} ({full.engine}) | {len(full.golds)} | {passed.value:.3f} {shown(passed.ci, '.3f')} "
            f"| {middle:.0f} [{low:.0f}, {high:.0f}] | {full.cut / sum(full.sampled.values()):.1%} "
            f"| {full.tokens:,} "
            + (
                f"| {raced.tokens:,} | {raced.tokens / full.tokens:.3f} {saved(full, raced)} | {who} | {len(raced.golds)} "
                f"| {full.seconds:.0f}, {raced.seconds:.0f} |"
                if raced
                else f"| not raced | | {who} | | {full.seconds:.0f} |"
            )
        )
    if tested:
        lines += ["", *beside(first, tested)]
    if apart:
        lines += ["", *greedy_table(first, args.greedy, apart)]
    return "\n".join(lines)


def saved(full: Pool, raced: Pool) -> str:
    """The interval of raced / exhaustive over prompts, by the journals."""
    prompts = sorted(full.decoded)
    pair = ([pool.decoded[p] for p in prompts] for pool in (full, raced))
    ci = mean_reduction(*pair).ci
    return shown(ci and (1 - ci[1], 1 - ci[0]), ".3f")


def beside(first: str, tested: Sequence[Tested]) -> list[str]:
    """Differences from the first engine, and their p-values, corrected."""
    corrected = holm([p for t in tested for p in t.p.values()])
    units = {
        "prompts with a gold": (100, "points"),
        "kept thought": (1, "tokens"),
        "passes": (100, "points"),
        "mean thought": (1, "tokens"),
    }
    heads = [f"{k}, {units[k][1]}" if k in units else k for k in tested[0].p]
    lines = [
        f"Exhaustive pools less {first}'s, of the same prompts: difference [95% interval]; p, and after "
        f"Holm's correction over all {len(corrected)} (below {LEVEL:g} they would differ by more than "
        "sampling error).",
        "",
        f"| engine | {' | '.join(heads)} |",
        "|---|" + "---|" * len(heads),
    ]
    left = iter(corrected)
    for t in tested:
        cells = []
        for name, p in t.p.items():
            cell = f"{p:.3f} ({next(left):.3f})"
            if name in t.apart:
                scale, (value, ci) = units[name][0], t.apart[name]
                assert value is not None  # there are prompts
                cell = f"{signed(scale * value, '+.1f')} {shown(ci, '+.1f', scale)}; {cell}"
            cells.append(cell)
        lines.append(f"| {t.engine} | {' | '.join(cells)} |")
    return lines


def shown(ci: Interval | None, form: str, scale: float = 1) -> str:
    return "" if ci is None else f"[{signed(scale * ci[0], form)}, {signed(scale * ci[1], form)}]"


def signed(value: float, form: str) -> str:
    return f"{value:{form}}".replace("-", "−")


def greedy_table(
    first: str, n: int, apart: Mapping[str, list[tuple[str, int, float]]]
) -> list[str]:
    """How much greedy decoding agrees, and where it parts."""
    lines = [f"Greedy in float32, {n} prompts, beside {first}'s ids:", ""]
    for name, found in apart.items():
        lines.append(f"- {name}: {n - len(found)} of {n} identical")
        lines += [
            f"  - prompt {prompt} parts at token {at}, logit gap {gap:.2e}"
            for prompt, at, gap in found
        ]
    return lines


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", "--engine", default="local,vllm,server,servers")
    parser.add_argument("--raced", help="engines that race, too; default: all")
    parser.add_argument("--take", type=int, default=240, help="prompts, dev included")
    parser.add_argument("--greedy", type=int, default=100, help="prompts; 0: not compared")
    parser.add_argument("--recipe", type=Path, default=Path("recipes/lab.yaml"))
    parser.add_argument("--set", action="append", default=[], help="as `deimos run`'s")
    parser.add_argument("--python", type=Path, default=ROOT / ".venv-vllm/bin/python")
    parser.add_argument("--work", type=Path, help="keep the run folders here; a new folder")
    parser.add_argument("--section", default="The lab through several engines")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/engines.md")
    args = parser.parse_args(argv)
    return args


def main(argv: Sequence[str] = sys.argv[1:]) -> None:
    args = parsed(argv)
    arms = args.engines.split(",")
    if unknown := [arm for arm in arms if arm not in ARMS and not SEEDED.fullmatch(arm)]:
        raise SystemExit(f"no engine {unknown[0]!r}: {', '.join(ARMS)}, seed1, seed2, …")
    recipe, _ = load(args.recipe, args.set)
    pools: dict[str, tuple[Pool, Pool | None]] = {}
    rows: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for arm in arms:
            full, raced, rows[arm] = measure(arm, args, recipe, args.work or Path(scratch))
            pools[arm] = full, raced
    tested = [compared(arm, pools[arms[0]][0], pools[arm][0]) for arm in arms[1:]]
    apart = {}
    if args.greedy and len(arms) > 1:
        model = load_model(ModelRef(model_path(recipe), dtype="float32"), "cpu")
        for arm in arms[1:]:
            apart[arm] = divergences(rows[arms[0]], rows[arm], model)
    write_section(
        args.section, page(args, recipe.sample.sampling.max_tokens, pools, tested, apart), args.out
    )
    corrected = holm([p for t in tested for p in t.p.values()])
    line = {
        "engines": {arm: len(full.golds) for arm, (full, _) in pools.items()},
        "least_p_holm": round(min(corrected), 4) if corrected else None,
        "identical": {arm: 1 - len(found) / args.greedy for arm, found in apart.items()},
        "raced_over_exhaustive": {
            arm: round(raced.tokens / full.tokens, 4)
            for arm, (full, raced) in pools.items()
            if raced
        },
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
