"""A small synthetic run folder: every contract file, seeded fake data, no model anywhere.

The numbers are invented; only their shapes and places are those of a real run.
"""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from statistics import median
from typing import Any

from deimos.bench import tables
from deimos.recipe import Recipe, parse
from deimos.store.journal import Journal
from deimos.store.keys import keys_path, write_keys

Row = dict[str, Any]
CONFIGS = ("recommended", "locked")
MODELS = ("base", "tuned")
BUDGET = 512
TIGHT = 110
HOSTILE = '<script>document.title="owned"</script><img src=x onerror=alert(1)> & "quotes"'
"""Stands in a problem, a thought, an answer and a reason of every run folder written here."""

OVERLAPS: Row = {
    "tests": 1500, "overlaps": 3, "by_rule": {"13-gram": 2, "exact": 1}, "by_task": {"sums": 3},
    "by_test": {"lab_math": 3}, "unchecked": None,
}  # fmt: skip
"""What the prompts stage counted of overlaps with the tests."""


def recipe(model: str = "lab") -> Recipe:
    """A recipe as a user would write it."""
    sources = [{"source": "lab", "take": 400}]
    tasks = [
        {"name": f"lab-{kind}", "source": {"source": "lab", "options": {"kinds": [kind]}}}
        for kind in ("math", "choice")
    ]
    return parse(
        {
            "name": "lab",
            "model": {"id": model},
            "prompts": {"sources": sources},
            "bench": {"tasks": tasks, "budget": BUDGET},
        }
    )


def write_run(top: Path, *, problems: int = 120, seed: int = 7) -> dict[str, Path]:
    """Write a whole run; returns stage name to folder."""
    rng = random.Random(seed)
    stages = ("prompts", "sample", "select", "train", "bench")
    folders = {stage: top / f"{stage}-{rng.getrandbits(32):08x}" for stage in stages}
    for folder in folders.values():
        folder.mkdir(parents=True)
    train = [_problem(rng, "train", i) for i in range(60)]
    _plain(folders["prompts"] / "train.jsonl", train)
    _plain(folders["prompts"] / "dev.jsonl", [_problem(rng, "dev", i) for i in range(10)])
    decoded = _sampling(folders, train, rng)
    _training(folders["train"], rng)
    _bench(folders["bench"], problems, rng)
    records: dict[str, Row] = {
        "prompts": {"train": 60, "dev": 10, "decontaminated": 3, "decontamination": OVERLAPS},
        "sample": decoded,
        "select": {"gold": 55},
        "train": {"examples": 55, "dropped": 0, "train_loss_first": 0.91, "train_loss_last": 0.19},
        "bench": {"problems": problems, "contaminated": 0, "timed_problems": 48},
    }
    for stage, counts in records.items():
        _record(folders[stage], stage, counts, rng)
    return folders


def _record(folder: Path, stage: str, counts: Row, rng: random.Random) -> None:
    versions = {"python": "3.11.9", "deimos": "0.1.0", "torch": "2.13.0", "transformers": "5.19.0"}
    record = {
        "stage": stage,
        "finished": "2026-11-24T12:00:00+00:00",
        "fingerprint": f"{rng.getrandbits(256):064x}",
        "inputs": {},
        "versions": versions,
        "counts": counts,
        "seconds": round(rng.uniform(3, 90), 1),
    }
    (folder / "record.json").write_text(json.dumps(record), encoding="utf-8")


def _problem(rng: random.Random, split: str, index: int) -> Row:
    kind = "math" if index % 3 else "choice"
    start, more, times = rng.randint(3, 40), rng.randint(2, 9), rng.randint(2, 4)
    text = (
        f"Nina has {start} shells. She finds {more} shells on each of {times} days. "
        f"How many shells has she now?{' ' + HOSTILE if index == 1 else ''}"
    )
    return {
        "id": f"{split}{index:060x}",
        "task": f"lab-{kind}",
        "kind": kind,
        "messages": [{"role": "user", "content": text}],
        "reference": str(start + more * times),
        "source": "lab",
        "licence": "Apache-2.0",
    }


def _thought(rng: random.Random, sentences: int) -> str:
    fillers = [
        "Okay, let me think about this step by step.",
        "The problem says: Nina has 12 shells.",
        "Wait, is that right? Yes, I need to add 7.",
        "Let me check: 12 + 7 = 19, good.",
        "Let me go over it again. 12 + 7 = 19. 19 + 7 = 26.",
    ]
    return " ".join(["12 + 7 = 19.", *rng.choices(fillers, k=sentences)])


def _completion(
    rng: random.Random, prompt_id: str, index: int, length: float, right: float, terse: bool
) -> Row:
    think_tokens = max(1, round(length * math.exp(rng.gauss(0, 0.55 if not terse else 0.4))))
    answer_tokens = rng.randint(5, 14)
    finish = "stop" if think_tokens + answer_tokens + 3 <= BUDGET else "length"
    think_tokens = min(think_tokens, BUDGET)
    think = _thought(rng, think_tokens // 14)
    answer = "Nina has \\boxed{26} shells now." if finish == "stop" else ""
    if rng.random() < 0.05:
        think += f" {HOSTILE}"
        answer = f"{answer} {HOSTILE}" if answer else ""
    ok = finish == "stop" and rng.random() < right
    because = "26 is the reference" if ok else f"26 is not the reference 33 {HOSTILE}"
    return {
        "prompt_id": prompt_id,
        "index": index,
        "seed": 0,
        "think": think,
        "answer": answer,
        "text": f"<think>{think}</think>{answer}",
        "prompt_ids": [1, 2, 3],
        "completion_ids": list(range(min(think_tokens + answer_tokens + 3, BUDGET))),
        "think_tokens": think_tokens,
        "answer_tokens": answer_tokens if answer else 0,
        "finish": finish,
        "outpaced_by": None,
        "seconds": think_tokens / 90,
        "engine": "local/transformers-5.19.0",
        "verdict": {"ok": ok, "because": because, "stage": "correctness"},
    }


def _sampling(folders: dict[str, Path], train: list[Row], rng: random.Random) -> Row:
    verdicts, gold, tokens = [], [], 0
    with Journal(folders["sample"] / "completions" / "part-0.jsonl") as log:
        for prompt in train:
            for index in range(8):
                row = _completion(rng, prompt["id"], index, 150, 0.8, terse=False)
                _spoil(row, rng)
                log.append(row | {"key": _key(row)})
                tokens += len(row["completion_ids"])
                verdicts.append(
                    _selected(row, kept=not gold or gold[-1]["prompt_id"] != prompt["id"])
                )
                if verdicts[-1]["ok"]:
                    gold.append(_gold(prompt, row))
    _plain(folders["select"] / "verdicts.jsonl", verdicts)
    _plain(folders["select"] / "gold.jsonl", gold)
    keys = {(prompt["id"], index): f"key-{index}" for prompt in train for index in range(8)}
    write_keys(keys_path(folders["sample"]), {"completions": keys})
    constants = {"function_word_rate_p5": 0.2, "dev_total_tokens_p25": TIGHT, "dev_n": 10}
    (folders["sample"] / "constants.json").write_text(json.dumps(constants), encoding="utf-8")
    return {"prompts": 60, "completions": 480, "decoded_tokens": tokens, "seconds": 61.5}


def _gold(prompt: Row, row: Row) -> Row:
    taken = ("prompt_id", "index", "prompt_ids", "completion_ids", "think_tokens", "answer_tokens")
    asked = {name: prompt[name] for name in ("id", "kind", "task", "messages")}
    counts = {"ids": "sampled", "passed": 3, "judged": 4, "pass_rate": None}
    return {**asked, **{name: row[name] for name in taken}, **counts}


def _key(row: Row) -> str:
    return f"key-{row['index']}"


def _selected(row: Row, kept: bool) -> Row:
    """A row of ``verdicts.jsonl``: of what passed, the first of each prompt is kept."""
    outpaced = {"ok": False, "because": "outpaced by 0", "stage": "length"}
    said = row["verdict"] or outpaced
    if said["ok"]:
        because = "shortest of 3 that pass" if kept else "shortest: candidate 0 with 40 is kept"
        said = {"ok": kept, "because": because, "stage": "length"}
    return {"prompt_id": row["prompt_id"], "index": row["index"], "finish": row["finish"], **said}


def _spoil(row: Row, rng: random.Random) -> None:
    draw = rng.random()
    if draw < 0.45:
        row |= {"finish": "outpaced", "outpaced_by": 0, "verdict": None, "answer": ""}
    elif draw < 0.5:
        because = f"the thought never closes {HOSTILE}"
        row["verdict"] = {"ok": False, "because": because, "stage": "structure"}
    elif draw < 0.53:
        because = "the answer is a fragment: function words 0.05, at least 0.20 wanted"
        row["verdict"] = {"ok": False, "because": because, "stage": "presentation"}
    elif draw < 0.54:
        row["verdict"] = {"ok": None, "because": "timed out", "stage": "correctness"}


def _training(folder: Path, rng: random.Random) -> None:
    rows = [{"step": s, "loss": 0.9 * math.exp(-s / 6) + rng.random() / 20} for s in range(12)]
    _plain(folder / "metrics.jsonl", rows)


def _bench(folder: Path, problems: int, rng: random.Random) -> None:
    asked = [_problem(rng, "test", i) for i in range(problems)]
    _plain(folder / "prompts.jsonl", asked)
    samples: dict[tuple[str, str], list[Row]] = {}
    names: dict[str, dict[tuple[str, int], str]] = {}
    for model in MODELS:
        for config in CONFIGS:
            # The tuned model is less often right at one config and longer at the other, so that
            # rows mix numbers of both.
            length = {"base": 190, "tuned": 62 if config == "recommended" else 80}[model]
            right = 0.84 if (model, config) == ("tuned", "recommended") else 0.87
            own = [
                _completion(rng, p["id"], 0, length, right, terse=model == "tuned")
                | {"task": p["task"], "model": model, "config": config}
                for p in asked
            ]
            samples[model, config] = [row | {"ok": row["verdict"]["ok"]} for row in own]
            for task in sorted({p["task"] for p in asked}):
                with Journal(folder / "samples" / f"{task}-{model}-{config}.jsonl") as log:
                    for row in samples[model, config]:
                        if row["task"] == task:
                            log.append(row | {"key": _key(row)})
                names[f"{task}-{model}-{config}"] = {
                    (row["prompt_id"], 0): _key(row)
                    for row in samples[model, config]
                    if row["task"] == task
                }
    write_keys(keys_path(folder), names)
    _tables(folder, samples, ["all", *sorted({p["task"] for p in asked})])


def _tables(folder: Path, samples: dict[tuple[str, str], list[Row]], tasks: list[str]) -> None:
    bench, compare, full, curve = [], [], [], []
    for task in tasks:
        for setting in ("ship", "equal", "tight"):
            budget = TIGHT if setting == "tight" else BUDGET
            rows = {
                model: {
                    config: _bench_row(samples[model, config], model, setting, task, budget)
                    | {"config": config}
                    for config in CONFIGS
                }
                for model in MODELS
            }
            if setting == "ship":
                base, tuned = rows["base"]["recommended"], rows["tuned"]["locked"]
                bench += [base, tuned]
                compare.append(_compare_row(base, tuned) | {"config": None})
                continue
            each = {c: _compare_row(rows["base"][c], rows["tuned"][c]) for c in CONFIGS}
            merged = tables.pick_least_flattering(each)
            compare.append(merged)
            bench += [tables.merge_chosen(rows[model], merged["config"]) for model in MODELS]
            full += [*(rows[model][c] for model in MODELS for c in CONFIGS), *each.values()]
        for config in CONFIGS:
            for model in MODELS:
                for budget in sorted({*(round(16 * 1.35**i) for i in range(12)), TIGHT, BUDGET}):
                    row = _bench_row(samples[model, config], model, "", task, budget)
                    kept = {k: row[k] for k in ("budget", "n", "accuracy", "accuracy_ci")}
                    curve.append(
                        {"task": task, "thinking": True, "config": config, "model": model, **kept}
                    )
    _plain(folder / "bench.jsonl", bench)
    _plain(folder / "compare.jsonl", compare)
    _plain(folder / "by_config.jsonl", full)
    _plain(folder / "budget_curve.jsonl", curve)


def _bench_row(rows: list[Row], model: str, setting: str, task: str, budget: int) -> Row:
    rows = [row for row in rows if task in ("all", row["task"])]
    inside = [row["ok"] and len(row["completion_ids"]) <= budget for row in rows]
    accuracy = sum(inside) / len(rows)
    half = 1.96 * math.sqrt(accuracy * (1 - accuracy) / len(rows))
    think = [min(row["think_tokens"], budget) for row in rows]
    return {
        "model": model,
        "setting": setting,
        "thinking": True,
        "budget": budget,
        "repeats": 1,
        "task": task,
        "n": len(rows),
        "accuracy": accuracy,
        "accuracy_ci": [max(0, accuracy - half), min(1, accuracy + half)],
        "think_tokens_median": median(think),
        **{f"{name}_tokens_median_ci": [40, 60] for name in ("think", "answer", "total")},
        "answer_tokens_median": median(row["answer_tokens"] for row in rows),
        "total_tokens_median": median(min(len(row["completion_ids"]), budget) for row in rows),
        "chars_median": median(len(row["text"]) for row in rows),
        "finished": sum(len(r["completion_ids"]) < budget for r in rows) / len(rows),
        "empty_think": 0.0,
        "unjudged": 0,
        "seconds_per_problem": None if setting == "tight" else {"base": 2.31, "tuned": 0.87}[model],
    }


def _compare_row(base: Row, tuned: Row) -> Row:
    delta = tuned["accuracy"] - base["accuracy"]
    half = 1.96 * math.sqrt(0.2 / base["n"])
    reduction = 1 - tuned["think_tokens_median"] / base["think_tokens_median"]
    total = 1 - tuned["total_tokens_median"] / base["total_tokens_median"]
    timed = base["setting"] == "equal"
    return {
        "setting": base["setting"],
        "thinking": True,
        "task": base["task"],
        "budget": base["budget"],
        "n": base["n"],
        "accuracy_delta": delta,
        "accuracy_delta_ci": [delta - half, delta + half],
        "smallest_detectable": 1.43 * half,
        "think_tokens_reduction": reduction,
        "think_tokens_reduction_ci": [reduction - 0.04, reduction + 0.03],
        "total_tokens_reduction": total,
        "total_tokens_reduction_ci": [total - 0.04, total + 0.03],
        "seconds_reduction": 1 - 0.87 / 2.31 if timed else None,
        "finished_more": delta / 2,
        "reasoned_better": delta / 2,
        "config": base["config"],
    }


def _plain(path: Path, rows: list[Row]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
