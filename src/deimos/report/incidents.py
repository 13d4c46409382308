"""What befell the engine while it sampled: servers, actors and requests that were lost, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deimos.report import formatting
from deimos.report.results import RunResults
from deimos.store.schema import AnyRow


def befell(run: RunResults) -> list[str]:
    """One sentence a server, and one for each sort of loss or change; empty where there was none.

    Attempts that were cut short come first. Every loss here was made good: what a lost place had
    not finished was decoded elsewhere, or by the attempt after.
    """
    cut = run.records.get("sample", {}).get("cut_short") or []
    return [
        *_killed(cut),
        *(said for one in cut for said in _cut(one)),
        *_engines(run.counts("select").get("engines") or {}),
        *_told(run.counts("sample")),
    ]


def _told(noted: AnyRow) -> Iterator[str]:
    told = noted.get("engine") or {}
    yield from _actors(noted)
    yield from map(_server, told.get("servers") or [])
    yield from _requests(told)


def _killed(cut: Sequence[AnyRow]) -> Iterator[str]:
    if killed := sum("seconds" not in one for one in cut):
        yield (
            f"{formatting.plural(killed, 'attempt')} at sampling {'was' if killed == 1 else 'were'} "
            "killed: finished candidates were kept, the seconds until then are not counted."
        )


def _cut(one: AnyRow) -> Iterator[str]:
    if "seconds" in one:
        yield " ".join(
            [f"An attempt at sampling was cut short after {one['seconds']:.0f} s.", *_told(one)]
        )


def _engines(candidates: AnyRow) -> Iterator[str]:
    """Where a run went on with another engine: who decoded how many, which distributions may show."""
    if len(candidates) > 1:
        shares = [f"{formatting.number(n)} by {name}" for name, n in candidates.items()]
        yield f"Candidates were decoded by {len(candidates)} engines: {', '.join(shares)}."


def _actors(counts: AnyRow) -> Iterator[str]:
    if lost := counts.get("actors_lost"):
        yield (
            f"{formatting.plural(lost, 'actor')} of the cluster {'was' if lost == 1 else 'were'} lost; "
            "others went on with what their journals held."
        )


def _server(server: AnyRow) -> str:
    said = f"Server {server['url']}: {formatting.plural(server['requests'], 'request')}"
    if server["faults"]:
        last = f" (the last: {server['last_fault']})" if server["last_fault"] else ""
        said += f", {formatting.number(server['faults'])} failed and were asked again{last}"
    if server["lost"]:
        said += f", lost {'once' if server['lost'] == 1 else formatting.number(server['lost']) + ' times'}"
    ends = {"up": "", "trial": ""}.get(server["state"], f", {server['state']} at the end")
    return f"{said}{ends}."


def _requests(told: AnyRow) -> Iterator[str]:
    if refused := told.get("refused"):
        yield f"The engine refused {formatting.plural(refused, 'request')}."
