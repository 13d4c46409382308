"""The sampler against a slow reading of vLLM's definitions, one token and one row at a time."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from deimos.engines.local.sampler import TokenSampler, make_parameter_row
from deimos.types import Sampling


def reference(
    logits: list[float], sampling: Sampling, prompt: list[int], output: list[int]
) -> list[float]:
    """Probabilities after penalties, temperature, min-p, top-k and top-p."""
    scores = list(logits)
    for token in {*prompt, *output}:
        factor = sampling.repetition_penalty
        scores[token] = scores[token] / factor if scores[token] > 0 else scores[token] * factor
    for token in set(output):
        scores[token] -= sampling.frequency_penalty * output.count(token)
        scores[token] -= sampling.presence_penalty
    if sampling.temperature == 0:
        return [float(i == scores.index(max(scores))) for i in range(len(scores))]
    scores = [s / sampling.temperature for s in scores]
    probabilities = softmax(scores)
    least = sampling.min_p * max(probabilities)
    scores = [-math.inf if p < least else s for s, p in zip(scores, probabilities, strict=True)]
    if sampling.top_k:
        kth = sorted(scores, reverse=True)[min(sampling.top_k, len(scores)) - 1]
        scores = [-math.inf if s < kth else s for s in scores]
    probabilities = softmax(scores)
    if sampling.top_p < 1:
        before = 0.0
        for token in sorted(range(len(scores)), key=lambda i: -probabilities[i]):
            if before >= sampling.top_p:
                scores[token] = -math.inf
            before += probabilities[token]
    return softmax(scores)


def softmax(scores: list[float]) -> list[float]:
    top = max(scores)
    weights = [math.exp(s - top) for s in scores]
    total = sum(weights)
    return [w / total for w in weights]


def pick(probabilities: list[float], uniform: float) -> int:
    total = 0.0
    for token, p in enumerate(probabilities):
        total += p
        if total > uniform:
            return token
    raise AssertionError("probabilities do not sum to one")


def some_sampling(rng: random.Random) -> Sampling:
    return Sampling(
        temperature=rng.choice([0.0, 0.3, 0.7, 1.0, 1.6]),
        top_p=rng.choice([1.0, 1.0, 0.95, 0.5, 0.05]),
        top_k=rng.choice([0, 0, 1, 5, 20, 10_000]),
        min_p=rng.choice([0.0, 0.0, 0.05, 0.4]),
        repetition_penalty=rng.choice([1.0, 1.0, 1.3, 0.8]),
        presence_penalty=rng.choice([0.0, 0.0, 1.5, -0.5]),
        frequency_penalty=rng.choice([0.0, 0.0, 0.4, -0.3]),
    )


def draw(
    logits: np.ndarray, samplings: list[Sampling], noise: np.ndarray,
    prompts: list[list[int]], outputs: list[list[int]],
) -> list[int]:  # fmt: skip
    sampler = TokenSampler(np.stack([make_parameter_row(s) for s in samplings]))
    tensors: list[torch.Tensor] = []
    if sampler.needs_history:
        rows = [p + o for p, o in zip(prompts, outputs, strict=True)]
        history = torch.randint(0, logits.shape[1], (len(rows), max(map(len, rows)) + 2))
        for at, ids in enumerate(rows):
            history[at, : len(ids)] = torch.tensor(ids)
        lengths = torch.tensor([len(r) for r in rows])
        tensors = [history, torch.tensor([len(p) for p in prompts]), lengths]
    return sampler.draw(torch.from_numpy(logits).clone(), noise, *tensors).tolist()


@pytest.mark.parametrize("alike", [True, False], ids=["one sampling", "a mixture"])
@pytest.mark.parametrize("vocabulary", [40, 6000])
def test_as_the_reference(alike: bool, vocabulary: int) -> None:
    rng = random.Random(vocabulary + alike)
    differ = total = 0
    for _ in range(12 if vocabulary < 100 else 3):
        rows = 16 if vocabulary < 100 else 6
        samplings = (
            [some_sampling(rng)] * rows if alike else [some_sampling(rng) for _ in range(rows)]
        )
        logits = np.random.default_rng(rng.randrange(10**6)).normal(0, 3, (rows, vocabulary))
        logits = logits.astype(np.float32)
        noise = np.array([rng.random() for _ in range(rows)])
        few = min(vocabulary, 30)
        prompts = [[rng.randrange(few) for _ in range(rng.randrange(1, 9))] for _ in range(rows)]
        outputs = [[rng.randrange(few) for _ in range(rng.randrange(9))] for _ in range(rows)]
        found = draw(logits, samplings, noise, prompts, outputs)
        for row in range(rows):
            wanted = reference(logits[row].tolist(), samplings[row], prompts[row], outputs[row])
            differ += found[row] != pick(wanted, noise[row])
            total += 1
    # Penalties are float32 here and float64 in the reference: a uniform may fall in between.
    assert differ <= total * 0.005


def test_frequencies_are_the_distribution_s() -> None:
    sampling = Sampling(temperature=0.8, top_k=12, top_p=0.9, min_p=0.02)
    logits = np.random.default_rng(3).normal(0, 1, 30).astype(np.float32)
    n = 20_000
    tokens = draw(
        np.tile(logits, (n, 1)), [sampling] * n, np.random.default_rng(4).random(n),
        [[1]] * n, [[]] * n,
    )  # fmt: skip
    wanted = np.array(reference(logits.tolist(), sampling, [1], []))
    counted = np.bincount(tokens, minlength=30)
    assert counted[wanted == 0].sum() == 0
    kept = wanted > 0
    assert kept.sum() > 5
    assert stats.chisquare(counted[kept], wanted[kept] * n).pvalue > 1e-3


def test_tokens_tied_with_the_last_kept_are_kept() -> None:
    logits = np.array([[0.0, 2.0, 1.0, 1.0, 1.0, -1.0]], dtype=np.float32)
    noise = np.linspace(0, 0.999, 200)
    tokens = draw(
        np.repeat(logits, 200, axis=0), [Sampling(top_k=2)] * 200, noise, [[0]] * 200, [[]] * 200
    )
    assert set(tokens) == {1, 2, 3, 4}


def test_extreme_noise_and_logits() -> None:
    logits = np.array([[0.0, 80.0, -80.0, 79.0]] * 2, dtype=np.float32)
    for sampling in (Sampling(), Sampling(top_p=0.9), Sampling(top_k=2), Sampling(min_p=0.1)):
        ends = draw(logits, [sampling] * 2, np.array([1e-12, 1 - 2.0**-53]), [[0]] * 2, [[]] * 2)
        assert set(ends) <= {1, 3}


def test_penalties_count_what_vllm_counts() -> None:
    # Repetition looks at the prompt, presence and frequency only at the output.
    logits = np.array([[2.0, 1.9, 0.0]], dtype=np.float32)
    greedy = Sampling(temperature=0.0)
    noise = np.array([0.5])
    assert draw(logits, [greedy], noise, [[0]], [[]]) == [0]
    assert draw(logits, [replace(greedy, presence_penalty=1.0)], noise, [[0]], [[]]) == [0]
    assert draw(logits, [replace(greedy, presence_penalty=1.0)], noise, [[2]], [[0]]) == [1]
    assert draw(logits, [replace(greedy, repetition_penalty=1.2)], noise, [[0]], [[2]]) == [1]
    twice = replace(greedy, frequency_penalty=0.06)
    assert draw(logits, [twice], noise, [[2]], [[0]]) == [0]
    assert draw(logits, [twice], noise, [[2]], [[0, 0]]) == [1]
