"""The date that chat templates write into prompts: of a run's first sampling, the same ever after.

Some templates (gpt-oss, Llama 3.2, Granite) write the current date. A prompt rendered on another day
is another prompt, so a run's sample folder keeps the date on which it was begun in
``template_date.json``; whoever renders a prompt of the run gives that one to ``thinking.render``.
Folders of other templates have no such file.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

from deimos.recipe import RecipeError
from deimos.store.journal import write_atomic
from deimos.store.names import TEMPLATE_DATE


def read_template_date(folder: Path) -> date | None:
    """The date that a sample folder keeps; None if its template writes none.

    Raises:
        RecipeError: the file is damaged.
    """
    path = folder / TEMPLATE_DATE
    if not path.is_file():
        return None
    try:
        return date.fromisoformat(json.loads(path.read_bytes())["template_date"])
    except (ValueError, KeyError, TypeError) as e:
        raise RecipeError(f"{path} is damaged: move its folder away and run again") from e


def keep_template_date(folder: Path, today: date) -> date:
    """The date that a sample folder keeps, from the first call on; returns it."""
    if (kept := read_template_date(folder)) is not None:
        return kept
    write_atomic(folder / TEMPLATE_DATE, json.dumps({"template_date": today.isoformat()}) + "\n")
    return today
