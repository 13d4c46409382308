"""The teach stage: a plain model's golds become golds that think in tags."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deimos.engines.base import Job
from deimos.engines.echo import EchoEngine
from deimos.graders.worker.pool import Judge
from deimos.lab import tokenizer as lab_tokenizer
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.models.taught import teach_tokenizer
from deimos.recipe import RecipeError, parse
from deimos.recipe.runtime import Runtime
from deimos.registry import engine
from deimos.runs.artifacts import Artifacts, write_prompts
from deimos.runs.plan import StageJob
from deimos.runs.progress import ProgressBar
from deimos.select.filters import gate_for
from deimos.store.journal import write_atomic, write_rows
from deimos.store.merge import merge_files, state_of
from deimos.store.schema import Gold, completion_from, row_of
from deimos.teach import stage
from deimos.thinking import Shape, Tags, ThinkingError, render, split
from deimos.types import Completion, Prompt

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}\n"
)
"""A template without tags and without a switch, as Qwen2.5's."""
asked: list[str] = []
"""Every prompt that the scripted engine was given, as text."""


def problem(i: int) -> Prompt:
    return Prompt.of(
        task="sums", kind="math", reference=str(2 * i),
        messages=[{"role": "user", "content": f"What is {i} plus {i}?"}],
    )  # fmt: skip


@engine("teach_script")
def script_engine(ref: ModelRef, runtime: Runtime) -> EchoEngine:
    """Answers behind a closed thought; greedily at length, else short; of 3 always wrong."""
    tokenizer = load_tokenizer(ref)

    def script(job: Job) -> tuple[int, ...]:
        text = tokenizer.decode(job.prompt_ids)
        asked.append(text)
        i = int(re.findall(r"What is (\d+) plus", text)[0])
        right = 2 * i + (i == 3)
        long = f"The answer that was asked for is then \\boxed{{{right}}}."
        said = long if job.key.index == 0 else f"The answer is \\boxed{{{right}}}."
        return tuple(tokenizer(f"{said}<|im_end|>", add_special_tokens=False)["input_ids"])

    return EchoEngine(script, max_batch=runtime.max_batch)


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer whose template knows nothing of thinking."""
    folder = tmp_path_factory.mktemp("plain")
    lab_tokenizer.build(["What is 1 plus 2? The sum of them is 3."] * 3, folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    tokenizer = load_tokenizer(ModelRef(str(folder)))
    assert "enable_thinking" not in tokenizer.get_chat_template()
    return folder


def gold_of(tokenizer: Any, prompt: Prompt, text: str) -> Gold:
    rendered = render(tokenizer, prompt.messages, tags=None, thinking=None)
    ids = tuple(tokenizer(f"{text}<|im_end|>", add_special_tokens=False)["input_ids"])
    return Gold(
        prompt.id[:8], prompt.id, 2, prompt.kind, prompt.task, prompt.messages, rendered.ids, ids,
        "sampled", len(ids) - 1, len(ids) - 1, 3, 8, None,
    )  # fmt: skip


def make(tmp_path: Path, model_path: Path, texts: Mapping[int, str], **teach: Any) -> StageJob:
    asked.clear()
    tokenizer = load_tokenizer(ModelRef(str(model_path)))
    inputs = {name: tmp_path / name for name in ("prompts", "sample", "select")}
    prompts = {i: problem(i) for i in texts}
    write_prompts(inputs["prompts"] / "train.jsonl", prompts.values())
    constants = {"function_word_rate_p5": None, "shape": "plain", "ids": "sampled"}
    write_atomic(inputs["sample"] / "constants.json", json.dumps(constants))
    golds = [row_of(gold_of(tokenizer, prompts[i], text)) for i, text in texts.items()]
    write_rows(inputs["select"] / "gold.jsonl", golds)
    recipe = parse(
        {
            "name": "t", "model": {"id": "m", "tags": None, "thinking": None},
            "prompts": {"sources": [{"source": "lab"}]}, "train": {"teach": teach},
        }
    )  # fmt: skip
    runtime = Runtime(engine="teach_script", max_batch=8, grader_timeout=120.0)
    return StageJob(recipe, runtime, str(model_path), inputs, tmp_path / "teach", ProgressBar())


def teach_all(job: StageJob) -> tuple[dict[str, Any], list[Gold], list[dict[str, Any]]]:
    job.out.mkdir(exist_ok=True)
    with Judge({"math": "math"}) as judge:
        make_gate = gate_for(job.recipe.select, stage.settings_of(job).tags, judge)
        counts = stage.run(job, gate_for=lambda constants: make_gate(Shape.OPEN, constants))
    dropped = [json.loads(line) for line in (job.out / "dropped.jsonl").read_text().splitlines()]
    return counts, list(Artifacts({"teach": job.out}).golds("teach")), dropped


def answers_of(job: StageJob, gold: Gold) -> list[Completion]:
    """What was answered behind a gold's thought."""
    found = merge_files(
        [job.out / "answers.jsonl"], lambda row: completion_from(row.row), state_of, wanted=None
    )
    return [
        completion for (prompt_id, _), completion in found.items() if prompt_id == gold.prompt_id
    ]


def test_a_verified_text_becomes_the_thought_and_an_own_answer_follows(tmp_path, model_path):
    job = make(tmp_path, model_path, {1: "1 and 1 is 2.", 2: "2 and 2 is 4.", 3: "3 and 3 is 6."})
    before = list(Artifacts(job.inputs).golds())
    counts, golds, dropped = teach_all(job)
    assert (counts["gold"], counts["golds_before"], counts["dropped"]) == (2, 3, 1)
    assert dropped[0]["because"] == "no right answer behind its thought: correctness"
    tokenizer, tags = load_tokenizer(ModelRef(str(model_path))), Tags()
    for gold, was in zip(golds, before):
        prompt, text = tokenizer.decode(gold.prompt_ids), tokenizer.decode(gold.completion_ids)
        assert prompt.endswith("<|im_start|>assistant\n<think>\n")
        assert "First work the answer out" not in prompt, "the training prompt is the plain one"
        whole = split(text.removesuffix("<|im_end|>"), Shape.OPEN, tags)
        assert whole.think == tokenizer.decode(was.completion_ids[:-1])
        assert gold.completion_ids[: len(was.completion_ids) - 1] == was.completion_ids[:-1]
        assert whole.answer.startswith("The answer is"), "the shortest that is right"
        assert gold.completion_ids[-1] == was.completion_ids[-1], "it ends its turn"
        # The line break before the closing tag is a token of the thought, as everywhere.
        assert (gold.ids, gold.think_tokens) == ("rendered", len(was.completion_ids))
        assert 0 < gold.answer_tokens == min(c.answer_tokens for c in answers_of(job, gold))
        assert (gold.prompt_id, gold.index, gold.passed) == (was.prompt_id, was.index, was.passed)
    assert all("</think>" in text and "First work the answer out" in text for text in asked)


def test_run_again_it_decodes_nothing_and_writes_the_same(tmp_path, model_path):
    job = make(tmp_path, model_path, {1: "1 and 1 is 2.", 2: "2 and 2 is 4."}, answers=2)
    first = teach_all(job)
    assert len(asked) == 4
    assert teach_all(job) == first
    assert len(asked) == 4


def test_half_a_journal_is_gone_on_from(tmp_path, model_path):
    job = make(tmp_path, model_path, {1: "1 and 1 is 2.", 2: "2 and 2 is 4."}, answers=2)
    whole = teach_all(job)[1]
    path = job.out / "answers.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))
    assert teach_all(job)[1] == whole
    assert len(asked) == 5


def test_a_text_with_a_tag_in_it_is_dropped_and_named(tmp_path, model_path):
    job = make(tmp_path, model_path, {1: "so </think> 2.", 2: "2 and 2 is 4."}, answers=1)
    counts, golds, dropped = teach_all(job)
    assert (counts["gold"], len(golds)) == (1, 1)
    assert "its text holds </think>" in dropped[0]["because"]


def test_nothing_left_is_one_sentence(tmp_path, model_path):
    job = make(tmp_path, model_path, {3: "3 and 3 is 6."}, answers=1)
    with pytest.raises(RecipeError, match=r"train\.teach: none of 1 golds has a right answer"):
        teach_all(job)


def test_a_model_that_thinks_in_tags_is_not_taught_others():
    with pytest.raises(RecipeError, match=r"train\.teach .* model\.tags is <think> … </think>"):
        parse(
            {"name": "t", "model": {"id": "m"}, "prompts": {"sources": [{"source": "lab"}]},
             "train": {"teach": {}}}
        )  # fmt: skip


@pytest.mark.parametrize("bad", [{"open": ""}, {"open": "a", "close": "ab"}, {"open": " <t>"}])
def test_tags_that_cannot_be_told_apart_are_refused(bad):
    with pytest.raises(RecipeError, match=r"train\.teach = "):
        parse(
            {"name": "t", "model": {"id": "m", "tags": None},
             "prompts": {"sources": [{"source": "lab"}]}, "train": {"teach": bad}}
        )  # fmt: skip


def test_a_template_that_writes_the_tags_already_is_refused(model_path):
    tokenizer = load_tokenizer(ModelRef(str(model_path)))
    taught = teach_tokenizer(tokenizer, Tags())
    with pytest.raises(ThinkingError, match="writes <think> or </think> already"):
        teach_tokenizer(taught, Tags())
