"""The thinking mode of each request in LiteLLM's proxy, as a callback of it.

In LiteLLM's configuration: ``litellm_settings: {callbacks: deimos.serve.litellm_hook.hook}``. The
environment says what the middleware's does (``DEIMOS_POLICY``, ``DEIMOS_LOCKED``, ``DEIMOS_SWITCH``).
The decision is in the headers of every answer, cached and failed ones too. Needs litellm, which is
not among this package's extras: it is imported where the proxy runs.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from litellm.integrations.custom_logger import CustomLogger  # pyright: ignore[reportMissingImports]

from deimos.serve.middleware import decision_headers, find_open_fields, read_router, read_sampling
from deimos.serve.router import Decision

CALLS = frozenset({"completion", "acompletion"})
"""LiteLLM's names for chat completions."""
KEPT = 10_000
"""Decisions of requests whose answer has not begun; the oldest one goes first."""


class ThinkingHook(CustomLogger):
    """Decides chat completions before LiteLLM sends them on."""

    def __init__(self) -> None:
        super().__init__()
        self.router = read_router()
        self.sampling = read_sampling()
        self._decided: OrderedDict[str, Decision] = OrderedDict()

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> dict[str, Any]:
        """Write the decision into a request that leaves it open."""
        if call_type in CALLS:
            decision = self.router.decide(data.get("messages") or [], data)
            self._decided[str(data.get("litellm_call_id"))] = decision
            if len(self._decided) > KEPT:
                self._decided.popitem(last=False)
            data.update(find_open_fields(data, decision, self.sampling))
        return data

    async def async_post_call_response_headers_hook(
        self, data: dict[str, Any], user_api_key_dict: Any, response: Any, **_: Any
    ) -> dict[str, str] | None:
        """The decision as headers of the answer."""
        decision = self._decided.pop(str(data.get("litellm_call_id")), None)
        if decision is None:
            return None
        return {name.decode(): value.decode() for name, value in decision_headers(decision)}


hook = ThinkingHook()
"""What LiteLLM's configuration names."""
