"""Starting a server: what stands around what, the socket, and its end.

Guard, chat page, thinking router, and inside them the app over a model on this machine or the
forwarder to another server. Everything that the user can mend is refused before a model is loaded.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import uvicorn

from deimos.models.loading import load_tokenizer
from deimos.serve.app import make_app
from deimos.serve.chat_page import ChatPage, page_paths
from deimos.serve.connections import SETTINGS, raise_file_limit
from deimos.serve.fields import RequestLimits
from deimos.serve.forward import UPSTREAM_KEY, Forwarder, read_address
from deimos.serve.guard import Guard
from deimos.serve.http import App
from deimos.serve.keys import Keys, ServeError, check_bind, is_loopback, read_keys
from deimos.serve.metrics import Metered, ServingMetrics
from deimos.serve.middleware import ThinkingRouter
from deimos.serve.models import open_model
from deimos.serve.router import TRAINED_OFF, Router
from deimos.serve.selftest import examine_upstream
from deimos.serve.target import ServeTarget
from deimos.serve.vllm_sr import write_router_config

VLLM = "http://127.0.0.1:8000"
"""Where vLLM serves by default."""
DRAIN_SECONDS = 30
"""Seconds that answers get to be finished once the server is asked to end."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class ListenAddress:
    """Where a server listens."""

    host: str = "127.0.0.1"
    port: int = 8000


def serve(
    target: ServeTarget, address: ListenAddress, say: Say, *, log_prompts: bool = False
) -> None:
    """Serve a model from this machine until a signal ends it.

    Args:
        target: the model.
        address: where to listen.
        say: prints a line.
        log_prompts: whether what is asked is written into the log.

    Raises:
        ServeError: the address cannot be listened on, or is not safe without keys.
        RecipeError: the model cannot be loaded.
    """
    _show_log(log_prompts)
    keys = read_keys()
    with _listening(address, keys) as listening:
        _say_notes(target, say)
        say(f"loading {target.ref.path} …")
        model = open_model(
            target.name,
            target.ref,
            target.runtime,
            target.tags,
            target.defaults.sampling,
            target.template,
        )
        metrics = ServingMetrics()
        try:
            router = target.router(str(model.tokenizer.chat_template))
            app = make_app({model.name: model}, metrics)
            app = _surround(app, router, target, keys, address, {model.name}, metrics)
            _run(app, listening, say, f"{model.name} ({model.thread.name})", router)
        finally:
            model.thread.close()


def forward(
    upstream: str,
    target: ServeTarget | None,
    address: ListenAddress,
    say: Say,
    *,
    log_prompts: bool = False,
) -> None:
    """Stand before another server until a signal ends it.

    Args:
        upstream: its address.
        target: what it serves, for the template's switch, the locked sampling and the policy; None:
            not known.
        address: where to listen.
        say: prints a line.
        log_prompts: whether what is asked is written into the log.

    Raises:
        ServeError: as ``serve``, or the upstream server cannot be reached or has no models.
    """
    _show_log(log_prompts)
    read_address(upstream)
    keys = read_keys()
    router = _router_of(target)
    with _listening(address, keys) as listening:
        _say_notes(target, say)
        key = os.environ.get(UPSTREAM_KEY)
        say(f"trying {upstream}: each thinking mode, a budget, streaming …")
        report = asyncio.run(examine_upstream(upstream, router.switch, key=key))
        for finding in report.findings or (
            "self-test: the upstream server honours all that was tried",
        ):
            say(finding)
        forwarder = Forwarder(upstream, key=key, software=report.software)
        metrics = ServingMetrics()
        app = Metered(forwarder, metrics)
        app = _surround(app, router, target, keys, address, {*report.models}, metrics)
        _run(app, listening, say, upstream, router)


def emit(kind: str, target: ServeTarget | None, upstream: str | None) -> str:
    """What is known about a model's thinking, for another program.

    Args:
        kind: ``vllm-sr``, a configuration of vLLM's Semantic Router.
        target: the model; None: any, by the policy that ships with the package.
        upstream: where it is served; None: where vLLM serves by default.

    Raises:
        ServeError: another kind, or an address that is none.
    """
    if kind != "vllm-sr":
        raise ServeError(f"--emit = {kind!r}: must be vllm-sr")
    router = _router_of(target)
    name = target.name if target else "replace-with-your-model"
    return write_router_config(router, name, upstream or VLLM)


def _router_of(target: ServeTarget | None) -> Router:
    if target is None:
        return Router()
    return target.router(str(load_tokenizer(target.ref).chat_template))


def _say_notes(target: ServeTarget | None, say: Say) -> None:
    for note in target.notes if target else ():
        say(note)


def _surround(
    app: App,
    router: Router,
    target: ServeTarget | None,
    keys: Keys,
    address: ListenAddress,
    names: set[str] | None,
    metrics: ServingMetrics,
) -> App:
    """Put the router, the chat page and the guard around an app."""
    sampling = target.sampling() if target else {}
    decided = ThinkingRouter(app, router, sampling)
    return Guard(
        ChatPage(decided, router.switch),
        keys=keys,
        limits=RequestLimits(),
        models=names,
        pages=page_paths(),
        local=is_loopback(address.host),
        count=metrics.count_request,
    )


@contextlib.contextmanager
def _listening(address: ListenAddress, keys: Keys) -> Iterator[socket.socket]:
    """A socket at an address; connections are taken once the server runs.

    Raises:
        ServeError: it is taken, not of this machine, or not safe without keys.
    """
    check_bind(address.host, keys)
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((address.host, address.port))
        except (OSError, OverflowError) as e:
            reason = getattr(e, "strerror", None) or str(e)
            raise ServeError(
                f"--host {address.host} --port {address.port}: cannot listen there: {reason}"
            ) from e
        yield listening


class _AnnouncedServer(uvicorn.Server):
    """Says where it is once it can be asked."""

    def __init__(self, config: uvicorn.Config, say: Callable[[], None]) -> None:
        super().__init__(config)
        self._say = say

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._say()


def _run(app: App, listening: socket.socket, say: Say, what: str, router: Router) -> None:
    """Take connections until SIGTERM or SIGINT; running answers are finished first."""
    raise_file_limit()
    host, port = listening.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def announce() -> None:
        say(f"thinking switch: {router.switch}; policy: {router.policy.identity}")
        if router.trained_off:
            say(f"thinking is off unless a request turns it on: {TRAINED_OFF}")
        say(f"serving {what} at {url}/v1, with a chat page at {url}/ (Ctrl-C ends it)")

    config = uvicorn.Config(
        app, log_config=None, log_level="warning", timeout_graceful_shutdown=DRAIN_SECONDS, **SETTINGS
    )  # fmt: skip
    # uvicorn raises the signal that ended it again: ending when asked to is no failure
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        _AnnouncedServer(config, announce).run(sockets=[listening])
    finally:
        signal.signal(signal.SIGTERM, before)


def _show_log(prompts: bool) -> None:
    """Decisions and refusals on stderr, a line each; prompts are among them if asked for."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log = logging.getLogger("deimos.serve")
    log.handlers = [handler]
    log.setLevel(logging.DEBUG if prompts else logging.INFO)
    log.propagate = False
