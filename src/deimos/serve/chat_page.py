"""The chat page at ``/``: files of the package, served as they are, in front of any ASGI app.

The browser is allowed nothing but these files and this server (content security policy, trusted
types): no script of another origin, no HTML made of a string. Not covered: keys and limits, which
are the guard's; the page asks through the same paths as every other client.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from deimos.models.switch import Switch
from deimos.serve.http import App, Receive, Scope, Send

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "json": "application/json",
}
POLICY = "; ".join(
    [
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "connect")),
        *(f"{kind} 'none'" for kind in ("base-uri", "form-action", "frame-ancestors")),
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}


class ChatPage:
    """ASGI: answers GET and HEAD of the page's own paths, and passes everything else on.

    Args:
        app: what answers the rest.
        switch: of the model's chat template, which the page's own switch sets.
    """

    def __init__(self, app: App, switch: Switch) -> None:
        self._app = app
        self._files = read_page(switch)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        body = self._files.get(scope["path"]) if scope["type"] == "http" else None
        if body is None:
            await self._app(scope, receive, send)
        elif scope["method"] not in ("GET", "HEAD"):
            await _answer(send, 405, b"", {"allow": "GET, HEAD"})
        else:
            kind = TYPES[scope["path"].rpartition(".")[2] if scope["path"] != "/" else "html"]
            headers = {**HEADERS, "content-type": kind}
            await _answer(send, 200, body, headers, head=scope["method"] == "HEAD")


def read_page(switch: Switch) -> dict[str, bytes]:
    """Every path of the page with its content."""
    found = {"/": b"", "/page/modes.json": json.dumps(describe_modes(switch)).encode()}
    for file in (files("deimos.serve") / "page").iterdir():
        path = "/" if file.name == "index.html" else f"/page/{file.name}"
        if file.name.rpartition(".")[2] in TYPES:
            found[path] = file.read_bytes()
    return found


def describe_modes(switch: Switch) -> dict[str, Any]:
    """What the page sends as ``chat_template_kwargs`` for ON and OFF; None if nothing does it.

    ``why`` says of a switch that is not the usual one what it cannot do; else it is empty.
    """
    why = (
        ""
        if switch.ends_thinking
        else "OFF thinks at the lowest effort, as this model always thinks."
    )
    if not switch:
        why = "This model's chat template has no switch for thinking."
    modes = {mode: (switch.arguments(mode) or None) if switch else None for mode in ("on", "off")}
    return {**modes, "why": why}


def page_paths() -> frozenset[str]:
    """The page's paths, which a list of allowed paths has to hold."""
    return frozenset(read_page(Switch()))


async def _answer(
    send: Send, status: int, body: bytes, headers: Mapping[str, str], *, head: bool = False
) -> None:
    own = {**headers, "content-length": str(len(body))}
    pairs = [(name.encode(), value.encode()) for name, value in own.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": b"" if head else body})
