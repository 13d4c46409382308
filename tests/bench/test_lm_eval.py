"""Real lm-eval, offline, on a task of four questions and a scripted engine."""

import json
from pathlib import Path

import pytest

pytest.importorskip("lm_eval")

from deimos.bench.lm_eval import EngineLM, Setup, evaluate, stopped
from deimos.engines.base import Job, ModelRef
from deimos.engines.echo import EchoEngine
from deimos.engines.loading import eos_ids_of, load_tokenizer
from deimos.thinking import Tags
from deimos.types import Sampling

SAYS = {
    # a stop string stands in the thought: it must end nothing there, and end the answer
    "What is 1 plus 1?": "<think>\none\n\nQuestion: more\n</think>\n\nThe answer is 2.\n\nQuestion: The answer is 9.<|im_end|>",
    "What is 2 plus 2?": "<think>\nfour\n</think>\n\nThe answer is 4.<|im_end|>",
    # right only in a thought that never closes: an empty answer, wrong
    "What is 3 plus 3?": "<think>\nThe answer is 6.<|im_end|>",
    "What is 4 plus 4?": "<think>\nhm\n</think>\n\nThe answer is 7.<|im_end|>",
}


@pytest.fixture(scope="module")
def setup(model_path: str) -> Setup:
    tokenizer = load_tokenizer(ModelRef(model_path))
    scripts = {
        q: tuple(tokenizer(text, add_special_tokens=False)["input_ids"]) for q, text in SAYS.items()
    }

    def script(job: Job) -> tuple[int, ...]:
        prompt = tokenizer.decode(job.prompt_ids)
        return next(ids for question, ids in scripts.items() if question in prompt)

    return Setup(
        EchoEngine(script),
        tokenizer,
        eos_ids_of(tokenizer, model_path),
        Sampling(temperature=0.0, max_tokens=200),
        Tags(),
        True,
    )


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "sums.jsonl"
    path.write_text(
        "".join(
            json.dumps({"question": q, "answer": str(2 * i)}) + "\n" for i, q in enumerate(SAYS, 1)
        )
    )
    return {
        "task": "tiny_sums", "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(path)}, "cache_dir": str(tmp_path / "cache")},
        "output_type": "generate_until", "test_split": "test",
        "doc_to_text": "{{question}}", "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["Question:", "\n\n"], "max_gen_toks": 3},
        "filter_list": [{"name": "number", "filter": [
            {"function": "regex", "regex_pattern": r"answer is (\d+)"}, {"function": "take_first"}]}],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }  # fmt: skip


def test_lm_eval_scores_answers_and_we_keep_the_thoughts(setup: Setup, task: dict):
    found = evaluate([task], setup)
    assert found.metrics["tiny_sums"]["exact_match,number"] == 0.5
    rows = {r["target"]: r for r in found.rows}
    assert [rows[t]["metrics"]["exact_match"] for t in ("2", "4", "6", "8")] == [1.0, 1.0, 0.0, 0.0]
    assert rows["2"]["think"] == "one\n\nQuestion: more" and rows["2"]["finish"] == "stop"
    assert rows["6"]["answer"] == "" and rows["6"]["think"] == "The answer is 6."
    assert all(r["think_tokens"] > 0 and len(r["completion_ids"]) > 3 for r in found.rows)


def test_what_the_adapter_cannot_do_it_says(setup: Setup):
    lm = EngineLM(setup)
    with pytest.raises(NotImplementedError, match="likelihood"):
        lm.loglikelihood([])
    with pytest.raises(NotImplementedError, match="prefill"):
        lm.apply_chat_template([{"role": "user", "content": "hi"}], add_generation_prompt=False)


def test_stops_cut_at_the_first():
    assert stopped("a b c b", ["b", "c", ""]) == "a "
    assert stopped("a", []) == "a"
