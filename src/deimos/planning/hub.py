"""Whether the Hub can be reached: asked once and briefly, and not again for each data set."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from deimos.bench.lm_eval.expand import list_tasks
from deimos.recipe import Recipe, SourceSettings
from deimos.registry import BUILTIN

SECONDS = 2.0
"""How long a connection may take, name look-up included."""
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
"""Environment variables by which a user says that there is no Hub."""
NOT_NOW = (408, 425, 429)
"""Statuses by which a server asks to come back later; all of 500 and above do too."""
LOCAL = ("lab", "ifeval_like", "jsonl")
"""Built-in sources that never ask it."""


def needs_hub(recipe: Recipe) -> bool:
    """Whether a source or a test of a recipe may come from the Hub."""
    return any(_is_remote(source) for source in _sources(recipe)) or any(
        task.lm_eval and task.data is None for task in list_tasks(recipe.bench, installed=False)
    )


def find_hub_fault(seconds: float = SECONDS) -> str:
    """Why the Hub cannot be used now, in a few words; empty if it can.

    Args:
        seconds: how long it may take to answer. If it is switched off, it is not asked.
    """
    if any(os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE") for name in OFFLINE):
        return f"switched off by {' or '.join(OFFLINE)}"
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(_ask(seconds)), daemon=True)
    asking.start()
    asking.join(seconds)  # a name look-up knows no time limit of its own
    return answers[0] if answers else f"no answer within {seconds:g} s"


@contextlib.contextmanager
def ask_without_retries() -> Iterator[list[str]]:
    """Switch the Hub off at its first answer that means "not now", or none, within the block.

    Its libraries wait and ask again, for minutes, and do so for each data set. What fails raises
    ``ConnectionError``, as without a network; the list gets why, in a few words.
    """
    faults: list[str] = []
    try:
        from huggingface_hub import get_session
        from huggingface_hub.errors import OfflineModeIsEnabled
    except ImportError:  # nothing here asks the Hub
        yield faults
        return
    session: Any = get_session()
    send = session.send

    def send_once(*request: Any, **options: Any) -> Any:
        try:
            response = send(*request, **options)
        except Exception as e:
            go_offline()
            faults.append(str(e) or type(e).__name__)
            raise OfflineModeIsEnabled(faults[-1]) from e
        if fault := _describe_status(response.status_code, response.headers.get("Retry-After")):
            go_offline()
            faults.append(fault)
            response.close()
            raise OfflineModeIsEnabled(fault)
        return response

    session.send = send_once
    try:
        yield faults
    finally:
        session.send = send


def go_offline() -> None:
    """Let the Hub's libraries use what is on this machine, and neither connect nor retry."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    for module, name in (
        ("huggingface_hub.constants", "HF_HUB_OFFLINE"), ("datasets.config", "HF_HUB_OFFLINE"),
    ):  # fmt: skip
        if module in sys.modules:  # it has read the environment already
            setattr(sys.modules[module], name, True)


def _ask(seconds: float) -> str:
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    try:
        request = urllib.request.Request(endpoint, method="HEAD")
        urllib.request.urlopen(request, timeout=seconds).close()
    except urllib.error.HTTPError as e:
        return _describe_status(e.code, e.headers.get("Retry-After"))
    except (OSError, ValueError) as e:
        return str(getattr(e, "reason", None) or e)
    return ""


def _describe_status(status: int, later: str | None) -> str:
    """What a status says if it means "not now"; empty for others: the Hub is there and answers."""
    if status not in NOT_NOW and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return ""
    known = {each.value: f" {each.phrase}" for each in HTTPStatus}
    wait = f", to be asked again in {later} s" if later and later.isdecimal() else ""
    return f"it answered {status}{known.get(status, '')}{wait}"


def _sources(recipe: Recipe) -> Iterator[SourceSettings]:
    yield from recipe.prompts.sources
    yield from (task.source for task in recipe.bench.tasks if task.source)


def _is_remote(source: SourceSettings) -> bool:
    known = source.source in BUILTIN["source"] and source.source not in LOCAL
    return known and source.options.get("path") is None
