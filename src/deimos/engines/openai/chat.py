"""One answer of a model behind an OpenAI-compatible server's chat completions, as text.

For a model whose tokens are not trained on (a teacher): the server's own template and tokenizer
count. Not covered: streaming, and several servers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from deimos.engines.openai.options import check_url, key_of, options_of
from deimos.engines.openai.stream import Fault, draw_wait, read_refusal, read_transport_error
from deimos.recipe import RecipeError
from deimos.types import Sampling


class ChatFailed(RuntimeError):
    """A server gave no answer after several tries; what was decoded is kept."""


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """What a server answered."""

    text: str
    tokens: int
    """As the server counts them; 0 if it does not say."""
    finish: str
    """``stop`` or ``length``."""


class ChatClient:
    """A model behind one server.

    Args:
        url: base URL up to and with ``/v1``.
        name: under which the server serves the model.
        api_key_env: the environment variable with the server's key.
        where: the recipe's section, for messages.

    Raises:
        RecipeError: no base URL, or the variable is not set.
    """

    def __init__(self, url: str, name: str, api_key_env: str | None, where: str) -> None:
        options = options_of({"urls": [check_url(url, where)], "api_key_env": api_key_env})
        key = key_of(options)
        self._url, self._name, self._where, self._options = options.urls[0], name, where, options
        self._places = asyncio.Semaphore(options.concurrency)
        self._client = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else None,
            timeout=httpx2.Timeout(options.timeout, connect=options.connect),
            follow_redirects=False,
        )

    async def ask(
        self, messages: Sequence[Mapping[str, str]], sampling: Sampling, seed: int
    ) -> ChatAnswer:
        """The answer to some messages; a failed request is sent again.

        Raises:
            RecipeError: the server refuses the request.
            ChatFailed: it has failed at every try.
        """
        body = {
            "model": self._name, "messages": [dict(message) for message in messages],
            "temperature": sampling.temperature, "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens, "seed": seed,
        }  # fmt: skip
        fault = Fault("server", "was not asked")
        for attempt in range(self._options.retries + 1):
            if attempt:
                wait = draw_wait(attempt, self._options.backoff, self._options.backoff_max)
                await asyncio.sleep(max(wait, min(fault.retry_after or 0, 30)))
            try:
                async with self._places:
                    return await self._send(body)
            except Fault as e:
                fault = e
                if fault.kind in ("request", "unfit"):
                    raise RecipeError(f"{self._where}: {self._url} {fault}") from e
        raise ChatFailed(f"{self._where}: {self._url} {fault}")

    async def meet(self) -> None:
        """Ask for one token, to learn whether the server is there and serves the model.

        Raises:
            RecipeError: it is not, or refuses; one sentence.
        """
        messages = [{"role": "user", "content": "Hello"}]
        body = {"model": self._name, "messages": messages, "max_tokens": 1}
        try:
            await self._send(body)
        except Fault as e:
            if e.kind in ("request", "unfit") or not e.reached:
                raise RecipeError(f"{self._where}: {self._url} {e}") from e

    async def _send(self, body: Mapping[str, Any]) -> ChatAnswer:
        try:
            async with self._client.stream(
                "POST", f"{self._url}/chat/completions", json=dict(body)
            ) as response:
                if response.status_code != 200:
                    raise await read_refusal(response)
                await response.aread()
                return _read_answer(response)
        except httpx2.HTTPError as e:
            raise read_transport_error(e) from e

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _read_answer(response: httpx2.Response) -> ChatAnswer:
    try:
        data = response.json()
        choice = data["choices"][0]
        text = choice["message"]["content"]
        finish = "length" if choice.get("finish_reason") == "length" else "stop"
        tokens = (data.get("usage") or {}).get("completion_tokens") or 0
    except (ValueError, LookupError, TypeError, AttributeError) as e:
        raise Fault("server", f"sent an answer that is not a chat completion: {e!r}") from e
    if not isinstance(text, str | None) or not isinstance(tokens, int):
        raise Fault("server", "sent an answer that is not a chat completion")
    return ChatAnswer(text or "", tokens, finish)
