"""The engine over vLLM, which this process starts: continuous batching, prefix caching, LoRA.

One request for each candidate, so that each can be aborted alone; prompts go as token ids and ids
come back. vLLM's CPU build crashes on seeded requests, so seeds are sent on GPUs only. Continuing
from ids draws other tokens than an uninterrupted request would have. Under a presence or frequency
penalty (those count output only) a candidate cannot continue, and begins again.
Not covered: several machines (engines/ray), servers (engines/openai).
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import AsyncIterator, Collection
from typing import Any

from deimos.engines.base import Capabilities, Event, Job
from deimos.engines.calls import OneCall
from deimos.engines.vllm.call import VLLMCall
from deimos.engines.vllm.host import Host, get_host, release
from deimos.engines.vllm.options import build_engine_arguments, load_vllm, split_options
from deimos.models.end_of_turn import eos_ids_of
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.registry import engine


class VLLMEngine(OneCall[VLLMCall]):
    """An ``Engine`` over a host's vLLM.

    A stop aborts the candidate's request; a cap is compared with its thought as tokens come.

    Args:
        host: runs it; released when this engine is garbage-collected.
        adapter: folder of a LoRA adapter that every request uses; None: the base.
        eos_ids: ids that end a turn.
        name: with vLLM's version.
        seeds: whether this vLLM takes requests with seeds.
        max_batch: rows at a time.
        checkpoint_seconds: between two ``Progress`` events with a row's ids so far.
    """

    def __init__(
        self,
        host: Host,
        adapter: str | None,
        eos_ids: Collection[int],
        *,
        name: str,
        seeds: bool,
        max_batch: int,
        checkpoint_seconds: float,
    ) -> None:
        self.name = name
        self.capabilities = Capabilities(seeds=seeds, token_ids=True, resumes=True, streams=True)
        self.eos_ids = frozenset(eos_ids)
        self.max_batch = max_batch
        self.checkpoint_seconds = checkpoint_seconds
        self._host = host
        self._adapter = adapter
        self._counts: dict[str, int] = {}
        weakref.finalize(self, release, host)
        host.serve(adapter)

    def facts(self) -> dict[str, Any]:
        """What it has done so far, for the stage's record."""
        return {**self._counts}

    async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Event]:
        """See ``Engine.sample``.

        Raises:
            VLLMLost: vLLM's engine has died; ``Progress`` events with every candidate's ids so far
                have come before.
            RecipeError: a prompt and its budget are more than this vLLM holds.
            RuntimeError: another ``sample`` of this engine is still going on.
        """
        with self.only_call(self._make_call) as call:
            self._host.running += 1
            try:
                async with contextlib.aclosing(call.events(jobs)) as events:  # pyright: ignore[reportArgumentType]
                    async for event in events:
                        yield event
            finally:
                self._host.running -= 1
                self._counts = {k: n + self._counts.get(k, 0) for k, n in call.counts.items()}

    def _make_call(self) -> VLLMCall:
        return VLLMCall(
            self._host, self._host.serve(self._adapter), self.eos_ids,
            seeds=self.capabilities.seeds, places=self.max_batch,
            checkpoint_seconds=self.checkpoint_seconds,
        )  # fmt: skip


@engine("vllm")
def vllm(ref: ModelRef, runtime: Runtime, **options: Any) -> VLLMEngine:
    """Start vLLM and make an engine of it; ``options`` are vLLM's engine arguments.

    Raises:
        RecipeError: no vLLM in this Python, or it does not take an argument, model or adapter.
        VLLMLost: it did not start.
    """
    package = load_vllm()
    from vllm.platforms import current_platform  # pyright: ignore[reportMissingImports]

    checkpoint_seconds, theirs = split_options(options)
    on_cpu = bool(current_platform.is_cpu())
    tokenizer = load_tokenizer(ref)
    eos_ids = eos_ids_of(tokenizer, ref)
    arguments = build_engine_arguments(ref, runtime, theirs, on_cpu=on_cpu)
    kind = "cpu" if on_cpu else "cuda"
    weights = repr((ref.path, ref.revision, ref.dtype, runtime.max_batch, sorted(theirs.items())))
    return VLLMEngine(
        get_host(weights, arguments), ref.adapter, eos_ids, name=f"vllm/{package.__version__}+{kind}",
        seeds=not on_cpu, max_batch=runtime.max_batch, checkpoint_seconds=checkpoint_seconds,
    )  # fmt: skip
