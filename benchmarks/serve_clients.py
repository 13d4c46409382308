"""The unmodified OpenAI client at every place that answers: are greedy ids those of `deimos bench`?

usage: python benchmarks/serve_clients.py [--n 100] [--vllm PYTHON] [--litellm PYTHON]

The lab model's test problems, greedy, float32, thinking ON and OFF by ``extra_body``, streamed and
not, eight clients at a time: at `deimos serve lab` (the local engine), at vLLM's CPU server with the
middleware inside, at the forwarder before that, at LiteLLM's proxy with the hook before that. Expected
is what the benchmark's own evaluator decodes on the local engine. Needs environments with vLLM
and LiteLLM; without one, its places are left out and said to be. Writes docs/results/serve.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import tempfile
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from _pages import write_section
from _serve_places import MODEL, ROOT, litellm_with_hook, serve, vllm_with_middleware
from openai import OpenAI

from deimos.evaluate.arms import Arm
from deimos.evaluate.models import open_models
from deimos.evaluate.samples import Evaluator
from deimos.evaluate.stats import wilson
from deimos.graders import Judge
from deimos.lab.source import lab
from deimos.lab.weights import lab_path
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.thinking import Tags
from deimos.types import Prompt, Sampling

PAGE = ROOT / "docs/results/serve.md"
BUDGET = 512
CLIENTS = 8
GREEDY = Sampling(temperature=0.0, max_tokens=BUDGET)


@dataclass(frozen=True)
class Reply:
    """What a client got."""

    ids: tuple[int, ...]
    thought: str
    answer: str
    mode: str


def expected(problems: list[Prompt]) -> dict[tuple[str, bool], Reply]:
    """What the benchmark decodes, by problem and mode."""
    ref = ModelRef(str(lab_path()), dtype="float32")
    arms = {thinking: Arm(ref, GREEDY, thinking=thinking) for thinking in (True, False)}
    with (
        tempfile.TemporaryDirectory() as folder,
        Judge({p.kind: p.kind for p in problems}) as judge,
        open_models({MODEL: ref}, Runtime(device="cpu"), Tags()) as models,
    ):
        found = asyncio.run(Evaluator(models, judge).run([*arms.values()], problems, Path(folder)))
    return {
        (c.prompt_id, thinking): Reply(
            tuple(c.completion_ids), c.think, c.answer, "on" if thinking else "off"
        )
        for thinking, arm in arms.items()
        for c in found[arm]
    }


def ask(client: OpenAI, problem: Prompt, thinking: bool, stream: bool) -> Reply:
    """One problem, as the card's client asks it."""
    body = {"chat_template_kwargs": {"enable_thinking": thinking}, "return_token_ids": True}
    create: Any = client.chat.completions.with_raw_response.create
    raw = create(
        model=MODEL, messages=[dict(m) for m in problem.messages],
        temperature=0.0, max_tokens=BUDGET, stream=stream, extra_body=body,
    )  # fmt: skip
    reply = raw.parse()
    choices = [c.choices[0] for c in reply if c.choices] if stream else [reply.choices[0]]
    parts = [c.delta if stream else c.message for c in choices]
    ids = [i for c in choices for i in (getattr(c, "token_ids", None) or [])]
    names = ("reasoning", "reasoning_content")  # the second is LiteLLM's
    thought = "".join(next(filter(None, (getattr(p, n, "") for n in names)), "") for p in parts)
    answer = "".join(part.content or "" for part in parts)
    return Reply(tuple(ids), thought, answer, raw.headers.get("x-deimos-mode", "none"))


def same(got: Reply, wanted: Reply) -> bool:
    """Whether a client got what the benchmark decodes: its ids, or where none came back its texts."""
    if got.ids:
        return got.ids == wanted.ids and got.mode == wanted.mode
    texts = (got.thought.strip(), got.answer.strip()) == (
        wanted.thought.strip(), wanted.answer.strip(),
    )  # fmt: skip
    return texts and got.mode == wanted.mode


def row(place: str, url: str, problems: list[Prompt], wanted: dict[tuple[str, bool], Reply]) -> str:
    """A place's line of the table."""
    client = OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0, timeout=600)
    cells, by, wrong = [], "ids", set()
    started = time.perf_counter()
    with client, ThreadPoolExecutor(CLIENTS) as pool:
        for stream in (False, True):
            for thinking in (True, False):
                got = pool.map(lambda p, t=thinking, s=stream: ask(client, p, t, s), problems)
                pairs = [(reply, wanted[p.id, thinking]) for reply, p in zip(got, problems)]
                by = by if all(reply.ids for reply, _ in pairs) else "text, or ids if there are any"
                right = [same(*pair) for pair in pairs]
                cells.append(sum(right))
                wrong |= {p.id for p, fits in zip(problems, right) if not fits}
    share = 1 - len(wrong) / len(problems)
    low, high = wilson(share, len(problems)) or (0.0, 1.0)
    shares = " | ".join(f"{cell} of {len(problems)}" for cell in cells)
    print(f"{place}: {cells} in {time.perf_counter() - started:.0f} s", flush=True)
    return f"| {place} | {by} | {shares} | {share:.3f} [{low:.3f}, {high:.3f}] |"


def places(vllm: Path | None, litellm: Path | None) -> Generator[tuple[str, str], None, None]:
    """Each place with its URL, while it runs."""
    with serve("lab", "--set", "model.dtype=float32") as url:
        yield "`deimos serve lab`, local engine", url
    if vllm is None:
        return
    with vllm_with_middleware(vllm) as inside:
        yield "vLLM's server, middleware inside", inside
        with serve("lab", "--upstream", inside) as before:
            yield "the forwarder before it", before
        if litellm is not None:
            with litellm_with_hook(litellm, inside) as proxy:
                yield "LiteLLM with the hook before it", proxy


def main() -> None:
    """Ask everywhere and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=100)
    for name, folder in (("vllm", ".venv-vllm"), ("litellm", ".venv-litellm")):
        parser.add_argument(f"--{name}", type=Path, default=ROOT / folder / "bin/python")
    asked = parser.parse_args()
    problems = list(lab(take=asked.n, seed=0, split="test"))
    wanted = expected(problems)
    found = [p if p.exists() else None for p in (asked.vllm, asked.litellm)]
    rows = []
    with contextlib.closing(places(*found)) as running:
        for place, url in running:
            rows.append(row(place, url, problems, wanted))
    left_out = [n for n, p in zip(("vLLM", "LiteLLM"), found) if p is None]
    note = (
        f"Not tried: {' and '.join(left_out)}, whose environment is not here. " if left_out else ""
    )
    head = ["streamed" if s else "whole" for s in (False, True)]
    columns = " | ".join(f"{h}, {m}" for h in head for m in ("ON", "OFF"))
    write_section(
        "clients",
        f"## The OpenAI client\n\n`python benchmarks/serve_clients.py --n {asked.n}`\n\n"
        f"OpenAI's Python client {version('openai')}, unmodified, asks the lab model {len(problems)} test problems "
        f"greedily (float32, at most {BUDGET} tokens, {CLIENTS} at a time), thinking ON and OFF by "
        "`extra_body`, streamed and not. Counted is how many answers are, id for id, what the benchmark's "
        "own evaluator decodes on the local engine, with the mode in `x-deimos-mode`; “text”: the place "
        "hands on no ids, so thought and answer are compared as texts. The last column is the share of "
        f"problems with all four alike (Wilson's 95% interval). {note}\n\n| place | compared by | {columns} | all four |\n|{'---|' * 7}\n"
        + "\n".join(rows),
        PAGE,
    )


if __name__ == "__main__":
    main()
