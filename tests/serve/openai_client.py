"""The unmodified OpenAI client: what it has to get from every place that answers, streaming and not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx2
from openai import OpenAI

from deimos.report.snippet import QUESTION

ON = {"chat_template_kwargs": {"enable_thinking": True}}
OFF = {"chat_template_kwargs": {"enable_thinking": False}}


@dataclass
class Answer:
    """One answer, put together of its chunks if it came in chunks."""

    thought: str = ""
    text: str | None = None
    finish: str = ""
    ids: list[int] = field(default_factory=list)
    """Only from servers that return them."""
    think_tokens: int | None = None
    tokens: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    chunks: int = 1

    @property
    def mode(self) -> str:
        return self.headers["x-deimos-mode"]


def open_client(url: str, key: str = "unused") -> OpenAI:
    """A client as a user makes it, which does not hide a failure by asking again."""
    return OpenAI(base_url=url, api_key=key, max_retries=0, timeout=120)


def ask(
    client: OpenAI, model: str, *, stream: bool, question: str = QUESTION, **more: Any
) -> Answer:
    """One question, greedy unless ``more`` says otherwise."""
    asked = {
        "model": model,
        "messages": [{"role": "user", "content": question}],
        "temperature": 0.0,
        "max_tokens": 400,
        **more,
    }
    if stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    raw = client.chat.completions.with_raw_response.create(**asked)
    answer = Answer(headers={k.lower(): v for k, v in raw.headers.items()})
    if not stream:
        reply = raw.parse()
        _add(answer, reply.choices[0].message, reply.choices[0])
        _count(answer, reply.usage)
        return answer
    answer.chunks = 0
    for chunk in raw.parse():
        answer.chunks += 1
        if chunk.choices:
            _add(answer, chunk.choices[0].delta, chunk.choices[0])
        if chunk.usage:
            _count(answer, chunk.usage)
    return answer


def _add(answer: Answer, part: Any, choice: Any) -> None:
    # LiteLLM has a name of its own for the thought.
    answer.thought += (
        getattr(part, "reasoning", None) or getattr(part, "reasoning_content", "") or ""
    )
    if part.content is not None:
        answer.text = (answer.text or "") + part.content
    answer.finish = choice.finish_reason or answer.finish
    answer.ids += getattr(choice, "token_ids", None) or []


def _count(answer: Answer, usage: Any) -> None:
    answer.tokens = usage.completion_tokens
    details = usage.completion_tokens_details
    answer.think_tokens = details and details.reasoning_tokens


def check_modes(client: OpenAI, model: str) -> None:
    """ON thinks, OFF does not, and without either the decision says which; streaming and not alike."""
    found = {}
    for stream in (False, True):
        on = ask(client, model, stream=stream, extra_body=ON)
        off = ask(client, model, stream=stream, extra_body=OFF)
        auto = ask(client, model, stream=stream)
        assert on.thought.strip() and on.text and on.text.strip() and on.finish == "stop"
        assert not off.thought and off.text and off.finish == "stop"
        assert "<think>" not in on.text + off.text and "</think>" not in on.text + off.text
        assert (on.mode, off.mode) == ("on", "off")
        for answer in (on, off):
            assert answer.headers["x-deimos-reason"] == "set by the client"
        assert auto.mode == "on" and auto.headers["x-deimos-policy"]
        float(auto.headers["x-deimos-margin"])
        assert (auto.thought, auto.text) == (on.thought, on.text)
        assert on.think_tokens is None or 0 < on.think_tokens < on.tokens
        assert off.tokens < on.tokens
        found[stream] = [(a.thought, a.text, a.finish, a.tokens) for a in (on, off, auto)]
        assert not stream or on.chunks > 2, "tokens come as they are decoded"
    assert found[True] == found[False]


def check_headers_of_errors(client: OpenAI, model: str) -> None:
    """A refusal has its sentence, and the decision beside it."""
    url = f"{client.base_url}chat/completions"
    key = {"authorization": f"Bearer {client.api_key}"}
    body = {"model": model, "messages": [], "temperature": "warm"}
    reply = httpx2.post(url, json=body, headers=key, timeout=60)
    assert 400 <= reply.status_code < 500 and reply.json()["error"]["message"]
    assert reply.headers["x-deimos-mode"] and reply.headers["x-deimos-reason"]
