"""``MODEL_CARD.md``: a Hub model card of which every number is read from the run's records.

Its headings are ``HEADINGS``, whatever has been measured: what has not says so in its place. Text
that a model, a task or a recipe wrote is escaped (``markdown.py``). What the Hub reads of a card by
program is in ``hub.py``.
"""

from __future__ import annotations

import yaml

from deimos import __version__
from deimos.report import (
    decoding_labels,
    formatting,
    headline,
    hub,
    markdown,
    routing,
    side_by_side,
    snippet,
)
from deimos.report.chain import chain_section
from deimos.report.html import commands, groups, templates
from deimos.report.locked import read_locked
from deimos.report.metrics import accuracy_metrics, efficiency_metrics, split_section
from deimos.report.rejects import Rejects, count_by_stage, proposers_section
from deimos.report.results import RunResults
from deimos.report.summary import sample_counts
from deimos.report.sweep import sweep_section
from deimos.store.schema import AnyRow

HEADINGS = (
    "## Overview",
    "## Specification",
    "## Locked config",
    "## Routing table",
    "## Quick starts",
    "### Transformers, thinking on",
    "### Transformers, thinking off",
    "### vLLM",
    "## Example output",
    "## Quantisations",
    "## Training details",
    "## Efficiency per task",
    "## Accuracy per task",
    "## Limitations",
    "## Licence",
)
"""Every card's headings, in this order."""
SHOWN = 3000
"""Characters of the example's thought, and of its answer, that a card holds."""


def card(run: RunResults, tally: Rejects, made: AnyRow) -> str:
    """Render the card; ``made`` is what ``html.describe_making`` found."""
    env = templates()
    filters = (markdown.cell, markdown.prose, markdown.code, markdown.block)
    env.filters |= {each.__name__: each for each in filters}
    locked = read_locked(run)
    return env.get_template("card.md.j2").render(
        front=hub.front_matter(run),
        run=run,
        recipe=run.recipe,
        headline=headline.headline(run),
        specification=specification(run),
        locked=locked,
        locked_yaml=_yaml(locked.decoding),
        sweep=sweep_section(run),
        chain=chain_section(run),
        proposers=proposers_section(run),
        groups=groups(run),
        efficiency=efficiency_metrics(run),
        accuracy=accuracy_metrics(run),
        splits=split_section(run),
        routing=routing.table(run),
        routed=routing.routed_section(run),
        mixed=decoding_labels.MIXED,
        rejects=tally,
        stages=count_by_stage(tally),
        sample=sample_counts(run),
        made=made,
        training=_yaml(run.recipe.train.model_dump(mode="json")),
        example=example(run),
        usage=snippet.quick_starts(run),
        exported=run.counts("export"),
        licence=hub.licence(run),
        commands=commands(run),
        version=__version__,
        not_measured=formatting.NOT_MEASURED,
    )


def specification(run: RunResults) -> list[tuple[str, str]]:
    """What the adapter is: names and values, from the recipe as it ran and the stages' records."""
    model, lora, trained = run.recipe.model, run.recipe.train.lora, run.counts("train")
    own = model.tags or run.recipe.train.teach
    tags = f"{own.open} … {own.close}" if own else "none (the plain grammar)"
    tags += " (taught: the base has none)" if run.taught else ""
    thinking = {None: "as the chat template does by itself", True: "on", False: "off"}
    shape = run.constants.get("shape")
    recorded = formatting.NOT_MEASURED.replace("measured", "recorded")
    number = trained.get("trainable_parameters")
    return [
        ("base model", model.name),
        ("revision", model.revision or "none named"),
        ("data type", model.dtype),
        ("thinking tags", f"{tags}{f'; the prompt leaves the thought {shape}' if shape else ''}"),
        ("thinking while sampling", thinking[model.thinking]),
        ("adapter", f"LoRA, r {lora.r}, alpha {lora.alpha}, on {', '.join(lora.target_modules)}"),
        ("trained parameters", recorded if number is None else formatting.number(number)),
        ("trained in", str(trained.get("precision") or recorded)),
        ("adapter while benched", str(run.counts("bench").get("adapter") or recorded)),
    ]


def example(run: RunResults) -> side_by_side.Shown | None:
    """The problem that is shown, by rule: both models right, the median cut in thinking."""
    config = headline.length_config(run)
    pairs = side_by_side.show_pairs(run, config, cases=1) if config else []
    return next(iter(pairs), None)


def _yaml(value: AnyRow) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).strip()
