"""A forecast in lines for people, or as one object for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from deimos.models.memory import GIB
from deimos.planning.counts import PromptCounts
from deimos.planning.estimate import BYTES_PER_TOKEN, Pilot
from deimos.planning.forecast import Forecast
from deimos.planning.needs import Memory


def describe_forecast(forecast: Forecast, *, sampled: bool = False) -> Iterator[str]:
    """One line a quantity, each with its unit.

    Args:
        forecast: of a whole run from nothing.
        sampled: the run folder has the candidates already.
    """
    f = forecast
    yield from _prompts(f.prompts)
    yield from _memory(f.memory)
    if f.candidates is not None:
        yield from _sampling(f, sampled=sampled)
    for number, sentence in enumerate(f.assumed):
        yield f"{'' if number else 'assumed:':9} {sentence}"


def _sampling(f: Forecast, *, sampled: bool) -> Iterator[str]:
    if sampled:
        yield "sample:   complete, and not decoded again; from nothing it would be:"
    most = "up to " if f.adaptive else ""
    yield f"sample:   {most}{f.candidates:,} candidates, at most {_format_count(f.token_bound)} tokens with the dev pass"
    if f.pilot and f.tokens:
        yield from _pilot(f.pilot, f.memory.rows)
        yield (
            f"expected: {_format_count(f.tokens.raced)} tokens raced, {_format_count(f.tokens.exhaustive)} "
            f"exhaustive ({f.tokens.raced / max(1, f.tokens.exhaustive):.2f}; from {f.pilot.prompts} prompts)"
        )
    if f.tokens_assumed:
        yield (
            f"expected: {_format_count(f.tokens_assumed.raced)} tokens raced, "
            f"{_format_count(f.tokens_assumed.exhaustive)} exhaustive (assumed)"
        )
    yield from _times(f)
    yield from _sweep(f)
    measured_on = (
        "as GSM8K's text takes with Qwen2.5's tokenizer"
        if f.bytes_per_token == BYTES_PER_TOKEN
        else "as the pilot's took"
    )
    yield (
        f"disk:     {_at_most(f)}{_format_bytes(f.disk_needed)} of candidates ({f.bytes_per_token:.1f} bytes a "
        f"token, {measured_on}), {_format_bytes(f.disk_free)} free"
    )


def forecast_values(forecast: Forecast) -> dict[str, Any]:
    """The same as JSON values: tokens, bytes, hours and tokens a second as plain numbers."""
    values = dataclasses.asdict(forecast)
    if forecast.pilot:
        values["pilot"]["tokens_per_second"] = forecast.pilot.tokens_per_second
    return values


def _pilot(pilot: Pilot, rows: int) -> Iterator[str]:
    speed = pilot.tokens_per_second
    yield (
        f"pilot:    {pilot.prompts} prompts x {pilot.n}: {_format_share(pilot.passed, pilot.judged)} of "
        f"{pilot.judged} judged candidates pass, {_format_share(pilot.kept, pilot.prompts)} of "
        f"{pilot.prompts} prompts are kept"
    )
    if pilot.shortest is not None and pilot.right:
        yield (
            f"{'':9} thoughts that pass: shortest {pilot.shortest:.0f} tokens, mean "
            f"{pilot.right:.0f} ({pilot.shortest / pilot.right:.2f}; n={pilot.kept} prompts)"
        )
    if speed is not None:
        together = min(rows, pilot.prompts * pilot.n)
        more = f" (the run has {rows}, which is faster)" if together < rows else ""
        yield (
            f"{'':9} {speed:,.0f} tokens/s with {together} rows together{more}, over "
            f"{pilot.exhaustive:,} tokens"
        )


def _memory(m: Memory) -> Iterator[str]:
    if m.weights is None:
        weights = "weights not known"
    else:
        assumed = ", assumed" if m.assumed else ""
        weights = f"weights {_format_bytes(m.weights)} ({_format_count(m.parameters)} parameters{assumed})"
    cache = "not known" if m.kv_cache is None else f"at most {_format_bytes(m.kv_cache)}"
    cache += " (assumed)" if m.assumed else ""
    yield (
        f"memory:   {weights}, KV cache {cache} ({m.rows} rows x {m.tokens:,} tokens); "
        f"{m.device}: {_format_bytes(m.free)} free of {_format_bytes(m.total)}"
    )
    if m.note:
        yield f"{'':9} {m.note}: their tokens are not in it"


def _times(f: Forecast) -> Iterator[str]:
    if f.hours is None or f.tokens_per_second is None:
        yield "time:     not known: give --tokens-per-second, or --pilot to measure it"
        if f.bench_answers:
            yield f"bench:    {f.bench_answers:,} answers to test problems"
    else:
        measured = not any(sentence.startswith("speed:") for sentence in f.assumed)
        yield (
            f"time:     {_at_most(f)}{_format_hours(f.hours)} of sampling at "
            f"{f.tokens_per_second:,.0f} tokens/s{'' if measured else ' (assumed)'}"
        )
        if f.hours_assumed:
            yield f"{'':9} {_format_hours(f.hours_assumed)} for the expected tokens (assumed)"
        if f.bench_answers is None:
            yield f"{'':9} of bench not known: how many problems it has is not"
        elif f.bench_hours:
            yield (
                f"{'':9} {_at_most(f)}{_format_hours(f.bench_hours)} of bench at that speed "
                f"({f.bench_answers:,} answers{' as long as the candidates' if f.tokens else ''})"
            )
        for stage, hours, answers in (
            ("routing", f.route_hours, f.route_answers),
            ("gain", f.gain_hours, f.gain_answers),
        ):
            if hours:
                yield (
                    f"{'':9} {_at_most(f)}{_format_hours(hours)} of {stage} at that speed "
                    f"({answers:,} answers to dev prompts)"
                )
        if f.teach_hours:
            yield (
                f"{'':9} at most {_format_hours(f.teach_hours)} of teaching tags at that speed "
                f"({f.teach_answers:,} answers behind closed thoughts, if every prompt has a gold)"
            )
    if f.tokens:
        yield f"{'':9} training reads {_format_count(f.tokens.train)} tokens; its speed is not measured"


def _sweep(f: Forecast) -> Iterator[str]:
    if f.sweep_answers:
        hours = f", at most {_format_hours(f.sweep_hours)} at that speed" if f.sweep_hours else ""
        yield f"sweep:    at most {f.sweep_answers:,} answers to dev prompts, of both models{hours}"
    for sentence in f.sweep_idle:
        yield f"note:     {sentence}"


def _format_hours(hours: float) -> str:
    return f"{hours:,.1f} hours" if hours >= 1 else f"{hours * 60:.1f} minutes"


def _at_most(f: Forecast) -> str:
    """Without a pilot the tokens are a bound: every candidate as long as it may be."""
    return "" if f.tokens else "at most "


def _prompts(prompts: PromptCounts) -> Iterator[str]:
    assumed = " (assumed)" if prompts.train_assumed else ""
    if prompts.train:
        yield f"train:    {_format_prompts(prompts.train)}{assumed}"
        yield f"dev:      {_format_prompts(prompts.dev)}{assumed}"
    tests = [_format_prompts(prompts.test)] if prompts.test or not prompts.test_unknown else []
    tests += [f"{name} not known" for name in prompts.test_unknown]
    if prompts.test or prompts.test_unknown or not prompts.note:
        yield f"test:     {', '.join(tests)}{' (assumed)' if prompts.test_assumed else ''}"
    if prompts.unknown:
        yield f"unknown:  how many {', '.join(prompts.unknown)} has"
    if prompts.note:
        yield f"prompts:  not loaded: {prompts.note}"
    if prompts.overlaps:
        yield f"overlap:  {prompts.overlaps:,} prompts with a test problem (see `deimos prompts`)"


def _format_prompts(by_task: Mapping[str, int]) -> str:
    if not by_task:
        return "none"
    parts = ", ".join(f"{task} {count:,}" for task, count in by_task.items())
    return f"{sum(by_task.values()):,} prompts ({parts})"


def _format_share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f}%" if whole else "none"


def _format_count(number: int | None) -> str:
    if number is None:
        return "unknown"
    for size, unit in ((10**9, " G"), (10**6, " M")):
        if number >= size:
            return f"{number / size:.1f}{unit}"
    return f"{number:,}"


def _format_bytes(size: int | None) -> str:
    if size is None:
        return "unknown"
    return f"{size / GIB:.1f} GiB" if size >= GIB / 10 else f"{size / 2**20:.1f} MiB"
