"""One ``sample`` call on vLLM's engine: a request a candidate, aborted where it has lost.

Everything here but ``events`` and ``feed`` runs on the host's loop, beside vLLM's own client; what
there is to tell crosses over to the caller's loop. A request that vLLM refuses ends as ``error``;
where its engine dies, the ids so far are told and the call fails.
Not covered: starting and ending the engine (vllm_host.py).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from typing import Any

from deimos.engines.base import Done, Job, Key, Progress
from deimos.engines.stream_state import RemoteRow
from deimos.engines.vllm.host import Host, VLLMLost
from deimos.models.ref import first_line
from deimos.recipe import RecipeError

Told = Progress | Done | BaseException


class Run:
    """The rows of one ``sample`` call, and the tasks that decode them.

    Args:
        host: the running engine.
        adapter: the ``LoRARequest`` of every request; None: the base.
        eos_ids: ids that end a turn.
        seeds: whether requests carry their seeds.
        places: rows at a time.
        checkpoint_seconds: how often the ids so far are told.
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
        self._host = host
        self._llm = host.llm
        self._adapter = adapter
        self._eos_ids = frozenset(eos_ids)
        self._seeds = seeds
        self._checkpoint_seconds = checkpoint_seconds
        self._free = asyncio.Semaphore(places)
        self._caller = asyncio.get_running_loop()
        self._told: asyncio.Queue[Told | None] = asyncio.Queue()
        self._rows: dict[Key, RemoteRow] = {}
        self._tasks: dict[Key, asyncio.Task[tuple[str, str]]] = {}
        self._ticker: asyncio.Task[None] | None = None
        self._number = 0
        self.counts = {"requests": 0, "aborted": 0, "refused": 0, "tokens": 0}
        """Tokens are those that came, of aborted requests too."""

    # On the caller's loop ------------------------------------------------------------------------

    async def events(self, jobs: AsyncIterator[Job]) -> AsyncIterator[Progress | Done]:
        """What ``Engine.sample`` yields."""
        feeder = asyncio.create_task(self._feed(jobs))
        feeder.add_done_callback(lambda _: self._told.put_nowait(None))
        self._host.loop.call_soon_threadsafe(self._begin)
        done = 0
        try:
            while not feeder.done() or done < feeder.result():
                told = await self._told.get()
                if isinstance(told, BaseException):
                    raise told
                if told is None:
                    continue
                if isinstance(told, Done):
                    done += 1
                    self._free.release()
                yield told
        finally:
            feeder.cancel()
            await asyncio.gather(feeder, return_exceptions=True)
            closing = asyncio.run_coroutine_threadsafe(self._close(), self._host.loop)
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
            self._host.loop.call_soon_threadsafe(self._admit, job)

    def stop(self, key: Key) -> None:
        """Abort a row's request."""
        self._host.loop.call_soon_threadsafe(self._cancel, key)

    def cap(self, key: Key, think_tokens: int) -> None:
        """Lower a row's think cap, and hold it to it."""
        self._host.loop.call_soon_threadsafe(self._lower, key, think_tokens)

    # On the host's loop --------------------------------------------------------------------------

    def _begin(self) -> None:
        self._ticker = asyncio.create_task(self._tick())

    async def _close(self) -> None:
        """End every task, and with them every request."""
        tasks = [*self._tasks.values(), *([self._ticker] if self._ticker else [])]
        self._rows.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _tell(self, told: Told) -> None:
        self._caller.call_soon_threadsafe(self._told.put_nowait, told)

    def _cancel(self, key: Key) -> None:
        if (task := self._tasks.get(key)) is not None:
            task.cancel()

    def _lower(self, key: Key, think_tokens: int) -> None:
        if (row := self._rows.get(key)) is not None:
            row.lower(think_tokens)
            if row.outgrown:
                self._cancel(key)

    def _admit(self, job: Job) -> None:
        row = self._rows[job.key] = RemoteRow(job, self._eos_ids, self._host.loop.time())
        task = self._tasks[job.key] = asyncio.create_task(self._decode(row))
        task.add_done_callback(lambda task: self._end(row, task))

    def _end(self, row: RemoteRow, task: asyncio.Task[tuple[str, str]]) -> None:
        """Tell a row's end, however its task came to it."""
        del self._tasks[row.job.key]
        if self._rows.get(row.job.key) is not row:
            return  # the run is being closed
        finish, error = "stopped", ""
        if not task.cancelled():
            if (failure := task.exception()) is not None:
                self._fail(failure)
                return
            finish, error = task.result()
        del self._rows[row.job.key]
        self.counts["aborted"] += finish == "stopped"
        self.counts["refused"] += finish == "error"
        self._tell(row.done(finish, error, self._host.loop.time()))

    def _fail(self, failure: BaseException) -> None:
        """The engine is lost: whoever asked keeps what there was."""
        self._tell_ids()
        self._tell(failure)

    async def _decode(self, row: RemoteRow) -> tuple[str, str]:
        """A row's finish and error."""
        if not row.job.prompt_ids:
            return "error", "the prompt has no tokens"
        if row.ended or row.outgrown:
            return row.ended or "stopped", ""
        if too_long := self._too_long(row.job):
            return "error", too_long
        self.counts["requests"] += 1
        try:
            return await self._ask(row) or "stopped", ""
        except Exception as e:
            if self._llm.errored:
                raise VLLMLost(
                    "vLLM's engine process has died (its own words are above): what is done is "
                    "kept, run again to resume"
                ) from e
            return "error", f"vLLM refuses the request: {first_line(e.__cause__ or e)}"

    def _too_long(self, job: Job) -> str:
        """What is wrong where a prompt leaves too little room; nothing else.

        Raises:
            RecipeError: there would be no room behind any prompt.
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

    async def _ask(self, row: RemoteRow) -> str | None:
        """Decode; the finish, or None where the row is to be stopped. Leaving aborts the request."""
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
                if (told := row.progress()) is not None:
                    self._tell(told)
                finish = piece.finish_reason
                if row.outgrown and not finish:
                    return None
        if finish not in ("stop", "length"):
            raise RuntimeError(f"it ended the request with {finish!r}")
        return finish

    def _parameters(self, row: RemoteRow) -> Any:
        """The job's sampler as vLLM's; the end-of-turn ids come with the tokens."""
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
            self._tell_ids()

    def _tell_ids(self) -> None:
        for row in self._rows.values():
            if (told := row.progress(checkpoint=True)) is not None:
                self._tell(told)
