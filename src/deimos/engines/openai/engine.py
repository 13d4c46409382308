"""The engine over OpenAI-compatible servers: vLLM, SGLang, llama.cpp's; any number of them.

One streamed request a candidate, token ids in and, where the server gives them, out; whoever is
outpaced has its stream closed, which frees its place at the server. A failed request goes on from
the ids that came, at whichever server has room. Errors of the infrastructure are never answers: they
are tried again, and only what fails again and again ends as ``error``.
Not covered: servers' own metrics, starting servers, and drawing the same tokens after a cut stream
(a seed begins anew behind the ids that were kept).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Collection, Coroutine
from typing import Any

import httpx2

from deimos.engines.base import Capabilities, Done, Job, Key, Progress
from deimos.engines.openai.options import Options, key_of, options_of
from deimos.engines.openai.probe import Probe
from deimos.engines.openai.rows import Row, TextRow
from deimos.engines.openai.run import Run
from deimos.engines.openai.servers import Card, Look, Pool
from deimos.engines.openai.stream import Fault
from deimos.models.loading import eos_ids_of, load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.registry import engine
from deimos.types import Sampling


class OpenAIEngine:
    """An ``Engine`` over a pool of servers that has been opened.

    Args:
        pool: the servers; at least one has answered.
        probe: looks at servers that come later.
        tokenizer: the model's.
        eos_ids: ids that end a turn.
        options: ``runtime.engine_options``.
    """

    def __init__(
        self,
        pool: Pool,
        probe: Probe,
        tokenizer: Any,
        eos_ids: Collection[int],
        options: Options,
    ) -> None:
        sampled = bool(pool.token_ids)
        self.capabilities = Capabilities(seeds=options.seeds, token_ids=sampled, resumes=sampled)
        software = {s.card.software for s in pool.servers.values() if s.card}
        self.name = f"openai/{'+'.join(sorted(software))}"
        self.pool = pool
        self.probe = probe
        self.tokenizer = tokenizer
        self.eos_ids = frozenset(eos_ids)
        self.options = options
        self._run: Run | None = None

    def stop(self, key: Key) -> None:
        """See ``Engine.stop``; closes the candidate's stream."""
        if self._run is not None:
            self._run.stop(key)

    def cap(self, key: Key, think_tokens: int) -> None:
        """See ``Engine.cap``; held to as tokens come."""
        if self._run is not None:
            self._run.cap(key, think_tokens)

    def facts(self) -> dict[str, Any]:
        """What befell the servers so far, for the stage's record."""
        return {"servers": self.pool.facts()}

    async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Progress | Done]:
        """See ``Engine.sample``.

        Raises:
            ServersLost: no token has come from any server for ``patience`` seconds; the ids so far
                of all candidates have been told before.
            RecipeError: every server answers, and none will do.
            RuntimeError: another ``sample`` of this engine is still going on.
        """
        if self._run is not None:
            raise RuntimeError("the openai engine is already sampling: one sample() at a time")
        async with new_client(self.options) as client:
            look = looker(self.probe, client, self.options)
            self._run = run = Run(self, client, look)
            try:
                async for event in run.events(jobs):
                    yield event
            finally:
                self._run = None
                await run.close()

    def new_row(self, job: Job) -> Row:
        """A job's bookkeeping."""
        now = asyncio.get_running_loop().time()
        if self.capabilities.token_ids:
            return Row(job, self.eos_ids, now)
        return TextRow(job, self.eos_ids, now, self.tokenizer)

    def body(self, row: Row, card: Card) -> dict[str, Any]:
        """The request for what a row still lacks; every parameter is said, so no default counts."""
        body: dict[str, Any] = {
            "model": card.model, "stream": True, "n": 1,
            **parameters(row.job.sampling), **row.ask(),
            "stop_token_ids": sorted(self.eos_ids), "skip_special_tokens": False,
            "spaces_between_special_tokens": False,
        }  # fmt: skip
        if not self.options.seeds:
            del body["seed"]
        if self.capabilities.token_ids:
            return body | {"return_token_ids": True}
        body |= {"include_stop_str_in_output": True, "no_stop_trim": True}
        return body | (llama_parameters(row.job) if card.software.startswith("llama") else {})


def parameters(sampling: Sampling) -> dict[str, Any]:
    """A sampler as vLLM and SGLang name it."""
    return {
        "temperature": sampling.temperature, "top_p": sampling.top_p,
        "top_k": sampling.top_k or -1,  # both take -1 for all, SGLang does not take 0
        "min_p": sampling.min_p, "repetition_penalty": sampling.repetition_penalty,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
    }  # fmt: skip


def llama_parameters(job: Job) -> dict[str, Any]:
    """What llama.cpp names or orders otherwise; its penalties run over the prompt too."""
    return {
        "top_k": job.sampling.top_k, "repeat_penalty": job.sampling.repetition_penalty,
        "repeat_last_n": len(job.prompt_ids) + job.sampling.max_tokens, "cache_prompt": True,
        "samplers": ["penalties", "temperature", "min_p", "top_k", "top_p"],
    }  # fmt: skip


def new_client(options: Options) -> httpx2.AsyncClient:
    """An HTTP client with the key, that follows no redirect (it would carry the key elsewhere)."""
    key = key_of(options)
    return httpx2.AsyncClient(
        headers={"Authorization": f"Bearer {key}"} if key else None,
        timeout=httpx2.Timeout(None, connect=options.connect),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0),
        follow_redirects=False,
    )


def looker(probe: Probe, client: httpx2.AsyncClient, options: Options) -> Look:
    """A look at one server that takes no longer than a first token may."""

    async def look(url: str) -> Card:
        try:
            async with asyncio.timeout(options.timeout):
                return await probe.look(client, url)
        except TimeoutError as e:
            message = f"has not answered within {options.timeout:g} seconds"
            raise Fault("server", message) from e

    return look


def apart(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end where a loop may already be running; an interrupt ends the wait."""
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
    weights, so ``ref.dtype`` and ``runtime.device`` say nothing here.

    Raises:
        RecipeError: options that won't do, or a server that answers and won't do.
        ServersLost: no server has answered within ``options.patience``.
    """
    chosen = options_of(options)
    tokenizer = load_tokenizer(ref)
    eos_ids = eos_ids_of(tokenizer, ref)
    probe = Probe(
        ref.path, chosen.model, ref.adapter, chosen.adapter_model, tokenizer, chosen.token_ids,
        chosen.seeds,
    )  # fmt: skip
    pool = Pool(chosen)

    async def open_pool() -> None:
        async with new_client(chosen) as client:
            await pool.open(looker(probe, client, chosen))

    apart(open_pool())
    return OpenAIEngine(pool, probe, tokenizer, eos_ids, chosen)
