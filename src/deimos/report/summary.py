"""``summary.json``: the run's numbers for other programs. Its fields are a contract.

Strict JSON: a number that is not finite is null.
"""

from __future__ import annotations

import math
from typing import Any

from deimos.report import incidents
from deimos.report.rejects import Rejects, count_by_stage
from deimos.report.results import RunResults
from deimos.store.schema import AnyRow, Row

SAMPLE = ("prompts", "completions", "decoded_tokens", "seconds")


def summary(run: RunResults, tally: Rejects) -> Row:
    """Collect ``prompts``, ``sample``, ``select``, ``bench``, ``compare``, ``routing``, ``routed``, ``engines`` and ``environment``."""
    return _finite(
        {
            "prompts": prompt_counts(run),
            "sample": sample_counts(run),
            "select": {
                "gold": tally.gold,
                "rejects": count_by_stage(tally),
                "unjudged": tally.unjudged,
                "unjudged_because": dict(tally.unjudged_because),
                "second": tally.second.shares(),
                **_by_proposer(run),
            },
            "bench": run.bench,
            "compare": run.compare,
            "routing": run.artifacts.routing(),
            "routed": run.artifacts.routed(),
            "engines": incidents.engines(run),
            "environment": environment(run),
        }
    )


def prompt_counts(run: RunResults) -> Row:
    """Prompts to train on and to decide by, and how many were dropped; null where not measured."""
    recorded = run.counts("prompts")
    return {
        name: recorded.get(name) for name in ("train", "dev", "decontaminated", "decontamination")
    }


def _by_proposer(run: RunResults) -> Row:
    """Counts of each proposer, under ``proposers``, if the recipe names any."""
    found = run.counts("select").get("proposers")
    return {"proposers": found} if found else {}


def sample_counts(run: RunResults) -> Row:
    """Prompts, completions, decoded tokens and seconds: as recorded, else counted from the rows.

    ``decoded_tokens`` counts every token that was decoded, those of stopped candidates too.
    So ``seconds`` are the whole stage's over all its attempts, loading included, and not those of
    the race that ended it. Without the stage, each is null.
    """
    seconds = run.records.get("sample", {}).get("seconds")
    recorded = {**run.counts("sample"), "seconds": seconds}
    if any(recorded.get(name) is None for name in SAMPLE[:3]):
        recorded = {**_counted(run), **{k: v for k, v in recorded.items() if v is not None}}
    return {name: recorded.get(name) for name in SAMPLE}


def environment(run: RunResults) -> Row:
    """The environment that each stage recorded; one entry if all stages agree."""
    found: AnyRow = {}
    for stage, record in run.records.items():
        seen = {**(record.get("environment") or {})}
        if record.get("versions"):
            seen["versions"] = record["versions"]
        if seen:
            found[stage] = seen
    kinds = list(found.values())
    return {"all stages": kinds[0]} if kinds and all(k == kinds[0] for k in kinds) else found


def _counted(run: RunResults) -> Row:
    """From the journals; a candidate that went on decoding has several rows, its last counts."""
    tokens: dict[tuple[str, int], int] = {}
    for name, candidate in run.artifacts.candidates().items():
        tokens[name] = len(candidate.completion.completion_ids)
    if not tokens:
        return {}
    return {
        "prompts": len({prompt_id for prompt_id, _ in tokens}),
        "completions": len(tokens),
        "decoded_tokens": sum(tokens.values()),
    }


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
