"""Judging in processes that can be killed.

A grader's ``fast`` attribute is asked first, in process; what it leaves (None) and every grader
without one goes to a worker: a fresh Python process that holds one item at a time, is killed with
all its children at the item's deadline and replaced. The deadline counts the processor time of the
worker (from dispatch, without its children), so that a verdict does not depend on what else the
machine has to do; behind it stands one of the wall clock, twelve times as long. Worker processes are
started when the first item comes for them, and recycled after many items or much memory. A kind's
grader is loaded there when the kind's first item comes (and its ``prepare`` attribute called); that
time is not counted. Candidates of one prompt often end in the same answer: it is judged once, unless
the verdict was null.
Not a sandbox: it protects against hangs, crashes and memory, not against malice.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, Self

from deimos import registry
from deimos.graders import second
from deimos.graders.worker.process import START_SECONDS, Crashed, JudgeProcess, Late, NotLoaded
from deimos.recipe import RecipeError
from deimos.types import Kind, Prompt, SecondOpinion, Verdict

RECYCLE_AFTER = 20_000
"""Items; a fresh process starts its sandbox, imports and loads its data anew, and memory has its own limit."""
_SECOND = "second opinion"
"""The kind of requests to math-verify alone."""
REMEMBERED = 4096
"""Answers whose verdicts are kept, the oldest forgotten first; at 64 prompts in flight, 64 of each."""


@dataclass(frozen=True)
class MadeGrader:
    """A grader that a function makes, in the worker process, of options that are JSON."""

    maker: str
    """``package.module:function``; called with the options it returns ``(answer, reference) ->
    Verdict``."""
    options: Mapping[str, Any]
    deadline: float
    """Seconds of processor time that an answer may take."""
    load_seconds: float
    """Seconds that making it may take."""


@dataclass
class _Item:
    kind: str
    answer: str
    reference: Any
    future: Future[Verdict] = field(default_factory=Future)


class Judge:
    """Judges answers by the grader of their kind; a context manager, sync or async.

    Args:
        specs: grader per kind: registered name, ``pkg:attr``, ``./file.py:attr``, or one to be made.
        workers: processes at most.
        timeout: seconds of processor time until a worker is killed and the verdict is null; a grader
            with a ``deadline`` of its own (one that keeps a clock itself) has that.
        recycle_after: items until a worker process is replaced.
        environment: of the worker processes; None: this process's without tokens.

    Raises:
        deimos.registry.UnknownName: a spec that names nothing.
    """

    def __init__(
        self,
        specs: Mapping[Kind, str] | Mapping[str, MadeGrader],
        *,
        workers: int = 1,
        timeout: float = 5.0,
        recycle_after: int = RECYCLE_AFTER,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._fast: dict[str, Callable[..., Verdict | None] | None] = {}
        self._specs: dict[str, Any] = {}
        self._has_second = specs.get("math") in registry.BUILTIN["grader"]
        self._deadlines: dict[str, float] = {}
        self._load_seconds: dict[str, float] = {}
        for kind, spec in specs.items():
            self._add(kind, spec, timeout)
        if self._has_second:
            self._add(_SECOND, MadeGrader(second.MAKER, {}, second.SECONDS, START_SECONDS), timeout)
        self._environment = environment
        self._workers, self._recycle_after = workers, recycle_after
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._children: set[JudgeProcess] = set()
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int, str], tuple[Any, Future[Verdict]]] = {}
        self._idle = 0
        self._closed = False

    def _add(self, kind: str, spec: str | MadeGrader, timeout: float) -> None:
        if isinstance(spec, MadeGrader):
            self._fast[kind] = None
            self._specs[kind] = {"maker": spec.maker, "options": dict(spec.options)}
            self._deadlines[kind], self._load_seconds[kind] = spec.deadline, spec.load_seconds
            return
        grader = registry.resolve("grader", spec)
        self._fast[kind] = grader.fast
        self._specs[kind] = grader.portable_spec(spec)
        self._deadlines[kind] = timeout if grader.deadline is None else grader.deadline
        self._load_seconds[kind] = START_SECONDS

    async def __call__(self, prompt: Prompt, answer: str) -> Verdict:
        """Judge an answer to a prompt without holding the event loop; never raises for an answer.

        The same answer to the same prompt (the same ``reference`` object) is judged once.
        """
        return await self._ask(prompt.kind, answer, prompt.reference)

    async def with_second(self, prompt: Prompt, answer: str) -> Verdict:
        """As calling it; a math verdict has a second opinion."""
        verdict = await self(prompt, answer)
        return replace(verdict, second=await self.second(prompt, answer))

    async def second(self, prompt: Prompt, answer: str) -> SecondOpinion | None:
        """The second opinion on a math answer (``graders/second.py``), half of it from a worker.

        None for other kinds, and where another grader than ours judges math.
        """
        if prompt.kind != "math" or not self._has_second:
            return None
        other = await self._ask(_SECOND, answer, prompt.reference)
        return SecondOpinion(second.match_plainly(answer, prompt.reference), other.ok)

    async def _ask(self, kind: str, answer: str, reference: Any) -> Verdict:
        # The reference is kept with its verdict, so that nothing else can come to have its id.
        same = kind, id(reference), answer
        if (known := self._known.get(same)) and (verdict := await _verdict_of(known[1])):
            return verdict
        future = self.submit(kind, answer, reference)
        if future.done():
            return future.result()
        with self._lock:
            self._known[same] = reference, future
            if len(self._known) > REMEMBERED:
                del self._known[next(iter(self._known))]
        return await asyncio.wrap_future(future)

    def submit(self, kind: str, answer: str, reference: Any) -> Future[Verdict]:
        """Judge in the background; from any thread. RecipeError for a kind without a grader."""
        if kind not in self._specs:
            raise RecipeError(
                f"no grader for kind {kind!r}: there is one for {', '.join(self._specs)}"
            )
        item = _Item(kind, answer, reference)
        verdict = _ask_fast(self._fast[kind], answer, reference)
        if verdict is not None:
            item.future.set_result(verdict)
        else:
            self._enqueue(item)
        return item.future

    def close(self) -> None:
        """Kill the workers; what they held, and what waits, becomes null."""
        with self._lock:
            self._closed = True
            threads, children = list(self._threads), list(self._children)
        for child in children:
            child.kill()
        for _ in threads:
            self._queue.put(None)
        for thread in threads:
            thread.join()

    def _enqueue(self, item: _Item) -> None:
        with self._lock:
            if self._closed:
                item.future.set_result(_closed())
                return
            self._queue.put(item)
            if self._queue.qsize() > self._idle and len(self._threads) < self._workers:
                # Daemon: an interpreter that ends without close() must not wait for a judge.
                thread = threading.Thread(target=self._serve, name="deimos-judge", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self) -> None:
        """One worker's thread: take an item, have it judged, hand the verdict over."""
        child: JudgeProcess | None = None
        while (item := self._next()) is not None:
            if not item.future.set_running_or_notify_cancel():
                continue
            try:
                verdict, child = self._judge(item, child)
            except NotLoaded as e:
                item.future.set_exception(e)
                child = None
            else:
                item.future.set_result(verdict)
        if child:
            self._drop(child)

    def _next(self) -> _Item | None:
        with self._lock:
            self._idle += 1
        item = self._queue.get()
        with self._lock:
            self._idle -= 1
        return item

    def _judge(
        self, item: _Item, child: JudgeProcess | None
    ) -> tuple[Verdict, JudgeProcess | None]:
        because, deadline = "", self._deadlines[item.kind]
        for _ in range(2):  # a crash is tried once more, in a fresh process
            try:
                child = child or self._start()
                child.load(item.kind, self._load_seconds[item.kind])
                verdict = child.judge(item.kind, item.answer, item.reference, deadline)
                return verdict, self._keep(child)
            except Late as e:
                because = f"timeout: no verdict in {e}"
                break
            except Crashed as e:
                because = f"infrastructure: {e}"
            except NotLoaded as e:
                because = str(e)
                raise
            except (TypeError, ValueError) as e:
                return Verdict.of(None, f"the reference cannot be sent to a worker: {e}"), child
            finally:
                if because and child:
                    self._drop(child)
                    child = None
            if self._closed:
                return _closed(), None
        return Verdict.of(None, because), None

    def _start(self) -> JudgeProcess:
        with self._lock:
            if self._closed:
                raise Crashed("the judge was closed")
            try:
                child = JudgeProcess(self._environment)
            except OSError as e:  # no process, no pipe to be had
                raise Crashed(f"no judging process could be started: {e}") from e
            self._children.add(child)
        try:
            child.start(self._specs)
        except (Late, Crashed) as e:
            self._drop(child)
            raise Crashed(f"the judging process did not start: {e}") from e
        return child

    def _keep(self, child: JudgeProcess) -> JudgeProcess | None:
        if child.judged < self._recycle_after and not child.spent:
            return child
        self._drop(child)
        return None

    def _drop(self, child: JudgeProcess) -> None:
        child.kill()
        child.reap()
        with self._lock:
            self._children.discard(child)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *failure: object) -> None:
        self.close()


async def _verdict_of(first: Future[Verdict]) -> Verdict | None:
    """What somebody else's question came to; None: to nothing, so it must be asked again."""
    if not first.done():
        await asyncio.wait([asyncio.wrap_future(first)])  # being cancelled here leaves it alone
    verdict = None if first.cancelled() else first.result()
    return None if verdict is None or verdict.ok is None else verdict


def _ask_fast(
    fast: Callable[..., Verdict | None] | None, answer: str, reference: Any
) -> Verdict | None:
    if fast is None:
        return None
    try:
        return fast(answer, reference)
    except Exception:  # the worker runs into it again and says what it was
        return None


def _closed() -> Verdict:
    return Verdict.of(None, "infrastructure: the judge was closed")
