"""The thinking mode of each request, set in one ASGI class that fits three places.

Inside vLLM (``vllm serve MODEL --middleware deimos.serve.middleware.ThinkingRouter``), around the
app that answers for a model on this machine, and around the forwarder that stands before any other
server. It writes chat-template arguments and sampling values into requests that leave them open, and
the decision into the headers of every answer and the log. What the client sets is never touched, and
a request that cannot be read passes as it is. Prompts are logged at the level DEBUG only. Not covered: refusing anything
(``guard``).
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from deimos.models.effort import read_template
from deimos.models.switch import Switch, find_switch
from deimos.route.policy import default_policy, read_policy
from deimos.serve.http import (
    CHAT,
    COMPLETIONS,
    REQUEST,
    App,
    Message,
    Receive,
    RequestFault,
    Scope,
    Send,
    find_path,
    replay,
    send_json,
)
from deimos.serve.router import Decision, Router
from deimos.store.sweep_rows import DecodingConfig, locked_config, read_locked

POLICY, LOCKED, SWITCH = "DEIMOS_POLICY", "DEIMOS_LOCKED", "DEIMOS_SWITCH"
BASE = "DEIMOS_BASE"
"""Optional, ``ADAPTER=MODEL``, two names under which the server serves: requests for the first go to
the second, the base, where the policy says that the adapter makes it less accurate."""
"""Environment variables that are read where no argument can be given: a run's ``policy.json``, its
``locked.yaml``, and the template's switch as ``Switch.parse`` reads it."""
DECISION = "deimos.decision"
"""The key of an ASGI scope under which the decision is handed on."""
BODY = 8 << 20
"""Bytes of a body that are looked at; a larger one passes as it is."""
BUDGET = "thinking_token_budget"
"""vLLM's name for the tokens after which a thought is closed."""
log = logging.getLogger("deimos.serve")


class ThinkingRouter:
    """An ASGI app that decides requests for another one.

    Args:
        app: what answers.
        router: decides; None: as the environment says (``DEIMOS_POLICY``, ``DEIMOS_SWITCH``), with
            the switch of the template that vLLM serves, if that can be found.
        sampling: values for what requests leave open, by their names in a request; None: those of
            ``DEIMOS_LOCKED``, or none.
    """

    def __init__(
        self, app: App, router: Router | None = None, sampling: Mapping[str, Any] | None = None
    ) -> None:
        self.app = app
        self._is_told = router is not None
        self._asks_server = router is None and SWITCH not in os.environ
        self.router = read_router() if router is None else router
        if sampling is None:
            sampling = {} if self._is_told else read_sampling()
        self.sampling = dict(sampling)
        self.adapter, _, self.base = os.environ.get(BASE, "").partition("=")
        if not self._is_told:
            _log_to_stderr()
            log.info(
                "thinking switch: %s; policy: %s", self.router.switch, self.router.policy.identity
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if self._asks_server:
            self._find_switch(scope)
        path = find_path(scope)
        if scope["method"] != "POST" or path not in (CHAT, COMPLETIONS):
            decision = self._undecided("not a request for a completion")
            return await self._pass(scope, receive, send, decision)
        body, whole = await _read_some(receive)
        if not whole:
            decision = self._undecided("the body is too large to be looked at")
            return await self._pass(scope, replay(body, receive, more_body=True), send, decision)
        data = scope.get(REQUEST) or _parse(body)
        if data is None:
            decision = self._undecided("the body is not a JSON object")
            return await self._pass(scope, replay(body, receive), send, decision)
        decision = self._decide(path, data)
        log.info(
            "%s model=%r mode=%s margin=%.4f policy=%s reason=%s", path, data.get("model"),
            decision.mode, decision.margin, decision.policy, decision.reason,
        )  # fmt: skip
        if log.isEnabledFor(logging.DEBUG):
            asked = data.get("messages" if path == CHAT else "prompt")
            log.debug("%s prompt=%s", path, json.dumps(asked))
        changed = {**data, **find_open_fields(data, decision, self.sampling)}
        if decision.base and self.base and data.get("model") == self.adapter:
            changed["model"] = self.base
        if changed != data:
            body = json.dumps(changed).encode()
        scope = {**scope, "headers": _with_length(scope["headers"], len(body)), REQUEST: changed}
        return await self._pass(scope, replay(body, receive), send, decision)

    def _decide(self, path: str, data: Mapping[str, Any]) -> Decision:
        if path != CHAT:
            return self._undecided("a bare prompt has no chat template")
        messages = data.get("messages")
        return self.router.decide(messages if isinstance(messages, list) else [], data)

    def _undecided(self, reason: str) -> Decision:
        return Decision({}, "default", reason, 0.0, self.router.policy.identity)

    async def _pass(self, scope: Scope, receive: Receive, send: Send, decision: Decision) -> None:
        """Hand a request on, and mark its answer, whatever comes of it."""
        headers = decision_headers(decision)
        started = False

        async def send_marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = {
                    **message,
                    "headers": [*_without_ours(message.get("headers", ())), *headers],
                }
            await send(message)

        try:
            await self.app({**scope, DECISION: decision}, receive, send_marked)
        except RequestFault:
            raise  # whoever refuses also answers
        except Exception:
            if not started:
                error = {
                    "message": "the server failed",
                    "type": "server_error",
                    "param": None,
                    "code": 500,
                }
                await send_json(send_marked, 500, {"error": error})
            raise

    def _find_switch(self, scope: Scope) -> None:
        """Take the switch of the template that vLLM serves, at the first request: it says which."""
        self._asks_server = False
        args = getattr(getattr(scope.get("app"), "state", None), "args", None)
        for place in (getattr(args, "tokenizer", None), getattr(args, "model", None)):
            template = (
                read_template(Path(place))
                if isinstance(place, str) and Path(place).is_dir()
                else None
            )
            if template is not None:
                self.router = Router(self.router.policy, find_switch(template))
                log.info("thinking switch of the template in %s: %s", place, self.router.switch)
                return


def read_router(environment: Mapping[str, str] = os.environ) -> Router:
    """The router that the environment describes.

    Raises:
        SwitchError, PolicyError: what it names cannot be read.
    """
    path = environment.get(POLICY)
    policy = read_policy(Path(path)) if path else default_policy()
    switch = environment.get(SWITCH) or policy.switch or "enable_thinking"
    return Router(policy, Switch.parse(switch))


def read_sampling(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The sampling values of the ``locked.yaml`` that the environment names, of the tuned model.

    Raises:
        RowError: it is not what a sweep writes.
    """
    if not (name := environment.get(LOCKED)):
        return {}
    return sampling_fields(locked_config(read_locked(Path(name)), "tuned", name))


def sampling_fields(config: DecodingConfig) -> dict[str, Any]:
    """A way to decode as the fields of a request; each is named, so that no server's default counts."""
    found = {name: value for name, value in config.values().items() if name != "think_budget"}
    found["top_k"] = found["top_k"] or -1  # vLLM and SGLang take -1 for all, SGLang does not take 0
    return found if config.think_budget is None else {**found, BUDGET: config.think_budget}


def find_open_fields(
    request: Mapping[str, Any], decision: Decision, sampling: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields of a request that it leaves open, with the values that are set for it.

    Args:
        request: its body.
        decision: about it; one without ``kwargs`` leaves the template's arguments alone.
        sampling: by their names in a request. A thought's budget counts if there may be a thought.
    """
    found = {name: value for name, value in sampling.items() if request.get(name) is None}
    if request.get("max_completion_tokens") is not None:
        found.pop("max_tokens", None)
    if decision.mode == "off" or "messages" not in request:
        found.pop(BUDGET, None)  # nothing says whether a bare prompt has a thought
    own = request.get("chat_template_kwargs")
    if decision.kwargs and isinstance(own, dict | None):
        found["chat_template_kwargs"] = {**decision.kwargs, **(own or {})}
    return found


def decision_headers(decision: Decision) -> list[tuple[bytes, bytes]]:
    """A decision as the headers of an answer."""
    values = {
        "mode": decision.mode, "reason": decision.reason, "margin": f"{decision.margin:.4f}",
        "policy": decision.policy,
    }  # fmt: skip
    return [(f"x-deimos-{name}".encode(), _plain(value)) for name, value in values.items()]


def _plain(text: str) -> bytes:
    """A text as a header may hold it: printable ASCII."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:200].encode()


def _without_ours(headers: Collection[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """An upstream's headers less a decision of its own: the one that counts is the last one."""
    return [(name, value) for name, value in headers if not name.lower().startswith(b"x-deimos-")]


def _with_length(
    headers: Collection[tuple[bytes, bytes]], length: int
) -> list[tuple[bytes, bytes]]:
    kept = [h for h in headers if h[0] not in (b"content-length", b"transfer-encoding")]
    return [*kept, (b"content-length", str(length).encode())]


async def _read_some(receive: Receive) -> tuple[bytes, bool]:
    """A body up to ``BODY``, and whether that is all of it: the client may have left."""
    pieces: list[bytes] = []
    size = 0
    while size <= BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(pieces), False
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if not message.get("more_body", False):
            return b"".join(pieces), True
    return b"".join(pieces), False


def _parse(body: bytes) -> dict[str, Any] | None:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _log_to_stderr() -> None:
    """Let decisions be seen inside a server that configures its own logs only."""
    if not log.hasHandlers():
        log.addHandler(logging.StreamHandler())
        log.setLevel(logging.INFO)
