"""vLLM's engine process: its start, the event loop that talks to it, and its end.

The loop runs in a thread of its own, so tokens are taken in while the caller is busy, and the host
outlives the caller's event loops. Engines over the same weights share one process: base and tuned
are one model, the tuned one with an adapter on each request. An adapter that the running process was
not started for starts it anew. No process outlives this one, however it ends.
Not covered: jobs (call.py), and what the arguments mean (options.py).
"""

from __future__ import annotations

import asyncio
import atexit
import multiprocessing
import multiprocessing.process
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from deimos.engines.vllm import watchdog
from deimos.engines.vllm.options import choose_served_rank, read_adapter_rank
from deimos.models.ref import first_line
from deimos.recipe import RecipeError

GRACE_SECONDS = 30.0
"""Seconds that vLLM's processes get to end before they are killed."""
CHILD = "EngineCore"
"""How the names of vLLM's engine processes begin."""


class VLLMLost(RuntimeError):
    """vLLM's engine did not start or has died; what is done is kept, and running again resumes."""


class Host:
    """One vLLM engine, started by ``serve`` and ended with its last user.

    Args:
        arguments: ``AsyncEngineArgs``' fields, adapters aside.
    """

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.arguments = arguments
        self.users = 0
        self.running = 0
        """``sample`` calls that are going on."""
        self.llm: Any = None
        self.loop = asyncio.new_event_loop()
        self._rank = 0
        """The greatest adapter that the process was started for; 0: none."""
        self._adapters: dict[str, Any] = {}
        self._children: list[multiprocessing.process.BaseProcess] = []
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._turn, name="vllm", daemon=True)
        self._thread.start()

    def serve(self, adapter: str | None) -> Any:
        """Start the engine if it does not run yet; returns the adapter's ``LoRARequest``, or None.

        Raises:
            RecipeError: vLLM cannot run the model or the adapter.
            VLLMLost: it did not start.
        """
        rank = 0 if adapter is None else choose_served_rank(read_adapter_rank(adapter))
        if self.llm is None or rank > self._rank:
            if self.running:
                raise RuntimeError("an adapter came while the vLLM engine was sampling")
            self.stop()
            self._rank = max(rank, self._rank)
            self.call(self._start())
        if adapter is None:
            return None
        return self.call(self._adapter(str(Path(adapter).expanduser().resolve())))

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the loop and wait for it, from another thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def stop(self) -> None:
        """End vLLM's processes; the event loop keeps running."""
        llm, self.llm = self.llm, None
        self._adapters.clear()
        if llm is not None:
            try:
                ending = asyncio.run_coroutine_threadsafe(_shut_down(llm), self.loop)
                ending.result(GRACE_SECONDS)
            except Exception:  # it may be dead, or hang: what is left of it is killed
                pass
            _kill(self._children)
        self._children = []
        self._end_watchdog()

    def close(self) -> None:
        """End everything."""
        if threading.current_thread() is self._thread:  # garbage collection called it there
            threading.Thread(target=self.close).start()
            return
        self.stop()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(GRACE_SECONDS)

    def _end_watchdog(self) -> None:
        if self._watchdog is not None:
            self._watchdog.kill()
            self._watchdog.wait()
            self._watchdog = None

    def _turn(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    async def _start(self) -> None:
        from vllm.engine.arg_utils import AsyncEngineArgs  # pyright: ignore[reportMissingImports]
        from vllm.v1.engine.async_llm import AsyncLLM  # pyright: ignore[reportMissingImports]

        lora = {"enable_lora": True, "max_lora_rank": self._rank} if self._rank else {}
        before = {*multiprocessing.active_children()}
        self._watchdog = _start_watchdog()
        try:
            self.llm = AsyncLLM.from_engine_args(AsyncEngineArgs(**{**lora, **self.arguments}))
        except (ValueError, TypeError, OSError) as e:  # pydantic's errors are ValueErrors
            model = self.arguments["model"]
            raise RecipeError(f"model {model!r}: vLLM does not run it: {_reason(e)}") from e
        except Exception as e:
            raise VLLMLost(f"vLLM did not start: {_reason(e)} (its own message is above)") from e
        finally:
            self._children = [c for c in multiprocessing.active_children() if c not in before]
            if self.llm is None:
                _kill(self._children)
                self._end_watchdog()
        self._watchdog.send_signal(signal.SIGUSR1)

    async def _adapter(self, folder: str) -> Any:
        """The request for an adapter, which is loaded if it is new."""
        from vllm.lora.request import LoRARequest  # pyright: ignore[reportMissingImports]

        if folder not in self._adapters:
            request = LoRARequest(folder, len(self._adapters) + 1, folder)
            try:
                await self.llm.add_lora(request)
            except Exception as e:
                if self.llm.errored:
                    raise VLLMLost(
                        f"vLLM died while it loaded adapter {folder!r}: {_reason(e)}"
                    ) from e
                raise RecipeError(
                    f"adapter {folder!r}: vLLM does not serve it: {_reason(e)}"
                ) from e
            self._adapters[folder] = request
        return self._adapters[folder]


_hosts: dict[str, Host] = {}
"""By what they run."""


def get_host(name: str, arguments: dict[str, Any]) -> Host:
    """The host of this name, made if there is none, with one user more."""
    host = _hosts.get(name)
    if host is None:
        host = _hosts[name] = Host(arguments)
    host.users += 1
    return host


def release(host: Host) -> None:
    """One user less; the last one ends it."""
    host.users -= 1
    if host.users == 0:
        for name in [name for name, other in _hosts.items() if other is host]:
            del _hosts[name]
        host.close()


@atexit.register
def _end_all() -> None:
    """Before multiprocessing waits for its children: end them, started or half started."""
    for host in [*_hosts.values()]:
        host.stop()
    _kill([c for c in multiprocessing.active_children() if c.name.startswith(CHILD)])


async def _shut_down(llm: Any) -> None:
    llm.shutdown(timeout=GRACE_SECONDS / 2)


def _kill(children: list[multiprocessing.process.BaseProcess]) -> None:
    for child in children:
        if child.is_alive():
            child.kill()
            child.join(GRACE_SECONDS)


def _start_watchdog() -> subprocess.Popen[bytes]:
    """Start what kills vLLM's processes if this one dies, before there are any; see ``watchdog``."""
    command = [sys.executable, "-I", watchdog.__file__, str(os.getpid())]
    started = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert started.stdout is not None
    with started.stdout as ready:
        ready.readline()  # it has listed the processes that were there before
    return started


def _reason(error: BaseException) -> str:
    return first_line(error).rstrip(".")
