"""A model that is served from this machine: its engine in a thread of its own, and how it is asked.

The engine decodes on an event loop of its own, as a step of a model takes longer than a server may be
deaf. All requests join its one running batch. Not covered: loading several models, or one over HTTP
(the forwarder).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deimos import engines
from deimos.chat_template import TemplateArguments
from deimos.engines.base import Done, Engine, Key, Token
from deimos.engines.collect import Request
from deimos.engines.multiplex import Shared
from deimos.engines.stream import stream
from deimos.engines.think_budget import ThinkBudget, find_closing
from deimos.models.context import context_of
from deimos.models.end_of_turn import eos_ids_of
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.thinking import Rendered, Tags, render
from deimos.types import Sampling

PACE_SECONDS = 0.04
"""Between two chunks of a stream: what comes within is sent together. No eye sees the difference,
and waking up for each token would take the processor from the model."""
MORE_PACE_SECONDS = 0.01
"""The same for each further stream that runs, as all of them share the processor with the model."""
LONGEST_PACE_SECONDS = 0.2
"""No stream waits longer than this for what is there."""
AT_HAND_SECONDS = 0.0005
"""An event that comes within is one that was there already."""


class EngineThread:
    """An engine on an event loop in a thread of its own, for callers on other loops.

    Args:
        engine: what samples.
        tokenizer: turns ids to text.
        eos_ids: ids that end a turn.
    """

    def __init__(self, engine: Engine, tokenizer: Any, eos_ids: frozenset[int]) -> None:
        self.name = engine.name
        self.engine = engine
        """What samples; only from here while requests run."""
        self._shared = Shared(engine, self._note_end)
        self._streams: dict[Key, asyncio.Event] = {}
        """By what runs: set once its last token is there."""
        self._tokenizer, self._eos_ids = tokenizer, eos_ids
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    async def follow(self, request: Request) -> AsyncGenerator[list[Token | Done], None]:
        """What comes of a request, all that has come since the last time together.

        Leaving ends it, if it still runs, and frees its row.

        Raises:
            Exception: whatever the engine raised.
        """
        inbox = _Inbox()
        running = asyncio.run_coroutine_threadsafe(self._decode(request, inbox), self._loop)
        try:
            while events := await inbox.take():
                yield events
        finally:
            running.cancel()

    def close(self) -> None:
        """End everything that runs, and the thread."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        self._thread.join(timeout=10)

    async def _decode(self, request: Request, inbox: _Inbox) -> None:
        first, since = True, self._loop.time()
        ended = asyncio.Event()
        if request.stream:
            self._streams[request.key] = ended
        try:
            async for event in stream(self._shared, self._tokenizer, self._eos_ids, [request]):
                awaited = self._loop.time() - since > AT_HAND_SECONDS
                if awaited and not first and isinstance(event, Token):
                    with contextlib.suppress(TimeoutError):  # more tokens gather meanwhile
                        await asyncio.wait_for(ended.wait(), self._pace())
                        ended.clear()  # of a thought that is closed, and an answer follows
                inbox.put(event)
                first, since = False, self._loop.time()
            inbox.put(None)
        except Exception as e:
            inbox.put(e)
        finally:
            self._streams.pop(request.key, None)

    def _note_end(self, key: Key) -> None:
        if ended := self._streams.get(key):
            ended.set()

    def _pace(self) -> float:
        """Seconds between two chunks of a stream, as many as run now."""
        more = MORE_PACE_SECONDS * max(len(self._streams) - 1, 0)
        return min(PACE_SECONDS + more, LONGEST_PACE_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._loop.stop()


class _Inbox:
    """Events on their way from the engine's thread to the loop that made this."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._came = asyncio.Event()
        self._events: deque[Token | Done | BaseException | None] = deque()
        self._called = False
        """Whether the loop has been woken and has not looked yet."""
        self._over = False

    def put(self, event: Token | Done | BaseException | None) -> None:
        """Called in the engine's thread; None: no more come."""
        self._events.append(event)
        if not self._called:
            self._called = True
            self._loop.call_soon_threadsafe(self._came.set)

    async def take(self) -> list[Token | Done]:
        """All that has come, at least one event; none: no more come."""
        found: list[Token | Done] = []
        while not found and not self._over:
            await self._came.wait()
            self._came.clear()
            self._called = False
            while self._events and not self._over:
                event = self._events.popleft()
                if isinstance(event, BaseException):
                    raise event
                self._over = event is None
                found += [event] if event is not None else []
        return found


@dataclass(frozen=True)
class ServedModel:
    """A model by the name under which it is asked."""

    name: str
    thread: EngineThread
    tokenizer: Any = field(repr=False)
    eos_ids: frozenset[int]
    tags: Tags | None
    """Of a thought; None: it thinks in none."""
    defaults: Sampling
    """What a request that leaves a value open is decoded with; ``max_tokens``: at most."""
    context: int | None
    """Tokens of prompt and completion that it can hold; None: not known."""
    closing: tuple[tuple[int, ...], tuple[int, ...]] | None
    """What closes a thought, see ``find_closing``; None: without tags."""
    silent_ids: frozenset[int]
    """Ids that make no text."""
    template: TemplateArguments = field(default_factory=TemplateArguments)
    """What the chat template is given with every prompt."""

    def render(
        self, messages: Sequence[Mapping[str, Any]], arguments: Mapping[str, Any] | None = None
    ) -> Rendered:
        """The prompt of a conversation, with further arguments for the chat template.

        Raises:
            ThinkingError: the chat template refuses the messages.
        """
        return render(
            self.tokenizer, messages, tags=self.tags, thinking=None, template=self.template,
            arguments=arguments,
        )  # fmt: skip

    def think_budget(self, tokens: int | None) -> ThinkBudget | None:
        """Where a thought is closed; None: nowhere."""
        if tokens is None or self.closing is None:
            return None
        return ThinkBudget(tokens, *self.closing)


def open_model(
    name: str,
    ref: ModelRef,
    runtime: Runtime,
    tags: Tags | None,
    defaults: Sampling,
    template: TemplateArguments | None = None,
) -> ServedModel:
    """Load a model and start its engine's thread.

    Args:
        name: under which it is asked.
        ref: its weights.
        runtime: names the engine.
        tags: of a thought; None: it thinks in none.
        defaults: see ``ServedModel``.
        template: what the chat template is given with every prompt; None: nothing.

    Raises:
        RecipeError: there is no such model or engine, or it cannot be loaded.
    """
    tokenizer = load_tokenizer(ref)
    eos_ids = eos_ids_of(tokenizer, ref)
    engine = engines.open(ref, runtime)
    return ServedModel(
        name=name,
        thread=EngineThread(engine, tokenizer, eos_ids),
        tokenizer=tokenizer,
        eos_ids=eos_ids,
        tags=tags,
        defaults=defaults,
        context=context_of(ref),
        closing=None if tags is None else find_closing(tokenizer, tags, template),
        silent_ids=frozenset(tokenizer.all_special_ids) | eos_ids,
        template=template or TemplateArguments(),
    )
