"""The app that answers for models on this machine: OpenAI's routes over any engine.

Pure ASGI behind Starlette's routing, so that a client that leaves is seen at once, streamed to or not:
its rows are freed. Limits, keys and the decision about thinking are put around it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deimos.engines.collect import open_task_group
from deimos.recipe.errors import show_value
from deimos.serve.bodies import ChatBody, CommonBody, CompletionBody, check_body
from deimos.serve.completions import (
    EngineFailed,
    PreparedRequest,
    RunningCompletion,
    ask_chat,
    ask_text,
)
from deimos.serve.http import (
    CHAT,
    COMPLETIONS,
    HEALTH,
    METRICS,
    MODELS,
    REQUEST,
    ClientGone,
    RequestFault,
    describe_fault,
    read_body,
    run_while_connected,
    send_fault,
    send_json,
)
from deimos.serve.metrics import CLIENT_LEFT, CONTENT_TYPE, RequestClock, ServingMetrics
from deimos.serve.middleware import DECISION
from deimos.serve.models import ServedModel
from deimos.serve.replies import DONE, ChatForm, ReplyForm, TextForm, sse
from deimos.serve.strict_json import parse_strictly
from deimos.thinking import Part

log = logging.getLogger("deimos.serve")
BODY = 64 << 20
"""Bytes of a body that are read at most; the guard's limit is lower."""
LONG_BODY = 65_536
"""Bytes from which a body is read and rendered beside the event loop."""


def make_app(models: Mapping[str, ServedModel], metrics: ServingMetrics) -> ASGIApp:
    """The app for some models.

    Args:
        models: by the name under which each is asked, the default first.
        metrics: where requests, decisions, tokens and times are counted.
    """

    async def list_models(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_card(m) for m in models.values()]})

    async def show_model(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in models:
            return JSONResponse(describe_fault(_no_model(name, models)), 404)
        return JSONResponse(_card(models[name]))

    async def show_metrics(request: Request) -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE)

    async def show_health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def refuse(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status = error.status_code
        what = "there is no such path" if status == 404 else f"{request.method} is not offered here"
        message = f"{request.url.path}: {what}" if status in (404, 405) else str(error.detail)
        return JSONResponse(
            describe_fault(RequestFault(status, message)), status, headers=error.headers
        )

    return Starlette(
        routes=[
            Route(CHAT, AnswerRequests(models, metrics, CHAT), methods=["POST"]),
            Route(COMPLETIONS, AnswerRequests(models, metrics, COMPLETIONS), methods=["POST"]),
            Route(MODELS, list_models),
            Route(MODELS + "/{name:path}", show_model),
            Route(HEALTH, show_health),
            Route(METRICS, show_metrics),
        ],
        exception_handlers={HTTPException: refuse},
    )


def _card(model: ServedModel) -> dict[str, Any]:
    return {
        "id": model.name,
        "object": "model",
        "created": 0,
        "owned_by": "deimos",
        "max_model_len": model.context,
    }


def _no_model(name: str, models: Mapping[str, ServedModel]) -> RequestFault:
    served = ", ".join(models)
    message = f"model = {show_value(name)}: unknown; served here: {served}"
    return RequestFault(404, message, param="model")


class AnswerRequests:
    """The ASGI app of one of the two routes that decode."""

    def __init__(
        self, models: Mapping[str, ServedModel], metrics: ServingMetrics, path: str
    ) -> None:
        self._models, self._metrics, self._path = models, metrics, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or end it when its client leaves."""
        out = _CountedSend(send)
        if decision := scope.get(DECISION):
            self._metrics.count_decision(decision.mode)
        with self._metrics.running.track_inprogress():
            try:
                body = await read_body(receive, BODY)
                data = scope.get(REQUEST)
                await run_while_connected(receive, self._answer(body, data, out))
            except ClientGone:
                pass
            except RequestFault as e:
                if out.begun:
                    raise
                await send_fault(out, e)
            finally:
                self._metrics.count_request(self._path, out.status)

    async def _answer(
        self, body: bytes, data: Mapping[str, Any] | None, send: _CountedSend
    ) -> None:
        form, asked, parsed = await _beside(len(body) > LONG_BODY, partial(self._ask, body, data))
        form.has_ids = bool(parsed.return_token_ids)
        form.has_counts = bool(
            parsed.stream_options and parsed.stream_options.continuous_usage_stats
        )
        completions = [
            RunningCompletion(asked, rendered, at * (parsed.n or 1) + i, parsed, form.name)
            for at, rendered in enumerate(asked.prompts)
            for i in range(parsed.n or 1)
        ]
        clock = self._metrics.clock()
        try:
            if parsed.stream:
                await _Streamed(form, completions, parsed, clock, send).run()
            else:
                await _run_all(completions, clock)
                await send_json(send, 200, form.whole(completions))
            clock.note("request")
        except RequestFault:
            raise  # of the sender: the key has been removed while the answer went out
        except Exception as e:
            if not isinstance(e, EngineFailed):
                log.exception("decoding failed")
            await _send_failure(send, e)
        finally:
            for number, c in enumerate(completions):
                prompt = len(c.rendered.ids) if number % (parsed.n or 1) == 0 else 0
                self._metrics.count_tokens(
                    c.model.name, prompt, c.counts.think_tokens, c.counts.answer_tokens
                )
        return None

    def _ask(
        self, body: bytes, data: Mapping[str, Any] | None
    ) -> tuple[ReplyForm, PreparedRequest, CommonBody]:
        """Read a body, which may have been parsed already.

        Raises:
            RequestFault: there is something in it that is not accepted.
        """
        data = parse_strictly(body) if data is None else data
        if self._path == CHAT:
            chat = check_body(ChatBody, data)
            model = self._model(chat)
            form = ChatForm(
                model.name, model.thread.name, reasoning=chat.include_reasoning is not False
            )
            return form, ask_chat(chat, model), chat
        text = check_body(CompletionBody, data)
        model = self._model(text)
        return TextForm(model.name, model.thread.name), ask_text(text, model), text

    def _model(self, body: CommonBody) -> ServedModel:
        name = next(iter(self._models)) if body.model is None else body.model
        if name not in self._models:
            raise _no_model(name, self._models)
        return self._models[name]


class _Streamed:
    """A reply in server-sent events."""

    def __init__(
        self,
        form: ReplyForm,
        completions: Sequence[RunningCompletion],
        body: CommonBody,
        clock: RequestClock,
        send: _CountedSend,
    ) -> None:
        self._form, self._completions, self._clock, self._out = form, completions, clock, send
        self._usage = bool(body.stream_options and body.stream_options.include_usage)

    async def run(self) -> None:
        """Send the whole of it."""
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"),
                   (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]  # fmt: skip
        await self._out({"type": "http.response.start", "status": 200, "headers": headers})
        async with open_task_group() as group:
            for completion in self._completions:
                group.create_task(self._run_one(completion))
        last = sse(self._form.usage(self._completions)) if self._usage else b""
        await self._out({"type": "http.response.body", "body": last + DONE})

    async def _run_one(self, completion: RunningCompletion) -> None:
        form = self._form
        await self._send(form.opening(completion))
        async with contextlib.aclosing(_timed(completion, self._clock)) as batches:
            async for parts in batches:
                chunks = [form.chunk(completion, part, text) for part, text in _joined(parts)]
                if completion.finish:
                    chunks.append(form.closing(completion))
                await self._send(chunks)

    async def _send(self, chunks: Sequence[dict[str, Any] | None]) -> None:
        if body := b"".join(sse(chunk) for chunk in chunks if chunk is not None):
            await self._out({"type": "http.response.body", "body": body, "more_body": True})


async def _run_all(completions: Sequence[RunningCompletion], clock: RequestClock) -> None:
    """Decode to the end."""

    async def run_one(completion: RunningCompletion) -> None:
        async with contextlib.aclosing(_timed(completion, clock)) as batches:
            async for _ in batches:
                pass

    async with open_task_group() as group:
        for completion in completions:
            group.create_task(run_one(completion))


async def _timed(
    completion: RunningCompletion, clock: RequestClock
) -> AsyncGenerator[list[tuple[Part, str]], None]:
    """A completion's texts; the first token and the first of the answer are noted."""
    async with contextlib.aclosing(completion.follow()) as batches:
        async for parts in batches:
            if completion.request.stream:
                clock.note("first_token")
            if completion.request.stream and any(part == "answer" for part, _ in parts):
                clock.note("first_answer")
            yield parts


def _joined(parts: Sequence[tuple[Part, str]]) -> list[tuple[Part, str]]:
    """Texts of the same part that follow one another put together."""
    joined: list[tuple[Part, str]] = []
    for part, text in parts:
        if joined and joined[-1][0] == part:
            joined[-1] = part, joined[-1][1] + text
        else:
            joined.append((part, text))
    return joined


async def _send_failure(send: _CountedSend, error: Exception) -> None:
    """Say that the engine failed: as the answer, or as the last event of a stream that has begun."""
    reason = str(error) if isinstance(error, EngineFailed) else "the server's log says why"
    fault = RequestFault(500, f"the engine failed on this request: {reason}")
    if not send.begun:
        return await send_fault(send, fault)
    body = sse(describe_fault(fault)) + DONE
    return await send({"type": "http.response.body", "body": body})


class _CountedSend:
    """``send`` that knows which status was sent; until one is, the client has left."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False
        self.status = CLIENT_LEFT

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun, self.status = True, message["status"]
        await self._send(message)


async def _beside(long: bool, work: partial[Any]) -> Any:
    """Do work here, or in a thread if it is long."""
    return await asyncio.to_thread(work) if long else work()
