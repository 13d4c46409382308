"""The engine over OpenAI-compatible servers: vLLM, SGLang, llama.cpp's; any number of them.

One streamed request for each candidate, token ids in and, if the server gives them, out; a candidate
that is stopped has its stream closed, which frees its place at the server. A failed request is
continued from the ids that came, at any server that has room. A fault of a server or the network is
never an answer: the request is sent again, and what fails more than ``retries`` times in a row ends
as ``error``.
Not covered: servers' own metrics, starting servers, and drawing the same tokens after a cut stream
(a seed begins anew behind the ids that were kept).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Collection, Coroutine
from typing import Any

import httpx2

from deimos.engines.base import Capabilities, Event, Job
from deimos.engines.calls import OneCall
from deimos.engines.openai.call import ServerCall
from deimos.engines.openai.options import Options, key_of, options_of
from deimos.engines.openai.probe import Probe
from deimos.engines.openai.rows import RequestRow, TextRequestRow
from deimos.engines.openai.servers import Card, Look, ServerPool
from deimos.engines.openai.stream import Fault
from deimos.models.end_of_turn import eos_ids_of
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.registry import engine
from deimos.types import Sampling


class OpenAIEngine(OneCall[ServerCall]):
    """An ``Engine`` over a pool of servers that has been opened.

    A stop closes the candidate's stream; a cap is compared with its thought as tokens come.

    Args:
        pool: the servers; at least one has answered.
        probe: looks at servers that come later.
        tokenizer: the model's.
        eos_ids: ids that end a turn.
        options: ``runtime.engine_options``.
    """

    def __init__(
        self,
        pool: ServerPool,
        probe: Probe,
        tokenizer: Any,
        eos_ids: Collection[int],
        options: Options,
    ) -> None:
        sampled = bool(pool.token_ids)
        self.capabilities = Capabilities(
            seeds=options.seeds, token_ids=sampled, resumes=sampled, streams=True
        )
        software = {s.card.software for s in pool.servers.values() if s.card}
        self.name = f"openai/{'+'.join(sorted(software))}"
        self.pool = pool
        self.probe = probe
        self.tokenizer = tokenizer
        self.eos_ids = frozenset(eos_ids)
        self.options = options

    def facts(self) -> dict[str, Any]:
        """What has happened to the servers so far, for the stage's record."""
        return {"servers": self.pool.facts()}

    async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Event]:
        """See ``Engine.sample``.

        Raises:
            ServersLost: no token has come from any server for ``patience`` seconds; ``Progress``
                events with every candidate's ids so far have come before.
            RecipeError: every server answers, and none will do.
            RuntimeError: another ``sample`` of this engine is still going on.
        """
        async with make_client(self.options) as client:
            look = make_look(self.probe, client, self.options)
            with self.only_call(lambda: ServerCall(self, client, look)) as call:
                try:
                    async for event in call.events(jobs):
                        yield event
                finally:
                    await call.close()

    def new_row(self, job: Job) -> RequestRow:
        """The state of a job."""
        now = asyncio.get_running_loop().time()
        if self.capabilities.token_ids:
            return RequestRow(job, self.eos_ids, now)
        return TextRequestRow(job, self.eos_ids, now, self.tokenizer)

    def body(self, row: RequestRow, card: Card) -> dict[str, Any]:
        """The request for what a row lacks; it names every parameter, so no server's default counts."""
        body: dict[str, Any] = {
            "model": card.model, "stream": True, "n": 1,
            **build_parameters(row.job.sampling), **row.request(),
            "stop_token_ids": sorted(self.eos_ids), "skip_special_tokens": False,
            "spaces_between_special_tokens": False,
        }  # fmt: skip
        if not self.options.seeds:
            del body["seed"]
        if self.capabilities.token_ids:
            return body | {"return_token_ids": True}
        body |= {"include_stop_str_in_output": True, "no_stop_trim": True}
        return body | (build_llama_parameters(row.job) if card.software.startswith("llama") else {})


def build_parameters(sampling: Sampling) -> dict[str, Any]:
    """Sampling parameters under vLLM's and SGLang's names."""
    return {
        "temperature": sampling.temperature, "top_p": sampling.top_p,
        "top_k": sampling.top_k or -1,  # both take -1 for all, SGLang does not take 0
        "min_p": sampling.min_p, "repetition_penalty": sampling.repetition_penalty,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
    }  # fmt: skip


def build_llama_parameters(job: Job) -> dict[str, Any]:
    """What llama.cpp names or orders differently; its penalties count the prompt too."""
    return {
        "top_k": job.sampling.top_k, "repeat_penalty": job.sampling.repetition_penalty,
        "repeat_last_n": len(job.prompt_ids) + job.sampling.max_tokens, "cache_prompt": True,
        "samplers": ["penalties", "temperature", "min_p", "top_k", "top_p"],
    }  # fmt: skip


def make_client(options: Options) -> httpx2.AsyncClient:
    """An HTTP client with the key, that follows no redirect (it would carry the key elsewhere)."""
    key = key_of(options)
    return httpx2.AsyncClient(
        headers={"Authorization": f"Bearer {key}"} if key else None,
        timeout=httpx2.Timeout(None, connect=options.connect),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0),
        follow_redirects=False,
    )


def make_look(probe: Probe, client: httpx2.AsyncClient, options: Options) -> Look:
    """Make what looks at one server, within the time that a first token may take."""

    async def look(url: str) -> Card:
        try:
            async with asyncio.timeout(options.timeout):
                return await probe.look(client, url)
        except TimeoutError as e:
            message = f"has not answered within {options.timeout:g} seconds"
            raise Fault("server", message) from e

    return look


def run_in_thread(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end in a thread of its own, as this thread may have a running loop.

    An interrupt (Ctrl-C) ends the wait.
    """
    failures: list[BaseException] = []

    def target() -> None:
        try:
            asyncio.run(work)
        except BaseException as e:
            failures.append(e)

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


@engine("openai")
def openai(ref: ModelRef, runtime: Runtime, **options: Any) -> OpenAIEngine:
    """Find the servers and make an engine of them; ``options`` are ``Options``'.

    ``ref`` names the tokenizer, and the model unless ``options.model`` does; the servers hold the
    weights, so ``ref.dtype`` and ``runtime.device`` have no effect here.

    Raises:
        RecipeError: an option is not accepted, or a server answers and does not fit the recipe.
        ServersLost: no server has answered within ``options.patience``.
    """
    chosen = options_of(options)
    tokenizer = load_tokenizer(ref)
    eos_ids = eos_ids_of(tokenizer, ref)
    probe = Probe(
        ref.path, chosen.model, ref.adapter, chosen.adapter_model, tokenizer, chosen.token_ids,
        chosen.seeds,
    )  # fmt: skip
    pool = ServerPool(chosen)

    async def open_pool() -> None:
        async with make_client(chosen) as client:
            await pool.open(make_look(probe, client, chosen))

    run_in_thread(open_pool())
    return OpenAIEngine(pool, probe, tokenizer, eos_ids, chosen)
