"""What ``deimos serve`` is to serve: a run's tuned model, a model by its folder or Hub id, or the lab.

Says which weights, how they are decoded if a request leaves that open, and what the run found about
thinking. Loads no weights.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deimos.bench.decodings import LOCKED, decodings_of
from deimos.chat_template import TemplateArguments
from deimos.evaluate.merged import merge_model, model_path
from deimos.lab.weights import resolve_model
from deimos.models.context import context_of
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.models.switch import find_switch
from deimos.recipe import Recipe, RecipeError, load, validate
from deimos.recipe.runtime import Runtime
from deimos.recipe.sets import apply_set
from deimos.route.policy import Policy, default_policy, read_policy
from deimos.runs.artifacts import load_run
from deimos.serve.middleware import sampling_fields
from deimos.serve.router import Router
from deimos.store.names import RECIPE
from deimos.store.sweep_rows import DecodingConfig
from deimos.thinking import Tags
from deimos.types import Sampling

NO_CONTEXT_TOKENS = 4096
"""``max_tokens`` of a model that does not say how many tokens it can hold."""
_NOT_IN_NAMES = re.compile(r"[^\w./:@+ -]|\.\.")


@dataclass(frozen=True)
class ServeTarget:
    """A model and all that is known about how to ask it."""

    name: str
    """Under which it is asked."""
    ref: ModelRef
    tags: Tags | None
    """Of a thought; None: it thinks in none."""
    runtime: Runtime
    defaults: DecodingConfig
    """How it is decoded if a request leaves that open."""
    policy: Policy
    template: TemplateArguments = field(default_factory=TemplateArguments)
    """What its chat template is given with every prompt."""
    trained_off: bool = False
    """Whether a run trained and measured it with thinking off, and compared no other mode."""
    locked: bool = False
    """Whether a run chose the defaults. Else they are the model's own, which every server knows."""
    notes: Sequence[str] = ()
    """What a user should know of it, a sentence each."""

    def sampling(self) -> dict[str, Any]:
        """What is written into requests that leave it open: what a run locked, or nothing."""
        return sampling_fields(self.defaults) if self.locked else {}

    def router(self, template: str | None) -> Router:
        """Decides requests for it.

        Args:
            template: its chat template; None: not known, so the customary switch is taken.
        """
        if template is None:
            return Router(self.policy, trained_off=self.trained_off)
        switch = find_switch(template, self.template.thinking_key)
        return Router(self.policy, switch, self.trained_off)


def find_target(name: str, sets: Sequence[str] = (), tags: Tags | None = None) -> ServeTarget:
    """What a run folder, a model's folder or Hub id, or ``lab`` stands for.

    Args:
        name: what the user gave.
        sets: ``key=value`` each; of a run any key of its recipe, else those of ``runtime`` and
            ``model.dtype``, ``model.revision``.
        tags: of a thought, if they are not the usual ones; of a run its recipe's count.

    Raises:
        RecipeError: there is no such run or model, or a key or value that is not accepted.
    """
    path = Path(name)
    if (path / RECIPE).is_file():
        return _target_of_run(path, sets)
    if path.is_dir() and not (path / "config.json").is_file():
        raise RecipeError(
            f"{name!r} is neither a run folder (it has no {RECIPE}) nor a model (no config.json)"
        )
    if not path.exists() and (runs := _runs_in(path.parent)):
        raise RecipeError(f"{name!r}: no such run; {path.parent} has {', '.join(runs)}")
    return _target_of_model(name, sets, tags)


def _runs_in(folder: Path) -> list[str]:
    """Names of the runs in a folder; none of the current one: a name alone is a model's."""
    if not folder.name or not folder.is_dir():
        return []
    return sorted(path.parent.name for path in folder.glob(f"*/{RECIPE}"))


def _target_of_run(path: Path, sets: Sequence[str]) -> ServeTarget:
    recipe, runtime = load(path / RECIPE, sets)
    artifacts = load_run(path)
    notes = []
    adapter = artifacts.adapter
    if adapter is None:
        notes.append(f"{path} has no trained adapter yet: the base model is served")
    settings = validate(Runtime, runtime, "runtime")
    if settings.cluster:
        notes.append("runtime.cluster is not used here: the model is served from this process")
    swept = artifacts.locked_configs()
    model, found = recipe.model, artifacts.policy_path()
    merge_model(recipe)
    taught = recipe.train.teach.tags if recipe.train.teach and adapter else None
    ref = ModelRef(
        model_path(recipe),
        model.revision,
        model.dtype,
        None if adapter is None else str(adapter.resolve()),
        taught,
    )
    return ServeTarget(
        name="base" if adapter is None else "tuned",  # as benchmark, card and its client call it
        ref=ref,
        tags=taught or model.thinking_tags(),
        runtime=settings,
        defaults=_shipped(recipe, swept["tuned"] if swept else None),
        policy=default_policy() if found is None else read_policy(found),
        template=TemplateArguments(fixed=model.template_kwargs)
        if taught
        else model.template_arguments(),
        trained_off=model.thinking is False and found is None,
        locked=True,
        notes=notes,
    )


def _shipped(recipe: Recipe, swept: DecodingConfig | None) -> DecodingConfig:
    """How a run's tuned model ships: as ``deimos bench`` decodes it in the setting ``ship``."""
    if swept is not None:
        return swept
    decodings = decodings_of(recipe.bench)
    locked = decodings.named[LOCKED]
    sampling = dataclasses.replace(locked.sampling, max_tokens=decodings.shipped_budget)
    return DecodingConfig(sampling, locked.think_budget)


def _target_of_model(name: str, sets: Sequence[str], tags: Tags | None) -> ServeTarget:
    data: dict[str, Any] = {}
    for item in sets:
        apply_set(data, item)
    model, runtime = data.pop("model", None) or {}, data.pop("runtime", None) or {}
    wrong = [*data, *(f"model.{key}" for key in model if key not in ("dtype", "revision"))]
    if wrong:
        raise RecipeError(
            f"--set {wrong[0]}: {name!r} is a model and no run, so only runtime, model.dtype and "
            "model.revision can be set"
        )
    ref = ModelRef(resolve_model(name), model.get("revision"), model.get("dtype", "auto"))
    template = str(load_tokenizer(ref).chat_template)
    usual = Tags()
    thinks = tags is not None or usual.close in template or usual.open in template
    folder = Path(name)
    return ServeTarget(
        name=_name(folder.resolve().name if folder.is_dir() else name),
        ref=ref,
        tags=(tags or usual) if thinks else None,
        runtime=validate(Runtime, runtime, "runtime"),
        defaults=DecodingConfig(_recommended(ref)),
        policy=default_policy(),
    )


def _recommended(ref: ModelRef) -> Sampling:
    """The sampler that a model's own generation config recommends, with all the room there is."""
    from transformers import GenerationConfig

    room = Sampling(max_tokens=context_of(ref) or NO_CONTEXT_TOKENS)
    try:
        config = GenerationConfig.from_pretrained(ref.path, revision=ref.revision or "main")
    except OSError:  # a model need not come with a generation config
        return room
    known = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
    found = {name: getattr(config, name, None) for name in known}
    given = {name: value for name, value in found.items() if value is not None}
    return dataclasses.replace(room, **given)


def _name(text: str) -> str:
    """A name that requests can carry."""
    return _NOT_IN_NAMES.sub("_", text)[:256]
