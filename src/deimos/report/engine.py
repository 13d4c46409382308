"""What befell the engine while it sampled: servers, actors and requests that were lost, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from deimos.report import words
from deimos.report.records import Row, Run


def befell(run: Run) -> list[str]:
    """One sentence a server, and one for each sort of loss; empty where nothing was recorded.

    Every loss here was made good: what a lost place had not finished was decoded elsewhere.
    """
    counts = run.counts("sample")
    told = counts.get("engine") or {}
    return [*_actors(counts), *map(_server, told.get("servers") or []), *_requests(told)]


def _actors(counts: Row) -> Iterator[str]:
    if lost := counts.get("actors_lost"):
        yield (
            f"{words.plural(lost, 'actor')} of the cluster {'was' if lost == 1 else 'were'} lost; "
            "others did their work again from what their journals held."
        )


def _server(server: Row) -> str:
    said = f"Server {server['url']}: {words.plural(server['requests'], 'request')}"
    if server["faults"]:
        last = f" (the last: {server['last_fault']})" if server["last_fault"] else ""
        said += f", {words.number(server['faults'])} failed and were asked again{last}"
    if server["lost"]:
        said += (
            f", lost {'once' if server['lost'] == 1 else words.number(server['lost']) + ' times'}"
        )
    ends = {"up": "", "trial": ""}.get(server["state"], f", {server['state']} at the end")
    return f"{said}{ends}."


def _requests(told: Row) -> Iterator[str]:
    if refused := told.get("refused"):
        yield f"The engine refused {words.plural(refused, 'request')}."
