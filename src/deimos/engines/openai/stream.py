"""One streamed completion over HTTP: what comes, as chunks, and what goes wrong, as one exception.

Whatever a server, a proxy or the network does wrong ends in a ``Fault`` whose kind says what to do.
Events may be split, ended by CR or LF, and mixed with comments; a stream is whole only when its
finish reason has come. Not covered: when to give up waiting (the caller's timeout).
"""

from __future__ import annotations

import email.utils
import json
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeGuard

import httpx2

MESSAGE = 300
"""Characters of a server's own message that a message of ours repeats."""
BODY = 1 << 16
"""Bytes of a refusal's body that are read."""

FaultKind = Literal["server", "busy", "request", "unfit"]


class Fault(Exception):
    """Why a request failed; the message is one sentence without the server's name.

    Args:
        kind: ``server``: it failed, the request may be sent again; ``busy``: it asks to wait;
            ``request``: it refuses this request, now and later; ``unfit``: it does not fit the recipe.
        message: what happened.
        reached: whether there was a connection.
        status: of the answer, if that was the fault.
        retry_after: seconds that the server asks to wait, not yet limited.
    """

    def __init__(
        self,
        kind: FaultKind,
        message: str,
        *,
        reached: bool = True,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind: FaultKind = kind
        self.reached = reached
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one event brought."""

    text: str
    ids: tuple[int, ...] | None
    """Token ids of ``text``; None: the server did not send them."""
    finish: Literal["stop", "length"] | None
    matched: int | None
    """The token that ended the completion, if the server names it."""


async def stream_completion(
    client: httpx2.AsyncClient,
    url: str,
    body: Mapping[str, Any],
    take: Callable[[Chunk], bool],
) -> Literal["stop", "length"] | None:
    """Stream one completion; returns its finish, or None if ``take`` ended the stream.

    The connection is closed when this returns, so the server stops decoding.

    Args:
        client: sends it, with its own timeouts.
        url: of the completions endpoint.
        body: the request, ``stream`` included.
        take: gets each chunk; False ends the stream.

    Raises:
        Fault: the completion did not come whole.
    """
    try:
        async with client.stream("POST", url, json=dict(body)) as response:
            if response.status_code != 200:
                raise await read_refusal(response)
            return await _follow(response, take)
    except httpx2.HTTPError as e:
        raise read_transport_error(e) from e


async def _follow(
    response: httpx2.Response, take: Callable[[Chunk], bool]
) -> Literal["stop", "length"] | None:
    name: Any = None
    async for event in httpx2.EventSource(response):
        if not (text := event.data.strip()):
            continue  # a keep-alive
        if text == "[DONE]":
            break
        data = _parse(text)
        name = data.get("id") if name is None else name
        if data.get("id") != name:
            raise Fault("server", "mixed two completions in one stream")
        chunk = _chunk(data)
        if chunk is None:
            continue
        if not take(chunk):
            return None
        if chunk.finish:
            return chunk.finish
    raise Fault("server", "ended the stream before the completion was whole")


def _parse(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise Fault("server", f"sent an event that is not a JSON object: {_short(text)!r}")
    if data.get("error"):
        raise Fault("server", f"broke off with an error: {_message(data)}")
    return data


def _chunk(data: Mapping[str, Any]) -> Chunk | None:
    """What the first choice brings; None for an event without choices (usage)."""
    choices = data.get("choices")
    if choices == [] or (choices is None and "usage" in data):
        return None
    if not isinstance(choices, list) or not isinstance(choices[0], dict):
        raise Fault("server", "sent an event without choices")
    choice = choices[0]
    text, finish = choice.get("text", ""), choice.get("finish_reason")
    if len(choices) > 1 or choice.get("index", 0) != 0 or not isinstance(text, str | None):
        raise Fault("server", "sent an event that is not part of one completion")
    if choice.get("reasoning_content") or choice.get("reasoning"):
        raise Fault(
            "unfit", "takes the thought out of the text: start it without a reasoning parser"
        )
    if finish not in (None, "", "stop", "length"):
        raise Fault("server", f"ended the completion with {finish!r}")
    ids = choice.get("token_ids")
    if ids is not None and not is_ids(ids):
        raise Fault("server", "sent token_ids that are not a list of ids")
    matched = next(
        (m for m in (choice.get("stop_reason"), choice.get("matched_stop")) if is_ids([m])), None
    )
    return Chunk(text or "", None if ids is None else tuple(ids), finish or None, matched)


def is_ids(value: Any) -> TypeGuard[list[int]]:
    """Whether it is a list of token ids."""
    return isinstance(value, list) and all(type(i) is int and i >= 0 for i in value)


def read_transport_error(error: httpx2.HTTPError) -> Fault:
    """The fault that an exception of the HTTP client means."""
    unreached = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
    message = _short(str(error)) or type(error).__name__
    what = "cannot be reached" if unreached else "lost the connection"
    if isinstance(error, httpx2.SSEError):
        what = "did not answer with a stream of events"
    return Fault("server", f"{what}: {message}", reached=not unreached)


async def read_refusal(response: httpx2.Response) -> Fault:
    """The fault that a status other than 200 means; reads the beginning of the body."""
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) >= BODY:
            break
    status = response.status_code
    try:
        detail = _message(json.loads(body))
    except (ValueError, RecursionError):
        detail = _short(body.decode("utf-8", "replace"))
    message = f"answered {status}: {detail}" if detail else f"answered {status}"
    kind: FaultKind = "server"
    if status in (401, 403):
        kind, message = "unfit", f"{message} (api_key_env names the variable with the key)"
    elif status == 404 or 300 <= status < 400:
        kind = "unfit"
    elif status == 429:
        kind = "busy"
    elif 400 <= status < 500 and status != 408:
        kind = "request"
    wait = parse_retry_after(response.headers.get("retry-after"))
    return Fault(kind, message, status=status, retry_after=wait)


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, 0 or more; None: none, or not readable.

    Seconds and HTTP dates are read. The result may be infinite: the caller sets a limit.
    """
    if not value or not (value := value.strip()):
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = email.utils.parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = (date - (now or datetime.now(UTC))).total_seconds()
    return None if math.isnan(seconds) else max(0.0, seconds)


def draw_wait(attempt: int, base: float, limit: float) -> float:
    """Seconds to wait before try ``attempt`` + 1: full jitter under a capped exponential."""
    return random.uniform(0, min(limit, base * 2.0 ** min(attempt, 60)))


def _message(data: Any) -> str:
    """A server's own message, under any of the usual keys."""
    for key in ("error", "message", "detail"):
        if isinstance(data, dict) and data.get(key):
            data = data[key]
    return _short(data if isinstance(data, str) else json.dumps(data))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MESSAGE else text[:MESSAGE] + "…"
