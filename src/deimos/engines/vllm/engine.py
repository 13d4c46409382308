"""The engine over vLLM in this process's care: continuous batching, prefix caching, LoRA served.

One request a candidate, so that each can be aborted alone; prompts go as token ids and ids come
back. vLLM for CPUs dies of a request's own seed, so there are seeds on GPUs only. Going on from ids
draws other tokens than one piece would have, and not at all under a presence or frequency penalty
(those count output only): such a candidate begins again.
Not covered: several machines (the cluster's business), servers (openai.py).
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Collection
from typing import Any

from deimos.engines.base import Capabilities, Done, Job, Key, Progress
from deimos.engines.vllm.host import Host, host_for, release
from deimos.engines.vllm.options import engine_arguments, load_vllm, own_options
from deimos.engines.vllm.run import Run
from deimos.models.loading import eos_ids_of, load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.registry import engine


class VLLMEngine:
    """An ``Engine`` over a host's vLLM.

    Args:
        host: runs it; given back when this engine is let go.
        adapter: folder of a LoRA adapter that every request uses; None: the base.
        eos_ids: ids that end a turn.
        name: with vLLM's version.
        seeds: whether this vLLM bears requests with seeds.
        max_batch: rows at a time.
        checkpoint_seconds: how often the ids so far of all rows are told.
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
        self.capabilities = Capabilities(seeds=seeds, token_ids=True, resumes=True)
        self.eos_ids = frozenset(eos_ids)
        self.max_batch = max_batch
        self.checkpoint_seconds = checkpoint_seconds
        self._host = host
        self._adapter = adapter
        self._run: Run | None = None
        self._counts: dict[str, int] = {}
        weakref.finalize(self, release, host)
        host.serve(adapter)

    def stop(self, key: Key) -> None:
        """See ``Engine.stop``; aborts the candidate's request."""
        if self._run is not None:
            self._run.stop(key)

    def cap(self, key: Key, think_tokens: int) -> None:
        """See ``Engine.cap``; held to as tokens come."""
        if self._run is not None:
            self._run.cap(key, think_tokens)

    def facts(self) -> dict[str, Any]:
        """What it has done so far, for the stage's record."""
        return {**self._counts}

    async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Progress | Done]:
        """See ``Engine.sample``.

        Raises:
            VLLMLost: vLLM's engine has died; the ids so far of all candidates have been told.
            RecipeError: a prompt and its budget are more than this vLLM holds.
            RuntimeError: another ``sample`` of this engine is still going on.
        """
        if self._run is not None:
            raise RuntimeError("the vllm engine is already sampling: one sample() at a time")
        self._run = run = Run(
            self._host, self._host.serve(self._adapter), self.eos_ids,
            seeds=self.capabilities.seeds, places=self.max_batch,
            checkpoint_seconds=self.checkpoint_seconds,
        )  # fmt: skip
        self._host.running += 1
        events = run.events(jobs)
        try:
            async for event in events:
                yield event
        finally:
            self._run = None
            await events.aclose()  # pyright: ignore[reportAttributeAccessIssue]
            self._host.running -= 1
            self._counts = {k: n + self._counts.get(k, 0) for k, n in run.counts.items()}


@engine("vllm")
def vllm(ref: ModelRef, runtime: Runtime, **options: Any) -> VLLMEngine:
    """Start vLLM and make an engine of it; ``options`` are vLLM's engine arguments.

    Raises:
        RecipeError: no vLLM in this Python, an argument, a model or an adapter that it won't take.
        VLLMLost: it did not start.
    """
    package = load_vllm()
    from vllm.platforms import current_platform  # pyright: ignore[reportMissingImports]

    checkpoint_seconds, theirs = own_options(options)
    on_cpu = bool(current_platform.is_cpu())
    tokenizer = load_tokenizer(ref)
    eos_ids = eos_ids_of(tokenizer, ref)
    arguments = engine_arguments(ref, runtime, theirs, on_cpu=on_cpu)
    kind = "cpu" if on_cpu else "cuda"
    weights = repr((ref.path, ref.revision, ref.dtype, runtime.max_batch, sorted(theirs.items())))
    return VLLMEngine(
        host_for(weights, arguments), ref.adapter, eos_ids, name=f"vllm/{package.__version__}+{kind}",
        seeds=not on_cpu, max_batch=runtime.max_batch, checkpoint_seconds=checkpoint_seconds,
    )  # fmt: skip
