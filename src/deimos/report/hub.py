"""What the Hub reads of a run by program: the card's front matter, and ``.eval_results/*.yaml``.

The formats are those of the Hub's pages "Model cards" and "Evaluation results"
(huggingface.co/docs/hub/model-cards and /eval-results, read in November 2026), and what is written
is read back by ``huggingface_hub.parse_eval_result_entries``. Scores are percentages there, as on
the Hub's leaderboards. Only a task whose problems came from a Hub data set has a file. Nothing is
guessed and nothing is asked of a network.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deimos import __version__
from deimos.prompts.dataset import Dataset
from deimos.registry import BUILTIN
from deimos.report import decoding_labels, formatting
from deimos.report.markdown import show_hidden
from deimos.report.results import RunResults
from deimos.store.schema import AnyRow, Row

HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*")
_SOURCE = re.compile(
    rf"(?:lm_eval:)?(?P<id>{HUB_ID.pattern})(?:@(?P<commit>[0-9a-f]*))?(?::(?P<split>[^:]+))?"
)
"""``Prompt.source`` of a Hub data set: id, commit and split, of an lm-eval task perhaps the id only."""
TASK_IDS: Mapping[str, str] = {
    "openai/gsm8k": "gsm8k",
    "TIGER-Lab/MMLU-Pro": "mmlu_pro",
    "Idavidrein/gpqa": "gpqa_diamond",
    "cais/hle": "hle",
    "MathArena/aime_2025": "MathArena/aime_2025",
    "MathArena/aime_2026": "MathArena/aime_2026",
}
"""Data sets that are benchmarks on the Hub, and what their ``eval.yaml`` calls the task."""
POOLED = "all"
"""The task of rows that pool every task."""
OTHER_TASK = "default"
"""Of other data sets: the Hub's own example."""
SETTINGS = ("ship", "equal")
"""Where a task's score is taken from: the tuned model as it is shipped, if that was measured."""
MARK = "# Written by Deimos"
"""First words of each file; a later report replaces only files that begin so."""
PACKAGE_LICENCE = "apache-2.0"
"""Of the lab model, which is part of this package."""


@dataclass(frozen=True)
class TestData:
    """The Hub data set of a task's problems."""

    __test__ = False  # no test class, whatever pytest makes of the name

    dataset: str
    revision: str
    """The first characters of the commit; empty if none is recorded."""
    split: str
    """Empty if none is recorded."""


def front_matter(run: RunResults) -> str:
    """The YAML block the Hub reads; what was not recorded is left out, never guessed."""
    front: dict[str, Any] = {"language": ["en"]} if run.lab else {}
    front |= {"pipeline_tag": "text-generation", "library_name": "peft"}
    if base := base_on_hub(run):
        front |= {"base_model": base, "base_model_relation": "adapter"}
    front |= licence_fields(run)
    front["tags"] = ["deimos", "reasoning", "terse-reasoning", "lora"]
    if run.lab:
        front["tags"].append("toy")
    if datasets := training_datasets(run):
        front["datasets"] = datasets
    return yaml.safe_dump(front, sort_keys=False, width=10_000).strip()


def base_on_hub(run: RunResults) -> str | None:
    """The base's Hub id; None for the lab, for a local folder, and for what another run has trained."""
    name = run.recipe.model.id or ""
    return name if HUB_ID.fullmatch(name) and not Path(name).is_dir() else None


def licence_fields(run: RunResults) -> dict[str, str]:
    """The licence as the Hub wants it: an adapter stands under that of its base, which is linked."""
    if run.lab:
        return {"license": PACKAGE_LICENCE}
    if base := base_on_hub(run):
        link = f"https://huggingface.co/{base}"
        return {"license": "other", "license_name": "as-base-model", "license_link": link}
    return {}


def licence(run: RunResults) -> str:
    """What is known of the adapter's licence, in sentences."""
    if run.lab:
        return "The lab model and this adapter: Apache-2.0."
    return (
        "An adapter is of use only with its base model, so the base model's licence holds for it "
        "as well: read it there. This run has not recorded it."
    )


def training_datasets(run: RunResults) -> list[str]:
    """Hub ids of the data sets that the training prompts came from, in order of name."""
    found = map(_read_source, run.artifacts.prompt_origins())
    return sorted({data.dataset for data in found if data})


def test_data(run: RunResults) -> dict[str, TestData]:
    """By task, the one Hub data set that all of its problems came from."""
    origins = run.artifacts.problem_origins()
    sources: dict[str, set[str]] = {}
    for outcome in run.outcomes:
        sources.setdefault(outcome.task, set()).add(origins.get(outcome.prompt_id, ""))
    found: dict[str, TestData] = {}
    for task, own in sources.items():
        kinds = {_read_source(source) for source in own}
        only = kinds.pop() if len(kinds) == 1 else None
        if only:
            found[task] = only
    return found


def _read_source(source: str) -> TestData | None:
    """The Hub data set that ``Prompt.source`` names; None if it is a file, the lab or unknown."""
    match = _SOURCE.fullmatch(source)
    if match:
        return TestData(match["id"], match["commit"] or "", match["split"] or "")
    return None


def _subset(run: RunResults, task: str) -> str | None:
    """The Hub's name of the subset that a task's problems are of, if its source says one."""
    source = next((t.source for t in run.recipe.bench.tasks if t.name == task), None)
    if source is None:
        return None
    if source.options.get("config"):
        return str(source.options["config"])
    module = BUILTIN["source"].get(source.source, "").partition(":")[0]
    every = vars(importlib.import_module(module)).values() if module else ()
    declared = (each for each in every if isinstance(each, Dataset))
    return next((data.config for data in declared if data.name == source.source), None)


def eval_results(run: RunResults) -> dict[str, str]:
    """The files of ``.eval_results``: name to text, one a task, or one a group of a data set's parts.

    The value is the tuned model's accuracy in percent; setting, decoding, n and interval stand in
    its notes. Parts of a data set that no row pools have no file: a part's score is not the whole's.
    """
    files: dict[str, str] = {}
    for data, tasks in _by_data(run).items():
        parts: dict[bool, list[AnyRow]] = {}
        for task in tasks:
            if row := _score(run, task):
                parts.setdefault(row.get("thinking") is False, []).append(row)
        for rows in parts.values():
            row = rows[0] if len(rows) == 1 else _pooled(run, rows)
            if row is not None:
                entry = _entry(run, row, data, _subset(run, row["task"]))
                text = yaml.safe_dump([entry], sort_keys=False, width=10_000)
                files[f"{_file_name(row['task'])}.yaml"] = f"{MARK} {__version__}.\n{text}"
    return files


def _by_data(run: RunResults) -> dict[TestData, list[str]]:
    found: dict[TestData, list[str]] = {}
    for task, data in test_data(run).items():
        found.setdefault(data, []).append(task)
    return found


def _pooled(run: RunResults, parts: Sequence[AnyRow]) -> AnyRow | None:
    """The row of a group that pools exactly these tasks: none of them, and as many problems."""
    own, wanted = {row["task"] for row in parts}, sum(row["n"] for row in parts)
    same = {key: parts[0].get(key) for key in ("model", "setting", "thinking")}
    groups = (
        row
        for row in run.bench
        if same.items() <= row.items() and row["task"] not in own | {POOLED} and row["n"] == wanted
    )
    return next(groups, None)


def _entry(run: RunResults, row: AnyRow, data: TestData, subset: str | None) -> Row:
    dataset = {"id": data.dataset, "task_id": TASK_IDS.get(data.dataset, OTHER_TASK)}
    if len(data.revision) == 40:
        dataset["revision"] = data.revision
    finished = run.records.get("bench", {}).get("finished")
    return {
        "dataset": dataset,
        "value": round(100 * row["accuracy"], 2),
        **({"date": finished[:10]} if isinstance(finished, str) else {}),
        "notes": show_hidden(_notes(run, row, data, subset)),
    }


def _notes(run: RunResults, row: AnyRow, data: TestData, subset: str | None) -> str:
    switches: dict[Any, str] = {True: "thinking on", False: "thinking off"}
    ci = formatting.interval(row.get("accuracy_ci"), lambda v: formatting.percent(v, 1))
    problems = [
        f"task {row['task']} of {data.dataset}{f' at {data.revision}' if data.revision else ''}",
        f"subset {subset}" if subset else "",
        f"split {data.split}" if data.split else "",
        formatting.plural(row["n"], "problem"),
    ]
    parts = (
        ", ".join(filter(None, problems)),
        f"95% interval {ci}" if ci else "",
        f"{formatting.plural(row.get('repeats') or 1, 'sample')} a problem",
        switches.get(row.get("thinking"), ""),
        f"setting {row['setting']}, budget {formatting.number(row.get('budget'))} tokens",
        f"config {decoding_labels.shorten_config(row)}",
        f"base {run.recipe.model.name} with a LoRA adapter, measured by Deimos {__version__}",
    )
    return "; ".join(part for part in parts if part)


def _score(run: RunResults, task: str) -> AnyRow | None:
    """The tuned model's row of a task, thinking on if both were measured."""
    for setting in SETTINGS:
        own = [
            row
            for row in run.bench
            if row["model"] == "tuned" and row["setting"] == setting and row["task"] == task
        ]
        measured = [row for row in own if row.get("accuracy") is not None]
        if measured:
            return min(measured, key=lambda row: row.get("thinking") is False)
    return None


def _file_name(task: str) -> str:
    """A task's name as a file's: what could mean anything to a file system is replaced."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", task).lstrip(".-")[:100] or "task"


def find_stale(names: Iterable[Path], wanted: Mapping[str, str]) -> list[Path]:
    """The files of an earlier report that this one does not write."""
    return [
        path
        for path in names
        if path.name not in wanted and path.read_text("utf-8", "replace").startswith(MARK)
    ]
