"""``MODEL_CARD.md``: a Hub model card of which every number is read from the run's records."""

from __future__ import annotations

import re
from typing import Any

import yaml

from deimos import __version__
from deimos.report import decoding_labels, formatting, headline, snippet
from deimos.report.html import commands, groups, templates
from deimos.report.rejects import Rejects, by_stage
from deimos.report.results import RunResults
from deimos.report.summary import sample_counts
from deimos.store.schema import AnyRow, Row

DECODING = {"budget", "recommended", "locked", "repeats", "seed"}
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def card(run: RunResults, tally: Rejects, made: AnyRow) -> str:
    """Render the card; ``made`` is what ``html.making`` found."""
    env = templates()
    env.filters["cell"] = cell
    return env.get_template("card.md.j2").render(
        front=front_matter(run, made),
        run=run,
        recipe=run.recipe,
        headline=headline.headline(run),
        groups=groups(run),
        mixed=decoding_labels.MIXED,
        rejects=tally,
        stages=by_stage(tally),
        sample=sample_counts(run),
        made=made,
        contamination=made["contamination"],
        training=_yaml(run.recipe.train.model_dump(mode="json")),
        decoding=_yaml(_decoding(run)),
        usage=snippet.snippet(run),
        commands=commands(run),
        version=__version__,
        not_measured=formatting.NOT_MEASURED,
    )


def front_matter(run: RunResults, made: AnyRow) -> str:
    """The YAML block the Hub reads; what was not recorded is left out, never guessed."""
    recipe = run.recipe
    front: dict[str, Any] = {"language": ["en"]} if run.lab else {}
    front |= {"pipeline_tag": "text-generation", "library_name": "peft"}
    if _HUB_ID.fullmatch(recipe.model.id):
        front |= {"base_model": recipe.model.id, "base_model_relation": "adapter"}
    front["tags"] = ["deimos", "reasoning", "terse-reasoning", "lora"]
    if run.lab:
        front["tags"].append("toy")
    datasets = [d for d in made["sources"] if _HUB_ID.fullmatch(d)]
    if datasets:
        front["datasets"] = datasets
    return _yaml(front)


def cell(text: object) -> str:
    """Text for a Markdown table cell: one line, no column breaks, no markup of its own."""
    one_line = " ".join(str(text).split())
    return re.sub(r"([\\|`*_<>\[\]])", r"\\\1", one_line)


def _decoding(run: RunResults) -> Row:
    """The bench's configs; ``budget`` took the place of their own ``max_tokens``."""
    unused = {"recommended": {"max_tokens"}, "locked": {"max_tokens"}}
    return run.recipe.bench.model_dump(mode="json", include=DECODING, exclude=unused)


def _yaml(value: AnyRow) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).strip()
