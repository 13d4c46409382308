"""What our side of vLLM costs: exhaustive sampling beside vLLM's own offline decoding.

usage: python benchmarks/vllm_overhead.py [--prompts 100] [--rounds 3] [--recipe recipes/lab.yaml]
       [--set KEY=VALUE]… [--python .venv-vllm/bin/python] [--section overhead]
       [--out docs/results/engines.md]

Four ways in turn, each a process of its own, started and warmed before the clock runs:
`engine`, our engine alone, n = 8 requests a prompt, every one to its end; `offline`, vLLM's `LLM.generate`
on the same prompts, each request held to exactly as many tokens as `engine` decoded for it in this
round (`ignore_eos`); `ungraded`, our engine in the sample stage, exhaustive, with filters and journal
and a grader that says yes at once; `stage`, the same with the recipe's graders beside decoding (both
have their own tokens: this build takes no seeds). Compared are seconds a decoded token: the median of
the rounds' ratios, the least and the most.
Both sides get the same engine arguments and prefix caching.
The last line is one JSON object {"engine_over_offline", "stage_over_ungraded", "stage_over_offline",
"rounds", "tokens"}.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from _decode import decode, jobs_of
from _pages import ROOT, write_section

from deimos import engines
from deimos.engines.base import Job
from deimos.evaluate.merged import model_path
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe import load
from deimos.recipe.runtime import Runtime
from deimos.registry import resolve
from deimos.runs.artifacts import write_prompts
from deimos.runs.plan import StageJob
from deimos.runs.progress import ProgressBar
from deimos.types import Prompt, Verdict

WAYS = ("engine", "offline", "ungraded", "stage")
EAGER = {"enforce_eager": True, "kv_cache_memory_bytes": 2 << 30}
WARM = 16
"""Requests that are decoded before the clock runs."""


def jobs(request: Mapping[str, Any]) -> list[Job]:
    """The round's candidates."""
    return jobs_of(request["decode"], load_tokenizer(ModelRef(request["decode"]["model"])))


def engine_of(request: Mapping[str, Any]) -> Any:
    asked = request["decode"]
    runtime = Runtime.model_validate({**asked["runtime"], "engine": "vllm"})
    return engines.open(ModelRef(asked["model"], dtype=asked["dtype"]), runtime)


def engine(request: Mapping[str, Any]) -> dict[str, Any]:
    """Our engine alone."""
    wanted, ours = jobs(request), engine_of(request)
    asyncio.run(decode(ours, wanted[:WARM], None))
    ends, _, seconds = asyncio.run(decode(ours, wanted, None))
    lengths = {f"{end.key.prompt_id}/{end.key.index}": len(end.completion_ids) for end in ends}
    return {"seconds": seconds, "tokens": sum(lengths.values()), "lengths": lengths}


def offline(request: Mapping[str, Any]) -> dict[str, Any]:
    """VLLM's own, on as many tokens."""
    from deimos.engines.vllm.options import load_vllm

    vllm = load_vllm()
    asked, wanted = request["decode"], jobs(request)
    runtime = asked["runtime"]
    llm = vllm.LLM(
        asked["model"], dtype=asked["dtype"], max_num_seqs=runtime["max_batch"],
        enable_prefix_caching=True, generation_config="vllm", **runtime["engine_options"],
    )  # fmt: skip
    chosen = asked["sampling"]
    prompts = [{"prompt_token_ids": list(job.prompt_ids)} for job in wanted]
    parameters = [
        vllm.SamplingParams(
            temperature=chosen["temperature"], top_p=chosen["top_p"], top_k=chosen["top_k"],
            max_tokens=request["lengths"][f"{job.key.prompt_id}/{job.key.index}"], ignore_eos=True,
            detokenize=False,
        )
        for job in wanted
    ]  # fmt: skip
    llm.generate(prompts[:WARM], parameters[:WARM], use_tqdm=False)
    started = time.perf_counter()
    outputs = llm.generate(prompts, parameters, use_tqdm=False)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "tokens": sum(len(o.outputs[0].token_ids) for o in outputs)}


async def yes(prompt: Prompt, answer: str) -> Verdict:
    """What a grader that takes no time says."""
    return Verdict(True, "not asked", "correctness")


def ungraded(request: Mapping[str, Any]) -> dict[str, Any]:
    """The sample stage without graders."""
    return stage(request, graded=False)


def stage(request: Mapping[str, Any], *, graded: bool = True) -> dict[str, Any]:
    """Our engine in the sample stage."""
    from deimos.graders.worker.pool import Judge
    from deimos.sample import stage as sampling
    from deimos.select.filters import gate_for
    from deimos.select.function_words import function_word_rate

    recipe, _ = load(Path(request["recipe"]), [*request["set"], "sample.exhaustive=true"])
    asked, select = request["decode"], recipe.select
    source = asked["source"]
    draw = resolve("source", source["name"])
    found = list(draw(take=source["take"] + WARM, seed=source["seed"], **source["options"]))
    with tempfile.TemporaryDirectory() as scratch, ProgressBar() as progress:
        folder = Path(scratch)
        (folder / "prompts").mkdir()
        write_prompts(folder / "prompts" / "train.jsonl", found[: source["take"]])
        write_prompts(folder / "prompts" / "dev.jsonl", found[source["take"] :])
        runtime = Runtime.model_validate(
            {**asked["runtime"], "engine": "deimos.engines.vllm.engine:vllm"}
        )
        inputs = {"prompts": folder / "prompts"}
        job = StageJob(recipe, runtime, asked["model"], inputs, folder / "out", progress)
        (folder / "out").mkdir()
        with Judge(select.graders, timeout=runtime.grader_timeout) as judge:
            tags = recipe.model.thinking_tags()
            gates = gate_for(select, tags, judge if graded else yes)
            counts = sampling.run(job, gate_for=gates, function_words=function_word_rate)
    return {"seconds": counts["seconds"], "tokens": counts["decoded_tokens"]}


def asked_for(args: argparse.Namespace) -> dict[str, Any]:
    """What every way is asked to decode."""
    recipe, runtime = load(args.recipe, args.set)
    source, sampling = recipe.prompts.sources[0], recipe.sample.sampling
    decoding = {
        "model": model_path(recipe), "dtype": recipe.model.dtype,
        "thinking": recipe.model.thinking, "tags": recipe.model.tags is not None, "n": 8,
        "runtime": {"max_batch": runtime.get("max_batch", 256), "engine_options": EAGER},
        "source": {"name": source.source, "take": args.prompts, "seed": recipe.prompts.seed,
                   "options": source.options},
        "sampling": {"temperature": sampling.temperature, "top_p": sampling.top_p,
                     "top_k": sampling.top_k, "max_tokens": sampling.max_tokens},
    }  # fmt: skip
    return {"decode": decoding, "recipe": str(args.recipe), "set": args.set}


def started(way: str, request: Mapping[str, Any], python: Path) -> dict[str, Any]:
    """One way in a process of its own."""
    done = subprocess.run(
        [str(python), "benchmarks/vllm_overhead.py", "--way", way], input=json.dumps(request),
        cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    # vLLM has last words of its own
    return json.loads(next(x for x in reversed(done.stdout.splitlines()) if x.startswith("{")))


def ratios(seconds: Mapping[str, list[float]], way: str, other: str) -> list[float]:
    """Round by round, as a round decodes its own lengths in its own weather."""
    return [a / b for a, b in zip(seconds[way], seconds[other], strict=True)]


def said(seconds: Mapping[str, list[float]], way: str, other: str) -> str:
    each = ratios(seconds, way, other)
    return f"{statistics.median(each):.3f} [{min(each):.3f}, {max(each):.3f}]"


def page(args: argparse.Namespace, seconds: Mapping[str, list[float]], tokens: int) -> str:
    middle = {way: statistics.median(values) for way, values in seconds.items()}
    lines = [
        f"## {args.section}", "",
        f"`python benchmarks/vllm_overhead.py --prompts {args.prompts} --rounds {args.rounds} "
        f"--recipe {args.recipe}`; {args.prompts} prompts x 8, about {tokens:,} tokens a round, "
        f"{os.cpu_count()} CPU cores.", "",
        "| | microseconds a token, each round | median | beside: median of the rounds' ratios "
        "[least, most] |", "|---|---|---|---|",
    ]  # fmt: skip
    beside = {
        "offline": "vLLM's LLM.generate: 1",
        "engine": f"{said(seconds, 'engine', 'offline')} of it",
        "ungraded": f"{said(seconds, 'ungraded', 'offline')} of it",
        "stage": f"{said(seconds, 'stage', 'offline')} of it, "
        f"{said(seconds, 'stage', 'ungraded')} of ungraded",
    }
    for way, words in beside.items():
        each = ", ".join(f"{1e6 * value:.0f}" for value in seconds[way])
        lines.append(f"| {way} | {each} | {1e6 * middle[way]:.0f} | {words} |")
    return "\n".join(lines)


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--recipe", type=Path, default=Path("recipes/lab.yaml"))
    parser.add_argument("--set", action="append", default=[], help="as `deimos run`'s")
    parser.add_argument("--python", type=Path, default=ROOT / ".venv-vllm/bin/python")
    parser.add_argument("--section", default="Overhead over vLLM, the lab")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/engines.md")
    parser.add_argument("--way", choices=WAYS, help="internal: this way alone, asked on stdin")
    return parser.parse_args(argv)


def main(argv: Sequence[str] = sys.argv[1:]) -> None:
    args = parsed(argv)
    if args.way:
        request = json.loads(sys.stdin.read())
        ways = {"engine": engine, "offline": offline, "ungraded": ungraded, "stage": stage}
        print(json.dumps(ways[args.way](request)))
        return
    request = asked_for(args)
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    tokens = 0
    for _ in range(args.rounds):
        for way in WAYS:
            told = started(way, request, args.python)
            seconds[way].append(told["seconds"] / told["tokens"])
            if way == "engine":
                request["lengths"], tokens = told["lengths"], told["tokens"]
            if way == "offline" and told["tokens"] != tokens:
                raise SystemExit(f"offline decoded {told['tokens']} tokens, the engine {tokens}")
    write_section(args.section, page(args, seconds, tokens), args.out)
    line = {
        f"{way}_over_{other}": round(statistics.median(ratios(seconds, way, other)), 4)
        for way, other in (("engine", "offline"), ("stage", "ungraded"), ("stage", "offline"))
    } | {
        "rounds": args.rounds, "tokens": tokens,
    }  # fmt: skip
    print(json.dumps(line))


if __name__ == "__main__":
    main()
