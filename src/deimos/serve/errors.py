"""Errors as answers over HTTP: OpenAI's form, one clear sentence each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import Send

JSON = (b"content-type", b"application/json")


class BadRequest(ValueError):
    """What a client can mend: one sentence with the field, its value and what is accepted.

    Args:
        message: the sentence.
        param: the field that it is about.
        status: HTTP status, 4xx.
        code: a word for programs.
    """

    def __init__(
        self, message: str, param: str | None = None, *, status: int = 400, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code


_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def error_value(
    status: int, message: str, param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """An error as OpenAI's API words it, to be sent as JSON."""
    kind = "server_error" if status >= 500 else _TYPES.get(status, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


async def send_json(
    send: Send, status: int, value: Any, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    """Send a whole answer."""
    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    length = (b"content-length", str(len(body)).encode())
    start = {"type": "http.response.start", "status": status, "headers": [JSON, length, *headers]}
    await send(start)
    await send({"type": "http.response.body", "body": body})


async def send_error(
    send: Send,
    status: int,
    message: str,
    param: str | None = None,
    code: str | None = None,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    """Send an error as the whole answer."""
    await send_json(send, status, error_value(status, message, param, code), headers)
