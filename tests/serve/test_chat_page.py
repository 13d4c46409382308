"""The page's files: which paths they are, and what the browser is allowed."""

import asyncio
import json
import re

import pytest

from deimos.models.switch import ENABLE_THINKING, NO_SWITCH, Switch
from deimos.serve.chat_page import TYPES, ChatPage, describe_modes, page_paths


async def passed_on(scope, receive, send):
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def get(path, method="GET", kind="http"):
    """Status, headers and body of one request to the page in front of an app."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": kind, "path": path, "method": method, "headers": []}
    asyncio.run(ChatPage(passed_on, ENABLE_THINKING)(scope, None, send))
    start, body = sent
    return start["status"], dict(start["headers"]), body["body"]


@pytest.mark.parametrize("path", sorted(page_paths()))
def test_every_file_comes_with_its_type_and_a_strict_policy(path):
    status, headers, body = get(path)
    assert status == 200 and body
    assert headers[b"content-type"].decode() in TYPES.values()
    assert int(headers[b"content-length"]) == len(body)
    assert headers[b"x-content-type-options"] == b"nosniff"
    policy = headers[b"content-security-policy"].decode()
    assert "default-src 'none'" in policy and "require-trusted-types-for 'script'" in policy
    assert not re.search(r"unsafe|https?:|data:|blob:|\*", policy)


def test_head_has_the_headers_alone_and_other_methods_are_refused():
    assert get("/", "HEAD")[2] == b""
    assert get("/", "HEAD")[1] == get("/")[1]
    status, headers, _ = get("/", "POST")
    assert (status, headers[b"allow"]) == (405, b"GET, HEAD")


@pytest.mark.parametrize(
    "path", ["/v1/models", "/page", "/page/", "/page/../router.py", "/index.html", "//"]
)
def test_everything_else_is_passed_on(path):
    assert get(path)[::2] == (299, path.encode())
    assert get("/", kind="lifespan")[0] == 299


def test_the_switch_is_the_models_own():
    expected = {"on": {"enable_thinking": True}, "off": {"enable_thinking": False}, "why": ""}
    assert json.loads(get("/page/modes.json")[2]) == expected
    efforts = describe_modes(Switch.parse("reasoning_effort=medium/low"))
    assert efforts["off"] == {"reasoning_effort": "low"}
    assert efforts["why"].startswith("OFF thinks at the lowest effort")
    nothing = describe_modes(NO_SWITCH)
    assert (nothing["on"], nothing["off"]) == (None, None)
    assert "has no switch" in nothing["why"]


def test_no_file_names_another_place_or_makes_html_of_a_string():
    for path in page_paths():
        text = get(path)[2].decode()
        found = re.findall(r"https?://[^\s\"')]+", text)
        assert [place for place in found if "www.w3.org/2000/svg" not in place] == []
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
        assert not re.search(r"\son\w+=|style=", text), "inline code or style, which is forbidden"
