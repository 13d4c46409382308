"""One ``sample`` call on vLLM's engine: one request for each candidate, aborted if it is stopped.

``VLLMRows`` runs on the host's loop, beside vLLM's own client; ``VLLMCall`` on the caller's, and events
cross over from the one to the other. A request that vLLM refuses ends as ``error``; if vLLM's engine
dies, a checkpoint is sent and the call fails.
Not covered: starting and ending the engine (host.py).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any

from deimos.engines.base import Done, Event, Job, Key
from deimos.engines.calls import StreamTasks
from deimos.engines.stream_state import StreamState
from deimos.engines.vllm.host import Host, VLLMLost
from deimos.models.ref import first_line
from deimos.recipe import RecipeError


class VLLMCall:
    """One ``sample`` call, on the caller's loop.

    Args:
        host: the running engine.
        adapter: the ``LoRARequest`` of every request; None: the base.
        eos_ids: ids that end a turn.
        seeds: whether requests carry their seeds.
        places: rows at a time.
        checkpoint_seconds: between two ``Progress`` events with a row's ids so far.
    """

    def __init__(
        self,
        host: Host,
        adapter: Any,
        eos_ids: Collection[int],
        *,
        seeds: bool,
        places: int,
        checkpoint_seconds: float,
    ) -> None:
        self._loop = host.loop
        self._caller = asyncio.get_running_loop()
        self._free = asyncio.Semaphore(places)
        self._events: asyncio.Queue[Event | BaseException | None] = asyncio.Queue()
        """None: no more jobs come."""
        self._rows = VLLMRows(
            host, adapter, eos_ids, self._send, seeds=seeds, checkpoint_seconds=checkpoint_seconds
        )

    @property
    def counts(self) -> dict[str, int]:
        """See ``VLLMRows.counts``."""
        return self._rows.counts

    def stop(self, key: Key) -> None:
        """Abort a row's request."""
        self._loop.call_soon_threadsafe(self._rows.stop, key)

    def cap(self, key: Key, think_tokens: int) -> None:
        """Lower a row's think cap, and abort it if its thought is longer already."""
        self._loop.call_soon_threadsafe(self._rows.cap, key, think_tokens)

    async def events(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Event]:
        """What ``Engine.sample`` yields."""
        feeder = asyncio.create_task(self._feed(jobs))
        feeder.add_done_callback(lambda _: self._events.put_nowait(None))
        self._loop.call_soon_threadsafe(self._rows.begin)
        done = 0
        try:
            while not feeder.done() or done < feeder.result():
                event = await self._events.get()
                if isinstance(event, BaseException):
                    raise event
                if event is None:
                    continue
                if isinstance(event, Done):
                    done += 1
                    self._free.release()
                yield event
        finally:
            feeder.cancel()
            await asyncio.gather(feeder, return_exceptions=True)
            closing = asyncio.run_coroutine_threadsafe(self._rows.close(), self._loop)
            await asyncio.wrap_future(closing)

    async def _feed(self, jobs: AsyncIterator[Job]) -> int:
        """Pull jobs while there are places for them; returns how many there were."""
        number = 0
        source = aiter(jobs)
        while True:
            await self._free.acquire()
            try:
                job = await anext(source)
            except StopAsyncIteration:
                return number
            number += 1
            self._loop.call_soon_threadsafe(self._rows.admit, job)

    def _send(self, event: Event | BaseException) -> None:
        """Called on the host's loop."""
        self._caller.call_soon_threadsafe(self._events.put_nowait, event)


class VLLMRows(StreamTasks[StreamState]):
    """The rows of one ``sample`` call and the tasks that decode them, on the host's loop.

    ``send_to_caller`` takes each event, or the exception that ends the call; the other arguments are
    ``VLLMCall``'s.
    """

    def __init__(
        self,
        host: Host,
        adapter: Any,
        eos_ids: Collection[int],
        send_to_caller: Callable[[Event | BaseException], None],
        *,
        seeds: bool,
        checkpoint_seconds: float,
    ) -> None:
        super().__init__()
        self._llm = host.llm
        self._adapter = adapter
        self._eos_ids = frozenset(eos_ids)
        self._send_to_caller = send_to_caller
        self._seeds = seeds
        self._checkpoint_seconds = checkpoint_seconds
        self._ticker: asyncio.Task[None] | None = None
        self._number = 0
        self.counts = {"requests": 0, "aborted": 0, "refused": 0, "tokens": 0}
        """Tokens are those that came, those of aborted requests too."""

    def now(self) -> float:
        """The host loop's time."""
        return asyncio.get_running_loop().time()

    def begin(self) -> None:
        """Begin to send checkpoints."""
        self._ticker = asyncio.create_task(self._tick())

    def admit(self, job: Job) -> None:
        """Begin to decode a job."""
        self.start(StreamState(job, self._eos_ids, self.now()))

    async def close(self) -> None:
        """End every task, and with them every request."""
        await self.cancel(*([self._ticker] if self._ticker else []))

    def send(self, event: Event) -> None:
        """Hand an event to the caller of ``sample``."""
        self._send_to_caller(event)

    def fail(self, failure: BaseException) -> None:
        """VLLM's engine is lost: send a checkpoint, then the failure."""
        self.send_checkpoint()
        self._send_to_caller(failure)

    def on_end(self, row: StreamState, finish: str) -> None:
        """Count it."""
        self.counts["aborted"] += finish == "stopped"
        self.counts["refused"] += finish == "error"

    async def decode(self, row: StreamState) -> tuple[str, str]:
        """A row's finish and error."""
        if not row.job.prompt_ids:
            return "error", "the prompt has no tokens"
        if row.ended or row.over_cap:
            return row.ended or "stopped", ""
        if too_long := self._too_long(row.job):
            return "error", too_long
        self.counts["requests"] += 1
        try:
            return await self._ask(row) or "stopped", ""
        except Exception as e:
            if self._llm.errored:
                raise VLLMLost(
                    "vLLM's engine process has died (its own message is above): what is done is "
                    "kept, run again to resume"
                ) from e
            return "error", f"vLLM refuses the request: {first_line(e.__cause__ or e)}"

    def _too_long(self, job: Job) -> str:
        """What is wrong if a prompt leaves too little room for its completion; else empty.

        Raises:
            RecipeError: no prompt would leave enough.
        """
        length, prompt, most = (
            self._llm.model_config.max_model_len, len(job.prompt_ids), job.sampling.max_tokens,
        )  # fmt: skip
        if most >= length:
            raise RecipeError(
                f"max_tokens = {most}: this vLLM holds {length} tokens, prompt included: lower "
                "max_tokens, or raise runtime.engine_options.max_model_len as far as the model allows"
            )
        if prompt + most > length:
            return f"this vLLM holds {length} tokens: prompt ({prompt}) and max_tokens ({most}) are more"
        return ""

    async def _ask(self, row: StreamState) -> str | None:
        """Decode; returns the finish, or None if the row is over its cap. Leaving aborts the request."""
        self._number += 1
        outputs = self._llm.generate(
            {"type": "token", "prompt_token_ids": row.prompt},
            self._parameters(row),
            f"deimos-{id(self)}-{self._number}",
            lora_request=self._adapter,
        )
        finish = None
        async with contextlib.aclosing(outputs):
            async for output in outputs:  # to its own end: leaving a finished one aborts it, too
                (piece,) = output.outputs
                self.counts["tokens"] += len(piece.token_ids)
                row.push(piece.token_ids)
                for event in row.events():
                    self.send(event)
                finish = piece.finish_reason
                if row.over_cap and not finish:
                    return None
        if finish not in ("stop", "length"):
            raise RuntimeError(f"it ended the request with {finish!r}")
        return finish

    def _parameters(self, row: StreamState) -> Any:
        """The job's sampling parameters as vLLM's; end-of-turn ids are sent among the tokens."""
        from vllm.sampling_params import (  # pyright: ignore[reportMissingImports]
            RequestOutputKind,
            SamplingParams,
        )

        s = row.job.sampling
        return SamplingParams(
            temperature=s.temperature, top_p=s.top_p, top_k=s.top_k, min_p=s.min_p,
            repetition_penalty=s.repetition_penalty, presence_penalty=s.presence_penalty,
            frequency_penalty=s.frequency_penalty, max_tokens=row.left,
            stop_token_ids=sorted(self._eos_ids), seed=row.seed if self._seeds else None,
            detokenize=False, output_kind=RequestOutputKind.DELTA, skip_clone=True,
        )  # fmt: skip

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._checkpoint_seconds)
            self.send_checkpoint()
