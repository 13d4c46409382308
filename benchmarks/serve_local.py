"""The app on the local engine: tokens per second beside the same prompts decoded in one batch, first tokens.

usage: python benchmarks/serve_local.py [--model lab] [--prompts 96] [--rounds 4] [--tokens 256]
                                        [--budget-prompts 200] [--dtype auto] [--note TEXT]
                                        [--out docs/results/serve.md]

(a) 1, 8 and 32 clients, each of which asks for the next prompt when its last answer is whole, greedy
and streamed over sockets from a process of their own, in turn with the same requests through the
engine alone as the sample stage's dev pass and the benchmark decode them (``collect``, as many at a
time, no graders), the order alternating. Both give the same ids.
(b) Every thought closed at half of the median thought, over HTTP: how many answers come.
Not covered: the guard and the router (benchmarks/serve_overhead.py). The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from _pages import write_section

from deimos.engines.collect import Request, collect
from deimos.evaluate.stats import wilson
from deimos.lab.source import lab
from deimos.serve.app import make_app
from deimos.serve.metrics import ServingMetrics
from deimos.serve.models import ServedModel, open_model
from deimos.serve.target import find_target
from deimos.types import Prompt, Sampling

CLIENTS = (1, 8, 32)
CLIENT = """
import asyncio, json, sys, time
work = json.load(sys.stdin)

async def ask(body):
    begun = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", work["port"])
    head = f"POST /v1/chat/completions HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n"
    writer.write(f"{head}Content-Length: {len(body)}\\r\\n\\r\\n".encode() + body)
    first, kept = None, b""
    while piece := await reader.read(65536):
        if first is None and b'"reasoning": ' in piece or b'"content": "' in piece.replace(b'"content": ""', b""):
            first = first or time.perf_counter() - begun
        kept += piece
    writer.close()
    events = [e for e in kept.split(b"data: ")[1:] if e.startswith(b"{")]
    usage = json.loads(events[-1].split(b"\\n\\n")[0])["usage"]
    return usage["completion_tokens"], first, time.perf_counter() - begun

async def client(bodies, found):
    while bodies:
        found.append(await ask(bodies.pop(0)))

async def main():
    bodies = [json.dumps(b).encode() for b in work["bodies"]]
    found = []
    begun = time.perf_counter()
    await asyncio.gather(*(client(bodies, found) for _ in range(work["clients"])))
    print(json.dumps({"seconds": time.perf_counter() - begun, "found": found}))

asyncio.run(main())
"""
"""The clients: bytes in, bytes out, in a process of their own; only the last event is parsed."""


@contextlib.contextmanager
def served(app: Any) -> Iterator[int]:
    """Serve an app on a free port while in the block."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, http="h11", ws="none", log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(10)


def prompts_of(number: int) -> list[Prompt]:
    """The lab's test problems, kinds mixed."""
    return list(lab(take=number, seed=0, split="test"))


def direct(model: ServedModel, prompts: Sequence[Prompt], clients: int, most: int) -> Any:
    """Tokens and seconds of the engine alone, so many requests at a time."""
    sampling = Sampling(temperature=0, max_tokens=most)
    requests = [Request(p, model.render(p.messages), 0, 0, sampling) for p in prompts]
    engine = model.thread.engine

    async def main() -> tuple[int, float]:
        begun, tokens = time.perf_counter(), 0
        found = collect(engine, model.tokenizer, model.eos_ids, requests, concurrency=clients)
        async for completion in found:
            tokens += len(completion.completion_ids)
        return tokens, time.perf_counter() - begun

    return asyncio.run(main())


def ask_all(port: int, bodies: Sequence[dict[str, Any]], clients: int) -> dict[str, Any]:
    """What the clients' process found: ``seconds``, and of each request tokens, first token, end."""
    work = json.dumps({"port": port, "bodies": list(bodies), "clients": clients})
    done = subprocess.run(
        [sys.executable, "-c", CLIENT], input=work, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def bodies_of(prompts: Sequence[Prompt], **more: Any) -> list[dict[str, Any]]:
    """The requests over HTTP."""
    common = {"stream": True, "stream_options": {"include_usage": True}, "temperature": 0, **more}
    return [{"messages": [dict(m) for m in p.messages], **common} for p in prompts]


def compare(
    model: ServedModel, port: int, prompts: Sequence[Prompt], rounds: int, most: int
) -> dict[int, Any]:
    """Both ways in turn, at each number of clients; ``most``: tokens of an answer."""
    found: dict[int, Any] = {
        k: {"ratios": [], "costs": [], "rates": [], "first": []} for k in CLIENTS
    }
    for at in range(rounds):
        for clients in CLIENTS:
            part = prompts[: max(2, len(prompts) * clients // max(CLIENTS))]
            rates, tokens, cost = {}, {}, {}
            for way in ("direct", "served") if at % 2 else ("served", "direct"):
                spent = time.process_time()
                if way == "direct":
                    tokens[way], seconds = direct(model, part, clients, most)
                else:
                    said = ask_all(port, bodies_of(part, max_tokens=most), clients)
                    tokens[way], seconds = sum(t for t, *_ in said["found"]), said["seconds"]
                    found[clients]["first"] += [first for _, first, _ in said["found"] if first]
                rates[way] = tokens[way] / seconds
                cost[way] = time.process_time() - spent
            assert tokens["direct"] == tokens["served"], "other ids were decoded"
            found[clients]["ratios"].append(rates["served"] / rates["direct"])
            found[clients]["rates"].append(rates["served"])
            found[clients]["costs"].append(cost["direct"] / cost["served"])
            found[clients]["n"] = len(part)
            print(clients, rates, cost, file=sys.stderr)
    return found


def budget(model: ServedModel, port: int, prompts: Sequence[Prompt]) -> dict[str, Any]:
    """Thoughts closed at half of their median: what comes of them."""

    def ask(body: dict[str, Any]) -> Any:
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        return httpx2.post(url, json={**body, "stream": False, "stream_options": None}, timeout=600)

    with ThreadPoolExecutor(16) as pool:
        whole = [r.json() for r in pool.map(ask, bodies_of(prompts))]
        thoughts = [r["usage"]["completion_tokens_details"]["reasoning_tokens"] for r in whole]
        half = int(statistics.median(thoughts)) // 2
        closed = [r.json() for r in pool.map(ask, bodies_of(prompts, thinking_token_budget=half))]
    own = [r["usage"]["completion_tokens_details"]["reasoning_tokens"] for r in closed]
    ended = [
        bool(r["choices"][0]["message"]["content"]) and r["choices"][0]["finish_reason"] == "stop"
        for r in closed
    ]
    return {
        "n": len(closed), "median": statistics.median(thoughts), "budget": half,
        "closed": sum(t == half for t in own), "over": sum(t > half for t in own),
        "answered": sum(ended),
    }  # fmt: skip


def table(found: dict[int, Any], closed: dict[str, Any], model: str, note: str) -> str:
    """The section of the page; ``note``: what else is to be known of the measurement."""
    lines = [
        "## The local engine under concurrent clients", "",
        f"`python benchmarks/serve_local.py` ({model}, greedy, streamed; two processor cores that "
        "clients, server and model share): tokens per second relative to the same requests through "
        "the engine alone, as many at a time, in turn. Both give the same ids. Processor time is that "
        "of the process with server and model, which other programs on the machine disturb less. "
        + note, "",
        "| clients | prompts × rounds | tokens/s | relative, median (range) | aim | tokens per second of processor time, relative | time to first token, median | 95th percentile |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for clients, own in found.items():
        low, middle, high = min(own["ratios"]), statistics.median(own["ratios"]), max(own["ratios"])
        least, cost, most = min(own["costs"]), statistics.median(own["costs"]), max(own["costs"])
        first = sorted(own["first"])
        lines.append(
            f"| {clients} | {own['n']} × {len(own['ratios'])} | {statistics.median(own['rates']):,.0f} "
            f"| {middle:.2f} ({low:.2f} to {high:.2f}) | 0.9 | {cost:.2f} ({least:.2f} to {most:.2f}) | {1000 * statistics.median(first):,.0f} ms "
            f"| {1000 * first[int(0.95 * len(first))]:,.0f} ms |"
        )
    low, high = wilson(closed["answered"] / closed["n"], closed["n"]) or (0.0, 1.0)
    lines += [
        "", "## A think budget on the local engine", "",
        f"The median thought of {closed['n']} answers is {closed['median']:g} tokens. With "
        f"`thinking_token_budget` {closed['budget']}, {closed['closed']} thoughts are closed there and "
        f"{closed['over']} are longer; {closed['answered']} of {closed['n']} responses end in an answer "
        f"({closed['answered'] / closed['n']:.1%} [{low:.1%}, {high:.1%}]).",
    ]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="lab")
    parser.add_argument("--prompts", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=256, help="of an answer in (a), at most")
    parser.add_argument("--budget-prompts", type=int, default=200)
    parser.add_argument("--note", default="", help="a sentence for the page, on the machine's load")
    parser.add_argument("--out", type=Path, default=Path("docs/results/serve.md"))
    parser.add_argument(
        "--dtype", default="auto", help="float32 if bfloat16 is emulated: its ids hang on the batch"
    )
    given = parser.parse_args()
    target = find_target(given.model, [f"model.dtype={given.dtype}"])
    model = open_model(
        target.name, target.ref, target.runtime, target.tags, target.defaults.sampling
    )
    with served(make_app({model.name: model}, ServingMetrics())) as port:
        ask_all(port, bodies_of(prompts_of(8)), 8)  # both are warm then
        direct(model, prompts_of(8), 8, 256)
        found = compare(model, port, prompts_of(given.prompts), given.rounds, given.tokens)
        closed = budget(model, port, prompts_of(given.budget_prompts))
    model.thread.close()
    write_section("local engine", table(found, closed, given.model, given.note), given.out)
    short = {
        str(k): {"ratio": statistics.median(v["ratios"]), "n": v["n"]} for k, v in found.items()
    }
    print(json.dumps({"relative": short, "budget": closed}))


if __name__ == "__main__":
    main()
