"""Whether the Hub can be reached: asked once and briefly, and not again for each data set."""

from __future__ import annotations

import os
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

from deimos.bench.lm_eval.expand import list_tasks
from deimos.recipe import Recipe, SourceSettings
from deimos.registry import BUILTIN

SECONDS = 2.0
"""How long a connection may take, name look-up included."""
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
"""Environment variables by which a user says that there is no Hub."""
LOCAL = ("lab", "ifeval_like", "jsonl")
"""Built-in sources that never ask it."""


def needs_hub(recipe: Recipe) -> bool:
    """Whether a source or a test of a recipe may come from the Hub."""
    return any(_is_remote(source) for source in _sources(recipe)) or any(
        task.lm_eval and task.data is None for task in list_tasks(recipe.bench, installed=False)
    )


def reach_hub(seconds: float = SECONDS) -> bool:
    """Whether the Hub answers within some seconds; False without asking if it is switched off."""
    if any(os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE") for name in OFFLINE):
        return False
    answered: list[bool] = []
    asking = threading.Thread(target=lambda: answered.append(_ask(seconds)), daemon=True)
    asking.start()
    asking.join(seconds)  # a name look-up knows no time limit of its own
    return answered == [True]


def go_offline() -> None:
    """Let the Hub's libraries use what is on this machine, and neither connect nor retry."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    for module, name in (
        ("huggingface_hub.constants", "HF_HUB_OFFLINE"), ("datasets.config", "HF_HUB_OFFLINE"),
    ):  # fmt: skip
        if module in sys.modules:  # it has read the environment already
            setattr(sys.modules[module], name, True)


def _ask(seconds: float) -> bool:
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    try:
        request = urllib.request.Request(endpoint, method="HEAD")
        urllib.request.urlopen(request, timeout=seconds).close()
    except urllib.error.HTTPError as e:
        return e.code < 500  # it answered, and is not down
    except (OSError, ValueError):
        return False
    return True


def _sources(recipe: Recipe) -> Iterator[SourceSettings]:
    yield from recipe.prompts.sources
    yield from (task.source for task in recipe.bench.tasks if task.source)


def _is_remote(source: SourceSettings) -> bool:
    known = source.source in BUILTIN["source"] and source.source not in LOCAL
    return known and source.options.get("path") is None
