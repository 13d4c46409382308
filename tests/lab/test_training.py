"""Training the lab model: only what the model writes is learnt, and it does learn."""

import itertools
import json

import pytest

from deimos.lab import training
from deimos.lab.problem import split_of

TINY = training.Config(
    hidden=32, layers=2, heads=2, kv_heads=1, head_dim=16, intermediate=64,
    tokens=90_000, batch_tokens=2048,
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    notes = []
    training.train(folder, TINY, lambda done, total, note: notes.append((done, total, note)))
    return folder


def test_training_leaves_a_model_that_transformers_loads(trained):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(trained)
    model = AutoModelForCausalLM.from_pretrained(trained)
    ids = tokenizer("Tom has 12 apples.", return_tensors="pt")
    out = model.generate(**ids, max_new_tokens=3, do_sample=False)
    assert out.shape[1] == ids["input_ids"].shape[1] + 3
    facts = json.loads((trained / "training.json").read_text())
    assert facts["loss"] < 6.0  # a fresh model starts above ln(vocabulary) = 6.3
    assert facts["config"]["tokens"] == TINY.tokens


def test_labels_start_behind_the_prompt_and_end_with_the_turn(trained):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(trained)
    _, encode = training._fresh(trained, TINY)
    for ids, labels in itertools.islice(training.batches(TINY, encode), 5):
        assert ids.shape == labels.shape
        for row, targets in zip(ids.tolist(), labels.tolist(), strict=True):
            learnt = [t for t in targets if t != -100]
            prompt = [
                t for t, target in zip(row, targets, strict=True) if target == -100 and t >= 0
            ]
            said = tokenizer.decode(prompt)
            assert said.startswith("<|im_start|>user\n")
            assert said.endswith(("<|im_start|>assistant\n", "<think>\n\n</think>\n\n"))
            written = tokenizer.decode(learnt)
            assert written.endswith("<|im_end|>")
            assert written.startswith("<think>\n") == said.endswith("assistant\n")


def test_only_the_base_split_is_taught():
    for problem, _ in itertools.islice(training.examples(0), 300):
        assert split_of(problem.skeleton) == "base"


def test_every_kind_is_taught():
    kinds = {problem.kind for problem, _ in itertools.islice(training.examples(0), 100)}
    assert kinds == set(training.KIND_SHARES)
