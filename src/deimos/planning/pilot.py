"""A pilot: a few of the recipe's own prompts, every candidate decoded to its end and judged.

Engine, sampling and seeds are the run's own, in this process; nothing is written. The presentation
filter's function words are left out (their limit comes from the run's dev pass).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deimos.evaluate.merged import model_path
from deimos.pipeline.wiring import gates, judge_of
from deimos.planning.estimate import Pilot, pilot_of
from deimos.prompts.splits import rank
from deimos.recipe import ModelSettings, Recipe, RecipeError
from deimos.recipe.runtime import Runtime
from deimos.runs.plan import StageJob
from deimos.runs.progress import ProgressBar
from deimos.sample.model import open_model
from deimos.sample.prompt_race import RacePrompt
from deimos.sample.race import race
from deimos.store.schema import completion_row
from deimos.thinking import Rendered, render
from deimos.types import Completion, Prompt


def run_pilot(
    recipe: Recipe, runtime: Runtime, train: Sequence[Prompt], count: int
) -> tuple[Pilot, float]:
    """Sample ``count`` of the train prompts; returns their measurements, and bytes of a row for each token.

    Raises:
        RecipeError: fewer prompts, another Python is to run the engine, or what loading refuses.
    """
    if count > len(train):
        raise RecipeError(f"--pilot {count}: there are only {len(train)} train prompts")
    if "sample" in runtime.python:
        raise RecipeError(
            "--pilot loads the engine in this Python, but runtime.python.sample names "
            f"{runtime.python['sample']!r}: run this command in that environment"
        )
    # By hash: a spread over all sources, and more of them begin with the same ones.
    chosen = sorted(train, key=lambda prompt: rank(prompt, f"pilot-{recipe.sample.seed}"))[:count]
    pool: list[Completion] = []
    with ProgressBar() as progress:
        job = StageJob(recipe, runtime, model_path(recipe), {}, Path(), progress)
        seconds = _sample(job, chosen, pool)
    pilot = pilot_of(pool, recipe.sample, recipe.select, seconds)
    size = sum(len(json.dumps(completion_row(c), ensure_ascii=False).encode()) for c in pool)
    return pilot, size / max(1, pilot.exhaustive)


def render_prompt(model: ModelSettings, tokenizer: Any, prompt: Prompt) -> Rendered:
    """A prompt as the recipe's model sees it; ThinkingError if its template refuses it."""
    return render(
        tokenizer, prompt.messages, tags=model.thinking_tags(), thinking=model.thinking,
        template=model.template_arguments(),
    )  # fmt: skip


def _sample(job: StageJob, chosen: Sequence[Prompt], pool: list[Completion]) -> float:
    """Fill the pool; returns the seconds of decoding."""
    model = open_model(job)
    prompts = [RacePrompt(p, render_prompt(job.recipe.model, model.tokenizer, p)) for p in chosen]
    sample = job.recipe.sample
    settings = sample.model_copy(update={"n": sample.candidates, "exhaustive": True})

    def keep(completion: Completion) -> None:
        pool.append(completion)
        job.progress("pilot", len(pool), len(chosen) * settings.candidates)

    with judge_of(job) as judge:
        gate = gates(job, judge)(prompts[0].rendered.shape, {"function_word_rate_p5": None})
        stats = asyncio.run(
            race(
                prompts, model.engine, settings=settings, gate=gate, keep=keep,
                decode=model.decode,
            )
        )  # fmt: skip
    return stats.seconds
