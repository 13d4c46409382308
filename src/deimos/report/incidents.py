"""What happened to the engines of a run, in sentences: losses, cuts, and several of them at work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from deimos.report import formatting
from deimos.report.results import RunResults
from deimos.runs.artifacts import engines_by_model
from deimos.store.schema import AnyRow, Row


def sampling_incidents(run: RunResults) -> list[str]:
    """One sentence a server, and one for each sort of loss or change; empty if there was none.

    Attempts that were cut short come first. Nothing is missing because of them: what a lost server or actor
    had not finished was decoded elsewhere, or by the next attempt.
    """
    cut = run.records.get("sample", {}).get("cut_short") or []
    return [
        *_killed(cut),
        *(sentence for one in cut for sentence in _cut(one)),
        *_candidate_engines(run.counts("select").get("engines") or {}),
        *_unknown_keys(run, "sample", "candidates"),
        *_diagnostics(run.counts("sample")),
    ]


def benchmark_incidents(run: RunResults) -> list[str]:
    """What a reader of the comparison has to know of engines and judges; empty if there is nothing."""
    return [
        *_benchmark_engines(engines(run)),
        *_unknown_keys(run, "bench", "benchmark answers"),
        *_adapter(run.counts("bench")),
        *_judging(run.counts("bench")),
    ]


def _adapter(counts: AnyRow) -> Iterator[str]:
    if use := counts.get("adapter"):
        yield f"The tuned model was decoded with its adapter {use}."


def _judging(counts: AnyRow) -> Iterator[str]:
    if because := counts.get("unjudged_because"):
        yield (
            f"{formatting.plural(sum(because.values()), 'benchmark answer')} could not be judged "
            f"({formatting.null_reasons(because)}) and count neither as right nor as wrong."
        )
    if shares := counts.get("second"):
        yield f"Of the benchmark's answers, {formatting.second_opinions(shares)}."


def engines(run: RunResults) -> Row:
    """How many rows each engine decoded: ``candidates``, and ``bench`` by model; {} if unknown."""
    bench = run.counts("bench").get("engines") or engines_by_model(run.outcomes)
    return {"candidates": run.counts("select").get("engines") or {}, "bench": bench}


def _diagnostics(counts: AnyRow) -> Iterator[str]:
    diagnostics = counts.get("engine") or {}
    yield from _actors(counts)
    yield from map(_server, diagnostics.get("servers") or [])
    yield from _requests(diagnostics)


def _killed(cut: Sequence[AnyRow]) -> Iterator[str]:
    if killed := sum("seconds" not in one for one in cut):
        yield (
            f"{formatting.plural(killed, 'attempt')} at sampling {'was' if killed == 1 else 'were'} "
            "killed: finished candidates were kept, the seconds until then are not counted."
        )


def _cut(one: AnyRow) -> Iterator[str]:
    if "seconds" in one:
        first = f"An attempt at sampling was cut short after {one['seconds']:.0f} s."
        yield " ".join([first, *_diagnostics(one)])


def _candidate_engines(counts: Mapping[str, int]) -> Iterator[str]:
    """If a run went on with another engine: how many each decoded, which distributions may show."""
    if len(counts) > 1:
        yield f"Candidates were decoded by {len(counts)} engines: {_shares(counts, ', ')}."


def _benchmark_engines(counts: AnyRow) -> Iterator[str]:
    by_model: Mapping[str, Mapping[str, int]] = counts["bench"]
    if len({name for shares in by_model.values() for name in shares}) > 1:
        sides = [f"{model} by {_shares(shares, ' and ')}" for model, shares in by_model.items()]
        yield (
            f"Several engines decoded the benchmark: {', '.join(sides)}; "
            "their arithmetic differs, so a part of any difference may be the engines'."
        )


def _shares(counts: Mapping[str, int], between: str) -> str:
    return between.join(f"{name} ({formatting.number(n)})" for name, n in counts.items())


def _unknown_keys(run: RunResults, stage: str, what: str) -> Iterator[str]:
    if run.artifacts.keys_known.get(stage) is False:
        yield (
            f"Which record keys count was not written down when the {what} were decoded: not known is "
            "whether rows of another rendering of the prompts are among them."
        )


def _actors(counts: AnyRow) -> Iterator[str]:
    if lost := counts.get("actors_lost"):
        yield (
            f"{formatting.plural(lost, 'actor')} of the cluster {'was' if lost == 1 else 'were'} lost; "
            "others went on with what their journals held."
        )


def _server(server: AnyRow) -> str:
    line = f"Server {server['url']}: {formatting.plural(server['requests'], 'request')}"
    if server["faults"]:
        last = f" (the last: {server['last_fault']})" if server["last_fault"] else ""
        line += f", {formatting.number(server['faults'])} failed and were asked again{last}"
    if server["lost"]:
        times = "once" if server["lost"] == 1 else f"{formatting.number(server['lost'])} times"
        line += f", lost {times}"
    ends = {"up": "", "trial": ""}.get(server["state"], f", {server['state']} at the end")
    return f"{line}{ends}."


def _requests(diagnostics: AnyRow) -> Iterator[str]:
    if refused := diagnostics.get("refused"):
        yield f"The engine refused {formatting.plural(refused, 'request')}."
