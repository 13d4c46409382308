"""Does a server do what requests say about thinking? One short request for each mode, asked at start.

Servers take arguments that they do not know and say nothing: a template without the switch, a
reasoning parser that is missing or takes the answer for the thought, a budget that this version does
not read (vLLM #39573, #43708, #54906; SGLang #25536). What is ignored is said in one sentence each,
so that nobody pays for thoughts that were turned off. Not covered: whether the answers are right.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx2

from deimos.models.switch import Switch
from deimos.serve.forward import name_budget, read_address
from deimos.serve.http import CHAT, MODELS
from deimos.serve.keys import ServeError
from deimos.thinking import Tags

QUESTION = "What is 17 + 25 - 8 + 31?"
BUDGET_TOKENS = 16
SLACK = 16
"""Tokens by which a closing phrase may exceed a budget."""
TOKENS = 48
"""Of a mode's test answer; with a budget there is room for the answer behind it."""
ROOM = 256
LONG = 12 * (BUDGET_TOKENS + SLACK)
"""Characters that so many tokens do not reach; where a server does not count."""
SECONDS = 120.0


class TrialReply(NamedTuple):
    """What came of one test request."""

    thought: str
    content: str | None
    thought_tokens: int | None
    """None: the server does not say, and did not stream."""


@dataclass(frozen=True)
class UpstreamReport:
    """What a server is, and what it ignores."""

    models: Sequence[str]
    software: str
    """``owned_by`` of its first model: vllm, sglang, llamacpp."""
    findings: Sequence[str] = field(default_factory=tuple)
    """One sentence each; empty: it honours all that was tried."""


async def examine_upstream(
    upstream: str, switch: Switch, *, key: str | None = None, model: str | None = None
) -> UpstreamReport:
    """Ask a server for its models, and try each mode, a budget, and streaming.

    Args:
        upstream: its address.
        switch: of its model's chat template; without one only the models are asked for.
        key: that it asks for.
        model: to try; None: its first one.

    Raises:
        ServeError: it cannot be reached, has no models or not this one.
    """
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with httpx2.AsyncClient(
        base_url=read_address(upstream), headers=headers, timeout=SECONDS, trust_env=False
    ) as client:
        report = await _ask_models(client, upstream)
        if model is not None and model not in report.models:
            served = ", ".join(report.models)
            raise ServeError(f"model {model!r}: the upstream server serves {served}")
        if not switch:
            return report
        trial = _ModeTests(client, model or report.models[0], switch, report.software)
        return UpstreamReport(report.models, report.software, tuple([s async for s in trial.run()]))


async def _ask_models(client: httpx2.AsyncClient, upstream: str) -> UpstreamReport:
    try:
        answer = await client.get(MODELS)
        answer.raise_for_status()
        cards = answer.json()["data"]
        models = tuple(str(card["id"]) for card in cards)
        software = str(cards[0].get("owned_by") or "unknown")
    except (httpx2.HTTPError, ValueError, KeyError, TypeError, IndexError, AttributeError) as e:
        why = str(e) or type(e).__name__
        raise ServeError(f"--upstream = {upstream!r}: {MODELS} gives no models: {why}") from e
    return UpstreamReport(models, software)


class _ModeTests:
    """The test requests."""

    def __init__(
        self, client: httpx2.AsyncClient, model: str, switch: Switch, software: str
    ) -> None:
        self.client = client
        self.model = model
        self.switch = switch
        self.software = software

    async def run(self) -> AsyncIterator[str]:
        """One sentence for each thing that is ignored."""
        for stream in (False, True):
            way = ", streaming" if stream else ""
            for mode in ("off", "on", "budget"):
                try:
                    reply = await self._ask(mode, stream)
                except (httpx2.HTTPError, ValueError, KeyError, TypeError, IndexError) as e:
                    why = str(e) or type(e).__name__
                    yield f"self-test, {mode}{way}: the request failed: {why}"
                else:
                    for fault in self._judge(mode, reply):
                        yield f"self-test, {mode}{way}: {fault}"

    def _judge(self, mode: str, reply: TrialReply) -> list[str]:
        if mode == "off":
            return _judge_off(reply, self.switch)
        if mode == "on":
            return _judge_on(reply, self.switch)
        return _judge_budget(reply, self.software)

    async def _ask(self, mode: str, stream: bool) -> TrialReply:
        body: dict[str, Any] = {
            "model": self.model, "messages": [{"role": "user", "content": QUESTION}],
            "temperature": 0, "max_tokens": TOKENS, "stream": stream,
            "chat_template_kwargs": self.switch.arguments("off" if mode == "off" else "on"),
        }  # fmt: skip
        if mode == "budget":
            body |= {
                "max_tokens": BUDGET_TOKENS + ROOM,
                **name_budget(self.software, BUDGET_TOKENS),
            }
        if not stream:
            answer = await self.client.post(CHAT, json=body)
            answer.raise_for_status()
            return read_reply(answer.json())
        async with self.client.stream("POST", CHAT, json=body) as answer:
            answer.raise_for_status()
            return await _read_stream(answer)


def read_reply(answer: Mapping[str, Any]) -> TrialReply:
    """The thought and the content of a chat completion; raises ``KeyError`` and others if it is none."""
    message = answer["choices"][0]["message"]
    thought = message.get("reasoning") or message.get("reasoning_content") or ""
    details = (answer.get("usage") or {}).get("completion_tokens_details") or {}
    tokens = details.get("reasoning_tokens")
    return TrialReply(thought, message.get("content"), tokens if isinstance(tokens, int) else None)


async def _read_stream(answer: httpx2.Response) -> TrialReply:
    thought, content, tokens = "", None, 0
    async for event in httpx2.EventSource(answer):
        if event.data.strip() in ("", "[DONE]"):
            continue
        data = json.loads(event.data)
        if data.get("error"):
            raise ValueError(f"the stream broke off: {data['error']}")
        for choice in data.get("choices", ()):
            delta = choice.get("delta") or {}
            piece = delta.get("reasoning") or delta.get("reasoning_content") or ""
            thought += piece
            tokens += bool(piece)
            if delta.get("content") is not None:
                content = (content or "") + delta["content"]
    return TrialReply(thought, content, tokens)


def _judge_off(reply: TrialReply, switch: Switch) -> list[str]:
    thinks = bool(reply.thought.strip() or _tags_in(reply.content)) and switch.ends_thinking
    if thinks and reply.content is None:
        cause = f"{switch} is ignored, or the reasoning parser takes the answer for a thought"
        return [f"{cause}: with thinking off there is a thought, and content is null"]
    if thinks:
        return [f"{switch} is ignored: with thinking off there is a thought all the same"]
    return ["content is null with thinking off"] if reply.content is None else []


def _judge_on(reply: TrialReply, switch: Switch) -> list[str]:
    if reply.thought.strip():
        return []
    if _tags_in(reply.content):
        return ["the thought stands in content: the server has no reasoning parser"]
    return [
        f"{switch} is ignored, or the server has no reasoning parser: thinking is on and there is no thought"
    ]


def _judge_budget(reply: TrialReply, software: str) -> list[str]:
    name = "/".join(name_budget(software, 0))
    most = BUDGET_TOKENS + SLACK
    tokens = reply.thought_tokens
    longer = len(reply.thought) > LONG if tokens is None else tokens > most
    found = []
    if longer:
        shown = f"{len(reply.thought)} characters" if tokens is None else f"{tokens} tokens"
        found.append(
            f"{name} is ignored: a budget of {BUDGET_TOKENS} tokens let a thought of {shown} pass"
        )
    if not (reply.content or "").strip():
        found.append(f"with {name} = {BUDGET_TOKENS} there is no answer behind the thought")
    return found


def _tags_in(content: str | None) -> bool:
    tags = Tags()
    return any(tag in (content or "") for tag in (tags.open, tags.close))
