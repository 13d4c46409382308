"""A suite's tasks by Deimos and by lm-eval's own command: the same problems, the same server, both scores.

usage: python benchmarks/suite_beside_lm_eval.py MODEL --data FOLDER [--adapter FOLDER]
       [--suite card] [--limit 4] [--budget 512] [--concurrency 8] [--tasks NAME,…]
       [--python .venv-vllm/bin/python] [--url http://HOST:PORT/v1] [--dtype bfloat16]
       [--lm-eval PYTHON] [--also-local] [--think] [--work FOLDER] [--name "what MODEL is"]
       [--out docs/results/bench.md]

MODEL is a folder, FOLDER what `bench.suite_data` takes (`suite_data.py` makes one). A vLLM server is started
with --python for the base and then one for MODEL with the adapter merged in float32 (vLLM's CPU build takes
minutes for a prompt of 2,000 tokens if an adapter of rank 64 is beside the weights), or one that runs is named
by --url, with the served names `base` and `tuned`. What --work has of a run that was ended is not done again.
Both sides are whole commands, timed from start to end, imports included, one after
the other: `--ours` (this script as a process of its own: the bench's prompts, decoding, journal, judges)
and `lm_eval run --model local-chat-completions --apply_chat_template --limit N`, whose Python --lm-eval
names (it needs lm_eval[api,math,ifeval]); the tasks' YAML is lm-eval's own with the data set's place
replaced. The server keeps no prompts from one side for the other (no prefix cache). Both decode greedily
up to the budget, which replaces the tasks' `max_gen_toks`, without a seed in the request (vLLM's CPU build
crashes on seeds). --also-local decodes with the local engine too.

Of each document: is the prompt the same, is the text the same up to the task's stop string, what does
each metric say on either side; where a metric differs, why:
- null: our scorer could not say;
- cut: our completion reached the budget, and an answer that was cut is wrong without asking;
- thought: the thought never closed, or nothing follows it;
- other text: the two decodings differ (a server batches requests by when they come, and sums of
  floating-point numbers follow the batch), from the character that is said;
- other prompt: the two sides asked something else;
- grader: the text is the same, the score is not.
With --think the model's thought is split off before scoring, which lm-eval does by `think_end_token`.

Two tables are written, scores and times; the last line printed is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from _pages import ROOT, write_section
from _vllm_server import VLLMServer
from suite_data import STAND_INS

from deimos.bench.lm_eval.data_files import write_over
from deimos.bench.lm_eval.expand import list_tasks
from deimos.bench.lm_eval.problems import cut_at_stop
from deimos.bench.lm_eval.task_files import config_of, texts
from deimos.bench.tasks import close_judges, load_tasks
from deimos.evaluate.arms import Arm
from deimos.evaluate.models import open_models
from deimos.evaluate.samples import Evaluator, SampleSet
from deimos.evaluate.stats import accuracy
from deimos.evaluate.together import fill_together
from deimos.models.ref import ModelRef
from deimos.models.save import save_merged
from deimos.recipe import Recipe, TaskSettings, parse, validate
from deimos.recipe.runtime import Runtime
from deimos.store.journal import read, read_rows, write_rows
from deimos.store.schema import prompt_row
from deimos.types import Sampling

PROBLEMS, TIMES = "problems.jsonl", "times.json"


@dataclass(frozen=True)
class Document:
    """A document on both sides."""

    task: str
    ours: Mapping[str, float | None]
    """By metric and filter; None: could not be judged."""
    theirs: Mapping[str, float]
    same_prompt: bool
    same_text: bool
    why: str
    """Of a difference, if there is one."""


def recipe_of(args: argparse.Namespace, **changed: Any) -> Recipe:
    """A recipe with the suite, for the bench's own loading of tasks; ``changed`` are bench keys."""
    model: dict[str, Any] = {"id": str(args.model)}
    if not args.think:
        model |= {"tags": None}
    bench = {"suite": args.suite, "suite_data": str(args.data), "limit": args.limit} | changed
    return parse({"name": "beside", "model": model, "bench": bench,
                  "prompts": {"sources": [{"source": "lab"}]}})  # fmt: skip


def wanted_tasks(args: argparse.Namespace) -> list[TaskSettings]:
    """The suite's tasks, or those of --tasks: names of tasks and of groups."""
    every = list_tasks(recipe_of(args).bench)
    names = set(args.tasks.split(",")) if args.tasks else set()
    return [task for task in every if not names or {task.name, task.group} & names]


def run_ours(args: argparse.Namespace) -> None:
    """Decode and judge the tasks with one model into --work; what `--ours` does."""
    tasks = [task.model_dump(mode="json") for task in wanted_tasks(args)]
    recipe = recipe_of(args, suite=None, suite_data=None, tasks=tasks)
    ref = ModelRef(str(args.model), None, args.dtype, str(args.adapter) if args.adapter else None)
    options: dict[str, Any] = {"engine": "local", "max_batch": args.concurrency}
    if args.url:
        served = {
            "urls": [args.url],
            "model": "base",
            "concurrency": args.concurrency,
            "seeds": False,
        }
        served |= {"adapter_model": "tuned"} if args.adapter else {}
        options = {"engine": "openai", "engine_options": served}
    runtime = validate(Runtime, options, "runtime")
    tasks = load_tasks(recipe, [])
    arm = Arm(ref, Sampling(temperature=0.0, max_tokens=args.budget), None, "model", "greedy")
    with (
        close_judges(tasks),
        open_models({"model": ref}, runtime, recipe.model.thinking_tags()) as models,
    ):
        sets = [
            (SampleSet(arm, t.name, t.prompts, args.work / f"{t.name}.jsonl"), t.judge)
            for t in tasks
        ]
        evaluator = Evaluator(models, sets[0][1] or _never)
        asyncio.run(fill_together(evaluator, [(each, judge or _never) for each, judge in sets]))
    rows = [{**prompt_row(p), "task": t.name} for t in tasks for p in t.prompts]
    write_rows(args.work / PROBLEMS, rows)


async def _never(prompt: Any, answer: str) -> Any:
    raise AssertionError("all tasks of a suite have judges of their own")


def time_ours(args: argparse.Namespace, work: Path, adapter: Path | None, url: str) -> float:
    """Seconds of our side as a whole command."""
    command = [
        sys.executable, __file__, str(args.model), "--ours", "--data", str(args.data), "--suite",
        args.suite, "--limit", str(args.limit), "--budget", str(args.budget), "--dtype", args.dtype,
        "--concurrency", str(args.concurrency), "--work", str(work), "--tasks", args.tasks or "",
        *(["--url", url] if url else []), *(["--adapter", str(adapter)] if adapter else []),
        *(["--think"] if args.think else []),
    ]  # fmt: skip
    return _time(command, os.environ, work / "ours.log")


def time_theirs(args: argparse.Namespace, work: Path, served: str, url: str) -> float:
    """Seconds of lm-eval's own command."""
    files = work / "yaml"
    files.mkdir(parents=True, exist_ok=True)
    paths = []
    for task in wanted_tasks(args):
        config, own = config_of(task)
        paths.append(str(write_over(config, task, own[0], files)))
    model = f"model={served},base_url={url}/chat/completions,num_concurrent={args.concurrency},max_retries=3,timeout=3600"
    if args.think:
        model += ",think_end_token=</think>"
    command = [
        args.lm_eval, "-m", "lm_eval", "run", "--model", "local-chat-completions", "--model_args",
        model, "--tasks", ",".join(paths), "--limit", str(args.limit), "--apply_chat_template",
        "--log_samples", "--output_path", str(work / "out"), "--gen_kwargs",
        f"max_gen_toks={args.budget},temperature=0,seed=None",
    ]  # fmt: skip
    return _time(command, os.environ, work / "lm_eval.log")


def _time(command: list[str], environment: Mapping[str, str], log: Path) -> float:
    log.parent.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    with log.open("w") as file:
        done = subprocess.run(command, env=dict(environment), stdout=file, stderr=file)
    if done.returncode:
        sys.exit(f"{' '.join(command[:6])} … failed:\n{log.read_text()[-3000:]}")
    return time.monotonic() - begin


def compare(args: argparse.Namespace, ours: Path, theirs: Path) -> list[Document]:
    """All documents of all tasks on both sides."""
    asked: dict[str, dict[str, Any]] = {}
    for row in read_rows(ours / PROBLEMS):
        asked.setdefault(row["task"], {})[row["reference"]["document"]] = row
    found = []
    for task in wanted_tasks(args):
        config, _ = config_of(task)
        stops = list(texts((config.get("generation_kwargs") or {}).get("until")))
        answered = {
            row["prompt_id"]: row for row in read(ours / f"{task.name}.jsonl") if row["verdict"]
        }
        for doc, rows in _samples(theirs, str(config["task"])).items():
            problem = asked[task.name][doc]
            found.append(_compare_one(task, problem, answered[problem["id"]], rows, stops))
    return found


def _samples(folder: Path, task: str) -> dict[str, list[dict[str, Any]]]:
    """lm-eval's rows of a task by document: one row a filter."""
    (path,) = folder.rglob(f"samples_{task}_*.jsonl")
    found: dict[str, list[dict[str, Any]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found.setdefault(_document_hash(row["doc"]), []).append(row)
    return found


def _document_hash(doc: Mapping[str, Any]) -> str:
    """As ``bench/lm_eval/problems.py`` names a document."""
    import hashlib

    return hashlib.sha256(json.dumps(doc, sort_keys=True, default=str).encode()).hexdigest()


def _compare_one(
    task: TaskSettings, problem: Mapping[str, Any], row: Mapping[str, Any],
    theirs: list[dict[str, Any]], stops: list[str],
) -> Document:  # fmt: skip
    verdict = row["verdict"]
    mine: dict[str, Any] = verdict.get("metrics") or {}
    scores = {
        f"{metric},{each['filter']}": float(each[metric])
        for each in theirs for metric in each["metrics"]
        if isinstance(each[metric], bool | int | float)
    }  # fmt: skip
    # An answer that nobody was asked about is wrong by every metric; one that no scorer could read is null.
    missing = None if verdict["ok"] is None else 0.0
    ours = {name: mine.get(name, missing) for name in scores}
    text, other = cut_at_stop(row["answer"], stops), str(theirs[0]["resps"][0][0])
    same_prompt = (
        json.loads(theirs[0]["arguments"]["gen_args_0"]["arg_0"][0]) == problem["messages"]
    )
    same_text = text.strip() == other.strip()
    why = ""
    if any(ours[name] != scores[name] for name in scores):
        at = next(
            (i for i, (a, b) in enumerate(zip(text, other)) if a != b), min(len(text), len(other))
        )
        why = (
            f"null: {verdict['because']}" if verdict["ok"] is None
            else "other prompt" if not same_prompt
            else "cut" if row["finish"] == "length"
            else "thought" if verdict["stage"] == "structure"
            else f"other text, from character {at}" if not same_text
            else "grader"
        )  # fmt: skip
    return Document(task.name, ours, scores, same_prompt, same_text, why)


def score_rows(args: argparse.Namespace, who: str, documents: Iterable[Document]) -> list[str]:
    """Lines of the table of scores: each benchmark, each of its metrics."""
    groups = {task.name: task.group or task.name for task in wanted_tasks(args)}
    stand_ins = [line.partition("/")[0] for line in (args.data / STAND_INS).read_text().split()] \
        if (args.data / STAND_INS).is_file() else []  # fmt: skip
    marked = {t.group or t.name for t in wanted_tasks(args) if Path(t.data or "").name in stand_ins}
    by_group: dict[str, list[Document]] = {}
    for each in documents:
        by_group.setdefault(groups[each.task], []).append(each)
    lines = []
    for name, docs in by_group.items():
        for metric in docs[0].theirs:
            judged = [d for d in docs if d.ours[metric] is not None]
            differ = [d for d in docs if d.ours[metric] != d.theirs[metric]]
            why = Counter(d.why.partition(",")[0].partition(":")[0] for d in differ)
            lines.append(
                f"| {who} | {name}{' †' if name in marked else ''} | `{metric}` | {len(docs)} "
                f"| {_share([d.ours[metric] or 0.0 for d in judged])} "
                f"| {_share([d.theirs[metric] for d in docs])} | {len(differ)} "
                f"| {', '.join(f'{reason} {n}' for reason, n in why.most_common()) or 'none'} "
                f"| {sum(d.same_prompt for d in docs)} | {sum(d.same_text for d in docs)} |"
            )
    return lines


def _share(values: list[float]) -> str:
    value, ci = accuracy(values)
    return (
        "none judged" if value is None or ci is None else f"{value:.3f} [{ci[0]:.2f}, {ci[1]:.2f}]"
    )


def measure(args: argparse.Namespace, work: Path) -> tuple[list[str], list[str], dict[str, Any]]:
    """Both sides of each model; lines of the two tables, and all documents that differ."""
    models: dict[str, Path | None] = {
        "base": None,
        **({"tuned": args.adapter} if args.adapter else {}),
    }
    scores, times, differing = [], [], []
    for name, adapter in models.items():
        here = work / name
        if not (here / TIMES).is_file():
            _time_both(args, here, name, adapter)
        took = json.loads((here / TIMES).read_text())
        ours, theirs = took["ours"], took["theirs"]
        times.append(
            f"| {name} | {ours['seconds']:.0f} | {theirs['seconds']:.0f} "
            f"| {ours['seconds'] / theirs['seconds']:.2f} | {ours['tokens']} | {theirs['tokens']} |"
        )
        sides = {f"{name}, server": here / "server"}
        if args.also_local:
            if not (here / "local" / PROBLEMS).is_file():
                time_ours(args, here / "local", adapter, "")
            sides[f"{name}, local engine"] = here / "local"
        for who, folder in sides.items():
            documents = compare(args, folder, here / "theirs" / "out")
            scores += score_rows(args, who, documents)
            differing += [{"who": who, "task": d.task, "ours": d.ours, "theirs": d.theirs, "why": d.why}
                          for d in documents if d.why]  # fmt: skip
    return scores, times, {"documents_that_differ": differing}


def _time_both(args: argparse.Namespace, here: Path, name: str, adapter: Path | None) -> None:
    """Both sides of one model on one server; seconds and tokens decoded go into ``here``."""
    with ExitStack() as held:
        url, count = args.url, lambda: None
        if not url:
            folder = args.model
            if adapter is not None:
                folder = here / "merged"
                save_merged(ModelRef(str(args.model), adapter=str(adapter)), folder, {})
            # The second side would find the first one's prompts in the cache.
            more = ["--served-model-name", name, "--no-enable-prefix-caching"]
            server = VLLMServer(args.python, str(folder), dtype=args.dtype, more=more)
            held.enter_context(server)
            url, count = server.url, server.generated
        before = count()
        theirs = time_theirs(args, here / "theirs", name, url)
        middle = count()
        ours = time_ours(args, here / "server", adapter, url)
        after = count()
    counts = [
        "not measured" if first is None or last is None else last - first
        for first, last in ((before, middle), (middle, after))
    ]
    took = {
        "theirs": {"seconds": theirs, "tokens": counts[0]},
        "ours": {"seconds": ours, "tokens": counts[1]},
    }
    (here / TIMES).write_text(json.dumps(took))


def page(args: argparse.Namespace, scores: list[str], times: list[str]) -> str:
    """The section of the results page."""
    asked = f"python benchmarks/suite_beside_lm_eval.py MODEL --data DATA --suite {args.suite} " \
            f"--limit {args.limit} --budget {args.budget} --concurrency {args.concurrency}"  # fmt: skip
    asked += " --adapter ADAPTER" * bool(args.adapter) + " --also-local" * args.also_local
    return "\n".join([
        "## Beside lm-eval's own run", "",
        f"`{asked}`, {args.name}, {time.strftime('%Y-%m-%d')}; lm-eval {version('lm_eval')}, "
        f"{platform.machine()}, {os.cpu_count()} cores. Greedy; the first {args.limit} documents of each of "
        "lm-eval's tasks, so of a group as many of each of its tasks. Scores are fractions with Wilson's 95% "
        "interval; the last two columns count documents. † on stand-ins (`suite_data.py`): it shows that the task "
        "runs, and the score means nothing.", "",
        "| model, engine | task | metric | n | ours | lm-eval | differ | why | same prompt | same text |",
        "|---|---|---|---|---|---|---|---|---|---|", *scores, "",
        "The tuned model is the base with its adapter merged in float32, on the server as on the local engine. "
        * bool(args.adapter) +
        "Whole commands on the same server, imports and loading included, one after the other:", "",
        "| model | ours, s | lm-eval, s | ours / lm-eval | tokens decoded, ours | tokens decoded, lm-eval |",
        "|---|---|---|---|---|---|", *times,
    ])  # fmt: skip


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    for name in ("--data", "--adapter", "--work"):
        parser.add_argument(name, type=Path, required=name == "--data")
    parser.add_argument("--suite", default="card")
    parser.add_argument("--tasks", default="")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--url", default="")
    parser.add_argument("--name", default="a model")
    parser.add_argument("--lm-eval", default=sys.executable)
    parser.add_argument("--python", type=Path, default=ROOT / ".venv-vllm/bin/python")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/bench.md")
    for name, value in (("--limit", 4), ("--budget", 512), ("--concurrency", 8)):
        parser.add_argument(name, type=int, default=value)
    for name in ("--ours", "--also-local", "--think"):
        parser.add_argument(name, action="store_true")
    args = parser.parse_args()
    if args.ours:
        return run_ours(args)
    with tempfile.TemporaryDirectory() as folder:
        work = args.work or Path(folder)
        scores, times, found = measure(args, work)
    write_section("beside lm-eval", page(args, scores, times), args.out)
    print("\n".join([*scores, *times]))
    print(json.dumps(found))
    return None


if __name__ == "__main__":
    main()
