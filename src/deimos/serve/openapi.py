"""The API that we serve as an OpenAPI 3.1 description: what a request may say, what comes back.

The guard's checks (``fields``) in the words of JSON schemas; tests send both what the description
allows and what it does not, so the two cannot drift apart unseen. Not covered: streams' events.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from deimos.serve.fields import (
    EFFORTS,
    FLAG_KWARGS,
    INT64,
    MESSAGE_KEYS,
    ROLES,
    TEMPLATE_KWARGS,
    RequestLimits,
)
from deimos.serve.http import CHAT, COMPLETIONS, HEALTH, METRICS, MODELS

Schema = dict[str, Any]


def describe_api(limits: RequestLimits | None = None, models: Collection[str] = ()) -> Schema:
    """The description.

    Args:
        limits: those of the guard.
        models: names that are served; none: not known.
    """
    most = limits or RequestLimits()
    answers = {
        HEALTH: ("Whether the server can answer.", {"type": "object"}),
        MODELS: ("Names of the models that are served.", {"type": "object", "required": ["data"]}),
    }
    paths: Schema = {
        path: {"get": {"summary": text, "responses": _responses("application/json", schema)}}
        for path, (text, schema) in answers.items()
    }
    metrics = _responses("text/plain", {"type": "string"})
    paths[METRICS] = {"get": {"summary": "Counters, for Prometheus.", "responses": metrics}}
    paths[CHAT] = {"post": _completion("A chat completion.", _chat(most, models))}
    paths[COMPLETIONS] = {
        "post": _completion("A completion of a bare prompt.", _text(most, models))
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Deimos", "version": "1"},
        "paths": paths,
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }


def _completion(summary: str, schema: Schema) -> Schema:
    answer = {"type": "object", "required": ["choices"]}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": _responses("application/json", answer),
    }


def _responses(kind: str, schema: Schema) -> Schema:
    error = {"type": "object", "required": ["error"]}
    refused = {
        "description": "Refused; one sentence says why.",
        "content": {"application/json": {"schema": error}},
    }
    return {
        "200": {"description": "The answer.", "content": {kind: {"schema": schema}}},
        "4XX": refused,
        "5XX": refused,
    }


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _number(low: float, high: float, above: bool = False) -> Schema:
    return {"type": "number", ("exclusiveMinimum" if above else "minimum"): low, "maximum": high}


def _whole(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def _words(most: int) -> Schema:
    return {"type": "string", "maxLength": most}


def _shared(most: RequestLimits, models: Collection[str]) -> dict[str, Schema]:
    stop = {"type": "string", "minLength": 1, "maxLength": 256}
    flags = {
        name: {"type": ["boolean", "null"]} for name in ("include_usage", "continuous_usage_stats")
    }
    ids = {"type": "array", "maxItems": 64, "items": _whole(0, INT64 - 1)}
    bias = {
        "type": "object", "maxProperties": 1024, "propertyNames": {"pattern": "^[0-9]+$"},
        "additionalProperties": _number(-100, 100),
    }  # fmt: skip
    return {
        "model": {"enum": [*models]} if models else {"type": "string"},
        "temperature": _number(0, 2), "top_p": _number(0, 1, above=True),
        "top_k": _whole(-1, INT64 - 1), "min_p": _number(0, 1), "n": _whole(1, most.n),
        "max_tokens": _whole(1, most.max_tokens),
        "stop": {"anyOf": [stop, {"type": "array", "maxItems": 16, "items": stop}]},
        "stop_token_ids": ids, "stream": {"type": "boolean"},
        "stream_options": {"type": "object", "properties": flags, "additionalProperties": False},
        "presence_penalty": _number(-2, 2), "frequency_penalty": _number(-2, 2),
        "repetition_penalty": _number(0, 2, above=True), "seed": _whole(-INT64, INT64 - 1),
        "logit_bias": bias, "user": _words(512),
        "thinking_token_budget": _whole(0, most.max_tokens), "ignore_eos": {"type": "boolean"},
        "return_token_ids": {"type": "boolean"},
    }  # fmt: skip


def _object(properties: Mapping[str, Schema], required: str) -> Schema:
    return {
        "type": "object",
        "properties": {n: s if n == required else _or_null(s) for n, s in properties.items()},
        "required": [required],
        "additionalProperties": False,
    }


def _text(most: RequestLimits, models: Collection[str]) -> Schema:
    ids = {"type": "array", "minItems": 1, "items": _whole(0, INT64 - 1)}
    several = {"type": "array", "minItems": 1, "maxItems": most.n}
    prompt = {
        "anyOf": [
            {"type": "string"}, ids, {**several, "items": {"type": "string"}}, {**several, "items": ids},
        ]
    }  # fmt: skip
    own = {"prompt": prompt, "logprobs": _whole(0, 20), "echo": {"type": "boolean"}}
    return _object({**_shared(most, models), **own}, "prompt")


def _message() -> Schema:
    part = {
        "type": "object",
        "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
        "required": ["type", "text"],
        "additionalProperties": False,
    }
    content = {"anyOf": [{"type": "string"}, {"type": "array", "items": part}]}
    others: Schema = {name: {} for name in sorted(MESSAGE_KEYS - {"role", "content"})}
    said = {**others, "role": {"enum": [*ROLES]}, "content": content}
    silent = {**others, "role": {"const": "assistant"}, "content": {"type": "null"}}
    shape: Schema = {"type": "object", "additionalProperties": False}
    return {
        "anyOf": [
            {**shape, "properties": said, "required": ["role", "content"]},
            {**shape, "properties": silent, "required": ["role"]},
        ]
    }


def _chat(most: RequestLimits, models: Collection[str]) -> Schema:
    schema = {"type": "object", "properties": {"schema": {"type": "object", "maxProperties": 0}}}
    kinds: list[Schema] = [
        {"properties": {"type": {"enum": ["text", "json_object"]}}, "required": ["type"]},
        {
            "properties": {"type": {"const": "json_schema"}, "json_schema": {**schema, "required": ["schema"]}},
            "required": ["type", "json_schema"],
        },
    ]  # fmt: skip
    function = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    tool = {
        "type": "object", "properties": {"type": {"const": "function"}, "function": function},
        "required": ["type", "function"],
    }  # fmt: skip
    argument = {"anyOf": [{"type": "boolean"}, {"type": "number"}, _words(64)]}
    own = {
        "messages": {"type": "array", "minItems": 1, "maxItems": most.messages, "items": _message()},
        "max_completion_tokens": _whole(1, most.max_tokens), "logprobs": {"type": "boolean"},
        "top_logprobs": _whole(0, 20), "tools": {"type": "array", "maxItems": 128, "items": tool},
        "tool_choice": {"anyOf": [{"enum": ["none", "auto", "required"]}, {"type": "object"}]},
        "parallel_tool_calls": {"type": "boolean"}, "response_format": {"anyOf": [{"type": "object", **kind} for kind in kinds]},
        "reasoning_effort": {"enum": [*EFFORTS]}, "include_reasoning": {"type": "boolean"},
        "chat_template_kwargs": {
            "type": "object",
            "properties": {
                name: {"type": "boolean"} if name in FLAG_KWARGS else argument for name in sorted(TEMPLATE_KWARGS)
            },
            "additionalProperties": False,
        },
        "metadata": {"type": "object", "maxProperties": 16, "additionalProperties": _words(512)},
        "store": {"type": "boolean"}, "service_tier": _words(64),
        "prompt_cache_key": _words(512), "safety_identifier": _words(512),
    }  # fmt: skip
    return _object({**_shared(most, models), **own}, "messages")
