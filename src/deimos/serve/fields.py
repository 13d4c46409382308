"""What a request's body may say: an allow-list of fields, and the values that each takes.

An upstream server is handed nothing that is not listed here: neither where to send keys
(``api_base``), nor templates, regular expressions or addresses that it would fetch. The values are
those that vLLM, SGLang and llama.cpp agree on. Not covered: whether a model can do what is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from deimos.recipe.errors import show_value, suggest_name
from deimos.serve.http import CHAT, RequestFault
from deimos.serve.strict_json import find_schema_fault

INT64 = 1 << 63
TEMPLATE_KWARGS = frozenset(
    {"enable_thinking", "thinking", "reasoning_effort", "thinking_budget", "preserve_thinking",
     "clear_thinking", "low_effort"}
)  # fmt: skip
"""Chat-template arguments that a request may set; all of them are about thinking."""
FLAG_KWARGS = TEMPLATE_KWARGS - {"reasoning_effort", "thinking_budget"}
"""Those that a template only asks whether they are true: "false" in quotes, or 0, would leave thinking on."""
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
ROLES = ("system", "developer", "user", "assistant", "tool")
MESSAGE_KEYS = frozenset(
    {"role", "content", "name", "tool_calls", "tool_call_id", "reasoning", "reasoning_content",
     "refusal"}
)  # fmt: skip
MODEL_NAME = re.compile(r"[\w./:@+ -]{1,256}")


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How much a client may ask for."""

    body: int = 4 << 20
    """Bytes of a request's body."""
    messages: int = 1000
    n: int = 8
    """Answers to one request."""
    max_tokens: int = 65536
    concurrency: int = 512
    """Requests that are answered at one time; the next gets 429."""
    body_seconds: float = 30.0
    """Until a body is whole."""
    stall_seconds: float = 30.0
    """For which a client may read nothing of its answer."""
    total_seconds: float = 3600.0
    """For a request and its answer."""


Check = Callable[[Any, RequestLimits], str | None]
"""What is accepted, if a value is not; None if it is."""


def check_request(
    data: Mapping[str, Any], path: str, limits: RequestLimits, models: Collection[str] | None = None
) -> None:
    """Refuse a request for completions that says what it may not say.

    Args:
        data: the body.
        path: ``CHAT`` or ``COMPLETIONS``.
        limits: how much may be asked for.
        models: names that are served; None: not known.

    Raises:
        RequestFault: the first field that is at fault (400), or an unknown model (404).
    """
    fields = CHAT_FIELDS if path == CHAT else COMPLETION_FIELDS
    for name in data:
        if name not in fields:
            raise RequestFault(
                400, f"{_cut(name)}: unknown field; {suggest_name(name, fields)}", param=_cut(name)
            )
    needed = "messages" if path == CHAT else "prompt"
    if data.get(needed) is None:
        raise RequestFault(400, f"{needed} is missing: it is required", param=needed)
    for name, value in data.items():
        if value is not None and (accepted := fields[name](value, limits)):
            shown = accepted if ": " in accepted else f"{name} = {show_value(value)}: {accepted}"
            raise RequestFault(400, shown, param=name)
    model = data.get("model")
    if models is not None and model is not None and model not in models:
        served = ", ".join(sorted(models)[:5])
        raise RequestFault(
            404, f"model = {show_value(model)}: unknown; served here: {served}", param="model"
        )


def _cut(name: str) -> str:
    return name if len(name) <= 64 else f"{name[:60]}…"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    """Also 1.0: JSON has one kind of number."""
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


def _number(low: float, high: float, above: bool = False) -> Check:
    """A number from ``low``, or above it, to ``high``."""
    words = f"must be a number {f'above {low:g}' if above else f'from {low:g}'} {'and at most' if above else 'to'} {high:g}"

    def check(value: Any, limits: RequestLimits) -> str | None:
        fits = _is_number(value) and low <= value <= high and not (above and value == low)
        return None if fits else words

    return check


def _whole(low: int, high: int | str) -> Check:
    """A whole number from ``low`` to ``high``, or to the limit of that name."""

    def check(value: Any, limits: RequestLimits) -> str | None:
        most = getattr(limits, high) if isinstance(high, str) else high
        fits = _is_whole(value) and low <= value <= most
        return None if fits else f"must be a whole number from {low} to {most}"

    return check


def _flag(value: Any, limits: RequestLimits) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _text(most: int) -> Check:
    def check(value: Any, limits: RequestLimits) -> str | None:
        fits = isinstance(value, str) and len(value) <= most
        return None if fits else f"must be text of at most {most} characters"

    return check


def _choice(*choices: str) -> Check:
    def check(value: Any, limits: RequestLimits) -> str | None:
        return None if value in choices else f"must be one of {', '.join(choices)}"

    return check


def is_model_name(value: str) -> bool:
    """Whether a text can be a model's name."""
    return bool(MODEL_NAME.fullmatch(value)) and ".." not in value


def _model(value: Any, limits: RequestLimits) -> str | None:
    fits = isinstance(value, str) and is_model_name(value)
    return None if fits else "must be the name of a model"


def _stop(value: Any, limits: RequestLimits) -> str | None:
    stops = [value] if isinstance(value, str) else value
    fits = isinstance(stops, list) and len(stops) <= 16
    fits = fits and all(isinstance(s, str) and 0 < len(s) <= 256 for s in stops)
    return None if fits else "must be a text, or at most 16 texts, of 1 to 256 characters"


def _stop_ids(value: Any, limits: RequestLimits) -> str | None:
    fits = isinstance(value, list) and len(value) <= 64
    fits = fits and all(_is_whole(i) and 0 <= i < INT64 for i in value)
    return None if fits else "must be a list of at most 64 token ids"


def _logit_bias(value: Any, limits: RequestLimits) -> str | None:
    fits = (
        isinstance(value, dict)
        and len(value) <= 1024
        and all(
            name.isascii() and name.isdigit() and _is_number(bias) and -100 <= bias <= 100
            for name, bias in value.items()
        )
    )
    return None if fits else "must map at most 1024 token ids to numbers from -100 to 100"


def _stream_options(value: Any, limits: RequestLimits) -> str | None:
    known = {"include_usage", "continuous_usage_stats"}
    fits = isinstance(value, dict) and {*value} <= known
    fits = fits and all(isinstance(v, bool | None) for v in value.values())
    return (
        None
        if fits
        else f"must be an object with keys of {', '.join(sorted(known))}, true or false"
    )


def _template_kwargs(value: Any, limits: RequestLimits) -> str | None:
    if not isinstance(value, dict):
        return "must be an object"
    for name, part in value.items():
        if name not in TEMPLATE_KWARGS:
            accepted = ", ".join(sorted(TEMPLATE_KWARGS))
            return f"chat_template_kwargs.{_cut(name)}: unknown; accepted: {accepted}"
        if name in FLAG_KWARGS and not isinstance(part, bool):
            return f"chat_template_kwargs.{name} = {show_value(part)}: must be true or false"
        if not (
            _is_number(part)
            or isinstance(part, bool)
            or (isinstance(part, str) and len(part) <= 64)
        ):
            return f"chat_template_kwargs.{name} = {show_value(part)}: must be true, false, a number or a word"
    return None


def _metadata(value: Any, limits: RequestLimits) -> str | None:
    fits = isinstance(value, dict) and len(value) <= 16
    fits = fits and all(isinstance(v, str) and len(v) <= 512 for v in value.values())
    return None if fits else "must be an object of at most 16 texts"


def _tools(value: Any, limits: RequestLimits) -> str | None:
    fits = (
        isinstance(value, list)
        and len(value) <= 128
        and all(
            isinstance(tool, dict)
            and tool.get("type") == "function"
            and isinstance(tool.get("function"), dict)
            and isinstance(tool["function"].get("name"), str)
            for tool in value
        )
    )
    if not fits:
        return "must be at most 128 tools of type function, each with a name"
    return next(
        (e for tool in value if (e := find_schema_fault(tool["function"].get("parameters")))), None
    )


def _tool_choice(value: Any, limits: RequestLimits) -> str | None:
    fits = value in ("none", "auto", "required") or isinstance(value, dict)
    return None if fits else "must be none, auto, required or a tool"


def _response_format(value: Any, limits: RequestLimits) -> str | None:
    kinds = ("text", "json_object", "json_schema")
    if not isinstance(value, dict) or value.get("type") not in kinds:
        return f"must be an object whose type is one of {', '.join(kinds)}"
    if value["type"] != "json_schema":
        return None
    inner = value.get("json_schema")
    if not isinstance(inner, dict) or not isinstance(inner.get("schema"), dict):
        return "must hold json_schema.schema, an object"
    return find_schema_fault(inner["schema"])


def _messages(value: Any, limits: RequestLimits) -> str | None:
    if not isinstance(value, list) or not 0 < len(value) <= limits.messages:
        return f"messages: must be a list of 1 to {limits.messages} messages"
    return next(
        (e for i, m in enumerate(value) if (e := _message_fault(f"messages[{i}]", m))), None
    )


def _message_fault(where: str, message: Any) -> str | None:
    if not isinstance(message, dict):
        return f"{where} = {show_value(message)}: must be an object"
    for name in message:
        if name not in MESSAGE_KEYS:
            return f"{where}.{_cut(name)}: unknown; {suggest_name(name, MESSAGE_KEYS)}"
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        return f"{where}.role = {show_value(role)}: must be one of {', '.join(ROLES)}"
    if content is None:
        return None if role == "assistant" else f"{where}.content is missing: it is required"
    if isinstance(content, str):
        return None
    if not isinstance(content, list):
        return f"{where}.content = {show_value(content)}: must be text or a list of parts"
    return next(
        (e for i, p in enumerate(content) if (e := _part_fault(f"{where}.content[{i}]", p))), None
    )


def _part_fault(where: str, part: Any) -> str | None:
    """Parts are texts: whatever has an address in it would be fetched by the upstream server."""
    kind = part.get("type") if isinstance(part, dict) else None
    if kind != "text":
        return f"{where}.type = {show_value(kind)}: must be text"
    if not isinstance(part.get("text"), str) or {*part} - {"type", "text"}:
        return f"{where}: must have a type and a text, and nothing else"
    return None


def _prompt(value: Any, limits: RequestLimits) -> str | None:
    texts = (
        value if isinstance(value, list) and value and isinstance(value[0], str | list) else [value]
    )
    fits = 0 < len(texts) <= limits.n and all(_is_prompt(text) for text in texts)
    return None if fits else f"prompt: must be a text or token ids, or at most {limits.n} of them"


def _is_prompt(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_is_whole(i) and 0 <= i < INT64 for i in value)
    return isinstance(value, str)


_SHARED: Mapping[str, Check] = {
    "model": _model, "temperature": _number(0, 2), "top_p": _number(0, 1, above=True),
    "top_k": _whole(-1, INT64 - 1), "min_p": _number(0, 1), "n": _whole(1, "n"),
    "max_tokens": _whole(1, "max_tokens"), "stop": _stop, "stop_token_ids": _stop_ids,
    "stream": _flag, "stream_options": _stream_options, "presence_penalty": _number(-2, 2),
    "frequency_penalty": _number(-2, 2), "repetition_penalty": _number(0, 2, above=True),
    "seed": _whole(-INT64, INT64 - 1), "logit_bias": _logit_bias, "user": _text(512),
    "thinking_token_budget": _whole(0, "max_tokens"), "ignore_eos": _flag,
    "return_token_ids": _flag, "skip_special_tokens": _flag,
}  # fmt: skip
CHAT_FIELDS: Mapping[str, Check] = {
    **_SHARED, "messages": _messages, "max_completion_tokens": _whole(1, "max_tokens"),
    "logprobs": _flag, "top_logprobs": _whole(0, 20), "tools": _tools,
    "tool_choice": _tool_choice, "parallel_tool_calls": _flag, "response_format": _response_format,
    "reasoning_effort": _choice(*EFFORTS), "chat_template_kwargs": _template_kwargs,
    "include_reasoning": _flag, "metadata": _metadata, "store": _flag,
    "service_tier": _text(64), "prompt_cache_key": _text(512), "safety_identifier": _text(512),
}  # fmt: skip
"""What ``/v1/chat/completions`` accepts."""
COMPLETION_FIELDS: Mapping[str, Check] = {
    **_SHARED, "prompt": _prompt, "logprobs": _whole(0, 20), "echo": _flag,
}  # fmt: skip
"""What ``/v1/completions`` accepts."""
