"""Prompts that begin alike are run once as far as that goes, and decode the same tokens."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from tests.engines.runs import EOS, PLAIN, VOCABULARY, run, share_of_differing_tokens

from deimos.engines.base import Job, Key
from deimos.engines.local.engine import LocalEngine
from deimos.engines.local.prefill import LEAST_SHARED
from deimos.types import Sampling

HOT = Sampling(temperature=1.0, top_k=20, max_tokens=24)


def jobs_of(*prompts: tuple[int, ...]) -> list[Job]:
    return [Job(Key(f"p{i}", 0), ids, HOT, 7, PLAIN) for i, ids in enumerate(prompts)]


def count_prompt_tokens(model: Any, jobs: list[Job], **options: Any) -> tuple[int, Any]:
    """Prompt tokens that the model ran, padding aside if lengths are equal, and the ends."""
    seen = 0

    def count(module: Any, args: Any, kwargs: Any) -> None:
        nonlocal seen
        ids = kwargs["input_ids"]
        seen += ids.numel() if ids.shape[1] > 1 else 0

    hook = model.register_forward_pre_hook(count, with_kwargs=True)
    try:
        ends = run(LocalEngine(model, {EOS}, **options), jobs)
    finally:
        hook.remove()
    return seen, ends


def prompts_with(shared: int, own: int, n: int) -> list[tuple[int, ...]]:
    rng = random.Random(3)
    head = tuple(rng.randrange(3, VOCABULARY) for _ in range(shared))
    return [
        (*head, *(rng.randrange(3, VOCABULARY) for _ in range(own + 3 * (i % 2)))) for i in range(n)
    ]


@pytest.mark.parametrize("which", ["tiny_model", "tiny_sliding", "tiny_hybrid"])
@pytest.mark.parametrize("max_batch", [64, 3])
def test_a_common_beginning_changes_no_token(
    which: str, max_batch: int, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(which)
    jobs = jobs_of(*prompts_with(200, 20, 8), *prompts_with(0, 50, 3))
    tokens, together = count_prompt_tokens(model, jobs, max_batch=max_batch)
    _, alone = count_prompt_tokens(model, jobs, max_batch=1)
    assert share_of_differing_tokens(together, alone) <= 0.01
    whole = sum(len(job.prompt_ids) - 1 for job in jobs)
    assert (tokens < whole / 2) == (which != "tiny_hybrid"), "a recurrent state is not cut back"


def test_short_beginnings_are_not_shared(tiny_model: Any) -> None:
    jobs = jobs_of(*prompts_with(LEAST_SHARED - 1, 21, 6))
    tokens, _ = count_prompt_tokens(tiny_model, jobs, max_batch=64)
    assert tokens >= sum(len(job.prompt_ids) - 1 for job in jobs)


def test_a_prompt_that_is_the_beginning_of_another(tiny_model: Any) -> None:
    [long] = prompts_with(300, 0, 1)
    jobs = jobs_of(long, long[:200], long[:201], (*long, 5, 6), long[:LEAST_SHARED])
    _, together = count_prompt_tokens(tiny_model, jobs, max_batch=64)
    _, alone = count_prompt_tokens(tiny_model, jobs, max_batch=1)
    assert share_of_differing_tokens(together, alone) == 0


def test_keys_and_values_are_those_of_a_whole_run(tiny_model: Any) -> None:
    engine = LocalEngine(tiny_model, {EOS})
    first, second = prompts_with(160, 30, 2)
    with torch.inference_mode():
        [known] = engine.prefill([first], {})
        [shared] = engine.prefill([second], {first: known})
        [whole] = engine.prefill([second], {})
    for layer, parts in whole.attention.items():
        for one, other in zip(parts, shared.attention[layer], strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
