"""The local engine on a GPU says what it says on the CPU; skipped, saying so, where there is none."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.engines.runs import EOS, make_jobs, run, share_of_differing_tokens

from deimos.engines.base import Done
from deimos.engines.local.engine import LocalEngine
from deimos.types import Sampling

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine"),
]
HOT = Sampling(temperature=1.0, top_k=20, top_p=0.95, max_tokens=48)
PENALISED = Sampling(
    temperature=0.8, top_p=0.9, repetition_penalty=1.1, presence_penalty=1.5, frequency_penalty=0.2,
    max_tokens=48,
)  # fmt: skip
GREEDY = Sampling(temperature=0.0, max_tokens=48)


def engine_on(device: str, model: Any, **options: Any) -> LocalEngine:
    return LocalEngine(copy.deepcopy(model).to(device), {EOS}, **options)


@pytest.mark.parametrize("which", ["tiny_model", "tiny_hybrid"])
@pytest.mark.parametrize("sampling", [GREEDY, HOT, PENALISED], ids=["greedy", "hot", "penalised"])
def test_it_says_what_the_cpu_says(
    which: str, sampling: Sampling, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(which)
    jobs = make_jobs(24, sampling, per_prompt=4)
    there = run(engine_on("cuda", model, max_batch=17), jobs)
    here = run(engine_on("cpu", model), jobs)
    assert share_of_differing_tokens(there, here) <= 0.01


def test_the_outpaced_are_stopped(tiny_model: Any) -> None:
    first, *others = make_jobs(12, replace(HOT, max_tokens=400), per_prompt=4)
    first = replace(first, sampling=replace(HOT, max_tokens=4))
    engine = LocalEngine(copy.deepcopy(tiny_model).to("cuda"), (), max_batch=12)

    def stop_others(event: Any) -> None:
        if isinstance(event, Done) and event.key == first.key:
            for job in others:
                engine.stop(job.key)

    ends = run(engine, [first, *others], stop_others)
    assert {ends[job.key].finish for job in others} == {"stopped"}
    assert max(len(end.completion_ids) for end in ends.values()) < 10


def test_bfloat16_decodes(tiny_hybrid: Any) -> None:
    model = copy.deepcopy(tiny_hybrid).to(torch.bfloat16)
    ends = run(engine_on("cuda", model), make_jobs(8, HOT))
    assert {end.finish for end in ends.values()} <= {"stop", "length"}
    assert all(end.completion_ids for end in ends.values())
