"""Who rewrites: a server with chat completions, and what is left of a teacher's text."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.sample.proposers.mixed import MixedWorld

from deimos.recipe import RecipeError
from deimos.recipe.proposers import REWRITE
from deimos.sample.proposers.teacher import leave_thought


class ChatServer(ThreadingHTTPServer):
    """Chat completions that fail as told, and otherwise write a fragment."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.failures: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.bodies.append({"path": self.path, **body})
        self.server.keys.append(self.headers.get("authorization"))
        status = self.server.failures.pop() if self.server.failures else 200
        answer: dict[str, Any] = {"error": {"message": "no such model"}}
        if status == 200:
            message = {"content": "<think>let me see</think>\n\n```\n2 + 2 = 4\n```"}
            answer = {
                "choices": [{"message": message, "finish_reason": "stop"}],
                "usage": {"completion_tokens": 7},
            }
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()


def world_of(folder: Path, tokenizer: Any, teacher: dict[str, Any]) -> MixedWorld:
    proposers = [{"kind": "plain", "n": 1}, {"kind": "rewrite", "teacher": teacher}]
    return MixedWorld(folder, tokenizer, 2, share_right=1.0, proposers=proposers)


def test_a_server_rewrites_and_is_asked_again_if_it_fails(
    tokenizer: Any, tmp_path: Path, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEACHERS_KEY", "secret")
    server.failures = [503, 503]
    teacher = {"url": server.url, "name": "big", "api_key_env": "TEACHERS_KEY"}
    world = world_of(tmp_path, tokenizer, teacher)
    counts = world.sample()
    assert len(server.bodies) == 3 + 2
    assert {body["path"] for body in server.bodies} == {"/v1/chat/completions"}
    assert {body["model"] for body in server.bodies} == {"big"}
    assert set(server.keys) == {"Bearer secret"}
    [message] = server.bodies[-1]["messages"]
    assert message["content"].startswith(REWRITE)
    assert "Reasoning:\n2 + 2 = 4." in message["content"]
    assert counts["proposers"]["rewrite"]["teacher_tokens"] == 3 * 7
    rows = [r for r in world.rows() if r["proposer"] == "rewrite" and r["finish"] == "stop"]
    assert rows
    assert {row["think"] for row in rows} == {"2 + 2 = 4"}
    assert "secret" not in "".join(
        path.read_text() for path in (tmp_path / "sample").rglob("*.jsonl")
    )
    world.sample()
    assert len(server.bodies) == 5, "what it wrote is kept"


def test_a_server_that_refuses_is_one_sentence(
    tokenizer: Any, tmp_path: Path, server: ChatServer
) -> None:
    server.failures = [400] * 10
    world = world_of(tmp_path, tokenizer, {"url": server.url, "name": "big"})
    with pytest.raises(
        RecipeError, match=r"'rewrite': teacher.url: .* answered 400: no such model"
    ):
        world.sample()
    server.failures = []
    world.sample()
    world.select()
    assert len(world.golds()) == 3, "a later attempt goes on"


@pytest.mark.parametrize(
    ("failure", "fault"), [(404, "answered 404: no such model"), (None, "cannot be reached")]
)
def test_a_teacher_who_is_not_there_is_told_before_anything_is_sampled(
    tokenizer: Any, tmp_path: Path, server: ChatServer, failure: int | None, fault: str
) -> None:
    server.failures = [failure] if failure else []
    url = server.url if failure else "http://127.0.0.1:9/v1"
    world = world_of(tmp_path, tokenizer, {"url": url, "name": "big"})
    with pytest.raises(RecipeError, match=f"'rewrite': teacher.url: .*{fault}"):
        world.sample()
    assert not [*(tmp_path / "sample").rglob("completions/*.jsonl")]


def test_a_teacher_who_has_gone_is_not_missed_once_all_is_rewritten(
    tokenizer: Any, tmp_path: Path, server: ChatServer
) -> None:
    world = world_of(tmp_path, tokenizer, {"url": server.url, "name": "big"})
    world.sample()
    server.failures = [404] * 10
    world.sample()
    world.select()
    assert len(world.golds()) == 3


def test_a_teachers_folder_without_a_model_is_told_with_its_key(
    tokenizer: Any, tmp_path: Path
) -> None:
    (tmp_path / "no_model").mkdir()
    world = world_of(tmp_path, tokenizer, {"path": str(tmp_path / "no_model")})
    with pytest.raises(RecipeError, match=r"'rewrite': teacher.path: model .*no tokenizer"):
        world.sample()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("2 + 2 = 4", "2 + 2 = 4"),
        ("<think>\nlong\n</think>\n\nshort", "short"),
        ("<think>\nnever closed", ""),
        ("```text\na\nb\n```", "a\nb"),
        ("```", "```"),
        ("  ", ""),
    ],
)
def test_what_is_left_of_a_teachers_text(text: str, left: str) -> None:
    assert leave_thought(text) == left
