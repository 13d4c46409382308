"""The train stage: ``gold.jsonl`` of the select stage to ``adapter/`` and ``metrics.jsonl``.

Re-running resumes, unless the golds have changed: then training starts over. ``dropped.jsonl``
lists the golds that were not trained on, with the reason.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deimos.models.end_of_turn import eos_ids_of
from deimos.models.loading import load_model, load_tokenizer
from deimos.models.ref import ModelRef
from deimos.models.taught import teach_tokenizer
from deimos.runs.artifacts import Artifacts, adapter_path, metrics_in
from deimos.store import journal
from deimos.store.names import ADAPTER_WEIGHTS, CHECKPOINTS, DROPPED, GOLD, METRICS, TRAINED_ON
from deimos.store.schema import row_of
from deimos.train import checkpoints, metrics
from deimos.train.tokens import Dropped, Example, TokensError, digest_of, examples_of

if TYPE_CHECKING:
    from deimos.runs.plan import StageJob

_log = logging.getLogger(__name__)


def run(job: StageJob) -> dict[str, Any]:
    """Train the recipe's adapter; returns the counts for the stage's record.

    Raises:
        TokensError: no gold can be trained on.
        RecipeError: a training setting that this model or machine cannot carry out.
    """
    from deimos.train import sft

    settings, runtime = job.recipe.train, job.runtime
    device = sft.device_of(runtime.device)
    precision = sft.precision_of(settings.dtype, device)
    ref = ModelRef(job.model_path, revision=job.recipe.model.revision, dtype=precision.weights)
    tokenizer = load_tokenizer(ref)
    examples, dropped = _examples(job, eos_ids_of(tokenizer, ref))
    adapter, losses = adapter_path(job.out), job.out / METRICS
    resumed = None
    _discard_others(job.out, examples)
    # Installed whole after the last step; if it was damaged since, it has been removed.
    if not all(p.is_file() for p in (losses, *(adapter / n for n in checkpoints.ADAPTER_FILES))):
        shutil.rmtree(adapter, ignore_errors=True)
        _set_threads(runtime.threads)
        resumed = sft.train(
            lambda: load_model(ref, device),
            tokenizer,
            examples,
            settings,
            job.out,
            precision=precision,
            device=device,
            micro_batch=runtime.train_micro_batch,
            report=job.progress,
        )
    if settings.teach:
        # With it the adapter's folder says how its model is asked; the weights alone do not.
        teach_tokenizer(tokenizer, settings.teach.tags).save_pretrained(adapter)
    return {
        **_data_counts(examples, dropped),
        **metrics.summary(metrics_in(losses)),
        "trainable_parameters": _parameters(adapter / ADAPTER_WEIGHTS),
        "precision": precision.note,
        "device": device,
        "resumed_from_step": resumed,
    }


def _examples(job: StageJob, eos_ids: frozenset[int]) -> tuple[list[Example], list[Dropped]]:
    stage = "teach" if "teach" in job.inputs else "select"
    golds = list(Artifacts(job.inputs).golds(stage))
    examples, dropped = examples_of(golds, max_length=job.recipe.train.max_length, eos_ids=eos_ids)
    journal.write_rows(job.out / DROPPED, map(row_of, dropped))
    if not examples:
        reasons = Counter(d.because for d in dropped)
        why = "; ".join(f"{n} {because}" for because, n in reasons.items())
        raise TokensError(
            f"nothing to train on: {job.inputs[stage] / GOLD} has {len(golds)} golds ({why or 'none'})"
        )
    return examples, dropped


def _discard_others(out: Path, examples: Sequence[Example]) -> None:
    """Remove an adapter, or an unfinished training, of other examples than these."""
    path, digest = out / TRAINED_ON, digest_of(examples)
    if path.is_file() and json.loads(path.read_bytes()).get("examples") == digest:
        return
    made = (adapter_path(out), out / CHECKPOINTS)
    if any(folder.is_dir() for folder in made):
        _log.warning(
            "the golds are not those that %s was trained on: training starts over", out.name
        )
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)
    (out / METRICS).unlink(missing_ok=True)
    journal.write_atomic(path, json.dumps({"examples": digest}) + "\n")


def _data_counts(examples: list[Example], dropped: list[Dropped]) -> dict[str, Any]:
    return {
        "examples": len(examples),
        "dropped": len(dropped),
        "dropped_because": dict(Counter(d.because for d in dropped)),
        "supervised_tokens": sum(example.supervised for example in examples),
    }


def _parameters(weights: Path) -> int:
    """How many parameters the adapter has, which is how many were trained."""
    from math import prod

    from safetensors import safe_open

    with safe_open(weights, framework="pt") as file:
        return sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118


def _set_threads(threads: int | None) -> None:
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
