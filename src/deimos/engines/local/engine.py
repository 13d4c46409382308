"""The local engine: transformers models on CPU or GPU, continuous batching, seeded noise.

Every step decodes one token of every row; rows come and go between steps (scheduler.py). A
candidate's tokens are a function of model, prompt, sampling and (seed, prompt id, index) alone, up to
rounding in the model's arithmetic. When memory runs out, rows continue later, fewer at a time. A row
ends (``length``) once the model's context is full; a prompt that fills it alone ends in an error.
Not covered: several devices, CUDA graphs, speculative decoding, quantised caches.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import transformers
from torch.nn.attention import SDPBackend, sdpa_kernel

from deimos.engines.base import Capabilities, Event, Job
from deimos.engines.calls import OneCall
from deimos.engines.local.batch import Batch
from deimos.engines.local.cache import ATTENTION, BlockCache, Prefix, read_layer_types
from deimos.engines.local.linear import pack_linear_layers
from deimos.engines.local.noise import draw_uniforms
from deimos.engines.local.options import LocalOptions
from deimos.engines.local.prefill import prefill
from deimos.engines.local.sampler import TokenSampler
from deimos.engines.local.scheduler import Scheduler
from deimos.models.context import context_length
from deimos.models.end_of_turn import eos_ids_of
from deimos.models.loading import load_model, load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe import validate
from deimos.recipe.runtime import Runtime
from deimos.registry import engine

CHECKPOINT_SECONDS = 10.0
"""How much decoding an interruption may cost; a checkpoint costs the caller a journal row for each job."""
KERNELS = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
"""Attention without cuDNN's, which plans anew for every length; every step has a new one."""


class LocalEngine(OneCall[Scheduler]):
    """An ``Engine`` over one transformers causal language model.

    Stops and caps take effect before the next token.
    """

    name = f"local/transformers-{transformers.__version__}"
    capabilities = Capabilities(seeds=True, token_ids=True, resumes=True, streams=True)

    def __init__(
        self,
        model: Any,
        eos_ids: Collection[int],
        *,
        max_batch: int = 256,
        block_rows: int | None = None,
        merge_waste: int | None = None,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
    ) -> None:
        """Take over a model: its attention, and on a CPU its linear layers, are replaced.

        Args:
            model: a causal language model in eval mode, on its device.
            eos_ids: ids that end a turn.
            max_batch: most rows decoded together.
            block_rows: most rows that attend as one block; more rows mean fewer calls, fewer rows
                less padding. Default 64 on CPU, all on other devices.
            merge_waste: padding (rows times tokens) accepted to make two blocks one. Default 512
                on CPU, unlimited elsewhere.
            checkpoint_seconds: between two ``Progress`` events with a row's ids so far.

        Raises:
            RecipeError: a layer type that the cache cannot hold.
        """
        self._types = read_layer_types(model.config)
        self._model = model
        self._device = next(model.parameters()).device
        on_cpu = self._device.type == "cpu"
        self.block_rows = block_rows or (64 if on_cpu else max_batch)
        self._merge_waste = merge_waste if merge_waste is not None else (512 if on_cpu else 2**62)
        self.max_batch = max_batch
        self.checkpoint_seconds = checkpoint_seconds
        self.eos_ids = frozenset(eos_ids)
        self.context = context_length(model.config.get_text_config(decoder=True).to_dict())
        """Tokens that the model was made for, prompt and completion together; None: not known."""
        model.set_attn_implementation(ATTENTION)
        pack_linear_layers(model)

    async def sample(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Event]:
        """See ``Engine.sample``.

        Raises:
            RuntimeError: another ``sample`` of this engine is still going on.
        """
        with self.only_call(lambda: Scheduler(self)) as call:
            feeder = asyncio.create_task(call.feed(jobs))
            try:
                while True:
                    for event in call.turn():
                        yield event
                    if feeder.done():
                        feeder.result()
                        if call.idle:
                            return
                    if call.idle:
                        await call.arrival(feeder)
                    else:
                        await asyncio.sleep(0)
            finally:
                feeder.cancel()

    def new_cache(self) -> BlockCache:
        """An empty batch."""
        return BlockCache(self._types)

    def new_batch(self) -> Batch:
        """Empty bookkeeping."""
        vocabulary = self._model.get_output_embeddings().weight.shape[0]
        return Batch(self.eos_ids, vocabulary, self.context)

    def prefill(
        self, sequences: Sequence[tuple[int, ...]], known: Mapping[tuple[int, ...], Prefix]
    ) -> list[Prefix]:
        """Run all but the last token of each sequence; one ``Prefix`` each, in order.

        Args:
            sequences: token ids.
            known: sequences that have been run; what others have in common with them is not run again.
        """
        return prefill(self._model, self._types, sequences, known, self._device)

    def step(self, batch: Batch, cache: BlockCache, sampler: TokenSampler) -> np.ndarray:
        """Run every row's last token and draw the next, [rows]."""
        cache.prepare(batch.lengths, self._device)
        with sdpa_kernel(KERNELS):
            logits = self._model(
                input_ids=torch.from_numpy(batch.last_ids()).to(self._device)[:, None],
                position_ids=torch.tensor(batch.lengths, device=self._device)[:, None],
                past_key_values=cache, use_cache=True, logits_to_keep=1,
            ).logits[:, -1]  # fmt: skip
        noise = draw_uniforms(batch.keys, batch.positions())
        if not sampler.needs_history:
            return sampler.draw(logits, noise).cpu().numpy()
        tensors = (
            torch.tensor(x, device=self._device)
            for x in (batch.history(), batch.prompts, batch.lengths + 1)
        )
        return sampler.draw(logits, noise, *tensors).cpu().numpy()

    def new_sampler(self, batch: Batch) -> TokenSampler:
        """A sampler for the rows as they stand now."""
        return TokenSampler(batch.parameters, self._device)

    def tidy(self, batch: Batch, cache: BlockCache) -> None:
        """Merge blocks that have grown alike."""
        cache.merge(batch.lengths, self.block_rows, self._merge_waste)


@engine("local")
def local(ref: ModelRef, runtime: Runtime, **options: Any) -> LocalEngine:
    """Load a model and make an engine of it; ``options`` are those of ``LocalOptions``.

    Raises:
        RecipeError: what ``load_model``, ``load_tokenizer`` and ``LocalEngine`` raise.
    """
    chosen = validate(LocalOptions, options, "runtime.engine_options").model_dump()
    device = runtime.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if runtime.threads is not None:
        torch.set_num_threads(runtime.threads)
    eos_ids = eos_ids_of(load_tokenizer(ref), ref)
    return LocalEngine(load_model(ref, device), eos_ids, max_batch=runtime.max_batch, **chosen)
