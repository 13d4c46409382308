"""What a user would pick instead, on a scripted engine: arms, keys, resuming, rows, and the verdict."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pytest

from deimos.bench import stage, suites
from deimos.bench.baselines import find_think_budget, judge_baseline, list_baselines
from deimos.bench.decodings import decodings_of
from deimos.engines.base import Job
from deimos.engines.echo import EchoEngine
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe import RecipeError
from deimos.recipe.runtime import Runtime
from deimos.registry import engine
from deimos.store.journal import Journal, read, read_rows
from deimos.thinking import Shape
from deimos.types import Completion

ALL = ["instruction", "low_effort", "budget"]
EFFORT = (
    "{%- if reasoning_effort is defined and reasoning_effort in ['low', 'high'] -%}"
    "<|im_start|>system\nEffort: {{ reasoning_effort }}<|im_end|>\n{%- endif -%}"
)
asked: list[tuple[str, bool]] = []
"""What the prompt of each job said, and whether its thought was closed."""


@engine("bench_baselines")
def scripted(ref: ModelRef, runtime: Runtime) -> EchoEngine:
    """Base: 30 words of thought, 20 if told to be brief, 10 at low effort; tuned: 6. A closed
    thought is answered wrongly at every fourth sum."""
    tokenizer = load_tokenizer(ref)

    def script(job: Job) -> tuple[int, ...]:
        prompt = tokenizer.decode(job.prompt_ids)
        closed = job.think.shape is Shape.SHUT
        asked.append((prompt, closed))
        i = int(re.findall(r"What is (\d+) plus", prompt)[-1])
        words = (
            6 if ref.adapter else 10 if "Effort: low" in prompt else 20 if "draft" in prompt else 30
        )
        answer = f"The answer is \\boxed{{{2 * i + (closed and i % 4 == 0)}}}.<|im_end|>"
        text = answer if closed else f"<think>\n{'wait ' * words}\n</think>\n\n{answer}"
        return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])

    return EchoEngine(script, max_batch=runtime.max_batch)


@pytest.fixture
def bench(job, tmp_path):
    """Makes the job of a bench with baselines, over a model whose template knows an effort."""
    folder = tmp_path / "effortful"

    def make(baselines=ALL, **settings):
        j = job(baselines=baselines, timing_problems=0, **settings)
        if not folder.exists():
            shutil.copytree(j.model_path, folder)
            template = folder / "chat_template.jinja"
            template.write_text(EFFORT + template.read_text())
        asked.clear()
        runtime = Runtime(engine="bench_baselines", max_batch=8)
        return dataclasses.replace(j, runtime=runtime, model_path=str(folder))

    return make


def of(rows, **wanted):
    return [r for r in rows if all(r.get(k) == v for k, v in wanted.items())]


def one(rows, **wanted):
    found = of(rows, **wanted)
    assert len(found) == 1, found
    return found[0]


def test_every_baseline_stands_beside_base_and_tuned(bench, judge):
    j = bench()
    counts = stage.run(j, judge=judge)
    models = ["base", "tuned", "base+instruction", "base+low_effort", "base+budget"]
    rows, compare = read_rows(j.out / "bench.jsonl"), read_rows(j.out / "compare.jsonl")
    for setting in ("ship", "equal", "tight"):
        assert [r["model"] for r in of(rows, setting=setting, task="sums")] == models
        against = [r["against"] for r in of(compare, setting=setting, task="all")]
        assert against == ["base", *models[2:]], "plain base stays the first"
    think = {
        m: one(rows, setting="ship", task="all", model=m)["think_tokens_median"] for m in models
    }
    assert think["base"] > think["base+instruction"] > think["base+low_effort"] > think["tuned"]
    assert think["base+budget"] == think["tuned"]
    assert counts["completions"] == 12 * (2 + 1) * 5
    assert suites.count_completions(j.recipe.bench, decodings_of(j.recipe.bench), 12) == 12 * 3 * 5
    full = read_rows(j.out / "by_config.jsonl")
    assert {r["model"] for r in full if "accuracy" in r} == {*models}
    assert {r["against"] for r in full if "accuracy_delta" in r} == {"base", *models[2:]}
    for row in of(compare, against="base+budget"):
        assert row["finished_more"] + row["reasoned_better"] == pytest.approx(row["accuracy_delta"])


def test_rows_say_what_makes_a_baseline_of_the_base(bench, judge):
    j = bench()
    stage.run(j, judge=judge)
    rows = read_rows(j.out / "bench.jsonl")
    said = {r["model"]: r.get("baseline") for r in of(rows, setting="equal", task="sums")}
    tuned = one(rows, setting="equal", task="sums", model="tuned")["think_tokens_median"]
    assert said["base"] is None and said["tuned"] is None
    assert said["base+instruction"] == {"instruction": j.recipe.bench.instruction}
    assert said["base+low_effort"] == {"reasoning_effort": "low"}
    assert said["base+budget"] == {"think_budget": tuned}
    assert all("minimum draft" in p for p, _ in asked if "draft" in p)
    assert any("Effort: low" in p for p, _ in asked)


def test_the_budget_closes_the_bases_own_thoughts(bench, judge):
    j = bench(["budget"])
    stage.run(j, judge=judge)
    folder = j.out / "samples"
    plain = {(r["prompt_id"], r["index"]): r for r in read(folder / "sums-base-locked.jsonl")}
    tokenizer = load_tokenizer(ModelRef(j.model_path))
    tuned = [r["think_tokens"] for r in read(folder / "sums-tuned-locked.jsonl")]
    close = tokenizer("</think>\n\n", add_special_tokens=False)["input_ids"]
    rows = list(read(folder / "sums-base+budget-locked.jsonl"))
    assert {(r["prompt_id"], r["index"]) for r in rows} == set(plain)
    for row in rows:
        other = plain[row["prompt_id"], row["index"]]
        assert row["prompt_ids"] == other["prompt_ids"] and row["key"] != other["key"]
        assert row["seed"] == other["seed"] and row["think_tokens"] == tuned[0]
        ids, begin = row["completion_ids"], row["completion_ids"].index(close[0])
        assert ids[begin : begin + len(close)] == close
        assert ids[: begin - 1] == other["completion_ids"][: begin - 1], (
            "its last is the line's end"
        )
        assert row["answer"].startswith("The answer is") and row["finish"] == "stop"
    assert sum(closed for _, closed in asked) == 12 * 3, "no thought was decoded again"
    assert len(asked) == 12 * 3 * 3


def write_lines(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_worked_examples_stand_before_each_question(bench, judge, tmp_path):
    path = write_lines(
        tmp_path / "examples.jsonl",
        {"question": "What is 3 plus 3?", "answer": "6"},  # a test problem
        {"question": "Ann has four draft pencils and loses one.", "think": "4-1", "answer": "3 left"},
        {"question": "How many legs have seven sheep?", "answer": "28"},
    )  # fmt: skip
    j = bench(["few_shot"], settings=["ship"], exemplars=path, shots=1)
    stage.run(j, judge=judge)
    shown = [prompt for prompt, _ in asked if "Ann has four" in prompt]
    assert (
        len(shown) == 12 * 2 == len([prompt for prompt, _ in asked if "Worked examples" in prompt])
    )
    for prompt in shown:
        assert prompt.index("3 left") < prompt.index("What is"), "before the question"
        assert "sheep" not in prompt and "What is 3 plus 3?\nAnswer" not in prompt
    row = one(read_rows(j.out / "bench.jsonl"), model="base+few_shot", task="sums")
    assert row["baseline"] == {"examples": 1}
    against = one(read_rows(j.out / "compare.jsonl"), against="base+few_shot", task="sums")
    assert against["result"] in ("beats", "does not beat", "undecided")
    asked.clear()
    stage.run(j, judge=judge)
    assert asked == []
    other = bench(["few_shot"], settings=["ship"], exemplars=path, shots=2)
    stage.run(other, judge=judge)
    assert len(asked) == 12 * 2 and all("sheep" in prompt for prompt, _ in asked), (
        "asked in another way"
    )


def test_examples_that_are_all_test_problems_are_refused(bench, judge, tmp_path):
    path = write_lines(tmp_path / "e.jsonl", {"question": "What is 3 plus 3?", "answer": "6"})
    with pytest.raises(RecipeError, match="every example overlaps with a test problem"):
        stage.run(bench(["few_shot"], settings=["ship"], exemplars=path), judge=judge)


def test_a_bench_cut_short_goes_on_where_it_stopped(bench, judge):
    j = bench()
    stage.run(j, judge=judge)
    whole = (j.out / "compare.jsonl").read_bytes()
    asked.clear()
    stage.run(j, judge=judge)
    assert asked == [] and (j.out / "compare.jsonl").read_bytes() == whole
    path = j.out / "samples" / "sums-base+budget-recommended.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:14]))  # a row without and one with its verdict each
    (j.out / "samples" / "sums-base+instruction-locked.jsonl").unlink()
    left = len({(r["prompt_id"], r["index"]) for r in read(path)})
    stage.run(j, judge=judge)
    assert (j.out / "compare.jsonl").read_bytes() == whole
    assert len(asked) == 12 + 24 - left


def test_another_median_of_the_tuned_model_is_another_budget(bench, judge):
    j = bench(["budget"], settings=["ship"])
    stage.run(j, judge=judge)
    row = one(read_rows(j.out / "bench.jsonl"), model="base+budget", task="sums")
    budget = row["baseline"]["think_budget"]
    path = j.out / "samples" / "sums-tuned-locked.jsonl"
    rows = [{**r, "think_tokens": r["think_tokens"] - 2} for r in read(path)]
    path.unlink()
    with Journal(path) as journal:
        for r in rows:
            journal.append(r)
    asked.clear()
    stage.run(j, judge=judge)
    row = one(read_rows(j.out / "bench.jsonl"), model="base+budget", task="sums")
    assert row["baseline"]["think_budget"] == budget - 2 == row["think_tokens_median"]
    assert len(asked) == 24 and all(closed for _, closed in asked)


def test_several_tasks_have_budgets_of_their_own(bench, judge):
    task = {"source": {"source": "bench_script_sums", "take": 6}}
    other = {"source": {"source": "bench_script_sums", "take": 6, "options": {"start": 50}}}
    j = bench(
        ["budget"], settings=["equal"], repeats=1,
        tasks=[{"name": "a", **task}, {"name": "b", **other}, {"name": "off", "thinking": False, **task}],
    )  # fmt: skip
    stage.run(j, judge=judge)
    rows = read_rows(j.out / "bench.jsonl")
    pooled = one(rows, model="base+budget", task="all", thinking=True)
    assert set(pooled["baseline"]["think_budget"]) == {"a", "b"}
    off = one(rows, model="base+budget", task="off")
    plain = one(rows, model="base", task="off")
    assert (
        off["accuracy"] == plain["accuracy"]
        and off["total_tokens_median"] == plain["total_tokens_median"]
    )


def test_thinking_off_leaves_nothing_to_decode_at_low_effort(bench, judge):
    source = {"source": {"source": "bench_script_sums", "take": 6}}
    j = bench(["low_effort"], settings=["ship"], tasks=[{"name": "a", **source}])
    stage.run(j, judge=judge)
    template = Path(j.model_path) / "chat_template.jinja"
    quiet = template.read_text().replace("reasoning_effort is defined", "false")
    template.write_text(quiet)
    shutil.rmtree(j.out)
    asked.clear()
    stage.run(j, judge=judge)
    assert len(asked) == 6 * 2 + 6, "rendered as the base's prompts: taken over from there"


def test_a_template_without_an_effort_is_refused_in_a_sentence(job, judge):
    with pytest.raises(
        RecipeError, match="low_effort needs a chat template with a reasoning_effort"
    ):
        stage.run(job(baselines=["low_effort"], timing_problems=0), judge=judge)


def test_without_baselines_nothing_changes(bench, judge):
    j = bench([])
    stage.run(j, judge=judge)
    assert list_baselines(j.recipe.bench) == []
    assert {r["model"] for r in read_rows(j.out / "bench.jsonl")} == {"base", "tuned"}
    assert {r["against"] for r in read_rows(j.out / "compare.jsonl")} == {"base"}


@pytest.mark.parametrize(
    ("accuracy", "tokens", "result"),
    [
        ([0.01, 0.05], [0.10, 0.20], "beats"),  # better in both
        ([-0.019, 0.03], [0.10, 0.20], "beats"),  # as accurate, and shorter
        ([0.01, 0.05], [-0.01, 0.20], "beats"),  # more accurate, and no longer
        ([-0.05, 0.05], [0.10, 0.20], "undecided"),  # perhaps less accurate
        ([-0.01, 0.01], [-0.10, 0.10], "undecided"),  # perhaps longer
        ([0.0, 0.0], [0.0, 0.0], "does not beat"),  # the same, surely
        ([-0.09, -0.03], [0.50, 0.60], "does not beat"),  # shorter, but less accurate
        ([0.02, 0.05], [-0.60, -0.50], "does not beat"),  # more accurate, but longer
        ([-0.01, 0.0], [-0.3, -0.1], "does not beat"),
        (None, [0.1, 0.2], "undecided"),
        ([0.1, 0.2], None, "undecided"),
    ],
)
def test_the_rule(accuracy, tokens, result):
    row = {"accuracy_delta_ci": accuracy, "total_tokens_reduction_ci": tokens}
    assert judge_baseline(row) == result


def test_half_a_token_is_rounded_up():
    lengths = [dataclasses.replace(COMPLETION, think_tokens=n) for n in (3, 4, 9, 4, 5, 8)]
    assert find_think_budget(lengths) == 5 and find_think_budget(lengths[:1]) == 3


COMPLETION = Completion("p", 0, 0, "", "", "", (), (), 0, 0, "stop", None, 0.0, "echo/1")
