"""The whole stage, as wiring plugs it together, on a scripted engine; and on the lab model."""

import asyncio
import dataclasses
import json
import shutil
from collections import Counter

import pytest

from deimos.lab.source import lab
from deimos.lab.weights import lab_path
from deimos.pipeline import wiring
from deimos.recipe import RecipeError, parse, write_yaml
from deimos.recipe.runtime import Runtime
from deimos.report import routing
from deimos.report.results import read_results
from deimos.route.policy import read_policy
from deimos.runs.artifacts import Artifacts, write_prompts
from deimos.runs.plan import StageJob
from deimos.runs.progress import ProgressBar
from deimos.sample import stage as sampling
from deimos.store.journal import read, read_rows
from deimos.types import Prompt, Verdict

TEST_TASK = {
    "name": "sums",
    "source": {"source": "route_script_sums", "take": 12, "options": {"start": 130}},
}


def sum_of(i: int) -> Prompt:
    """The scripted engine's problem."""
    return Prompt.of(
        task="odd" if i % 2 else "even", kind="math", reference=str(2 * i),
        messages=[{"role": "user", "content": f"What is {i} plus {i}?"}],
    )  # fmt: skip


def found(j: StageJob) -> dict[tuple[str, str], dict]:
    return {(r["model"], r["task"]): r for r in read_rows(j.out / "routing.jsonl")}


def test_the_whole_stage(job, asked):
    j = job()
    counts = wiring.route(j)
    assert counts["engines"] == {"echo/1": 160} and counts["completions"] == 160
    assert (counts["prompts"], counts["taken_over"], counts["unjudged"]) == (40, 0, 0)
    assert counts["recommended"] == {"on": 2, "either": 1}
    assert Counter((model, mode) for model, mode, _ in asked) == {
        (model, mode): 40 for model in ("base", "tuned") for mode in ("on", "off")
    }
    rows = found(j)
    assert list(rows) == [
        (model, task) for model in ("tuned", "base") for task in ("all", "even", "odd")
    ]
    odd, even = rows["tuned", "odd"], rows["tuned", "even"]
    assert (odd["delta"], odd["recommended"]) == (1.0, "on")
    assert (even["delta"], even["on"]["accuracy"], even["off"]["accuracy"]) == (0.0, 1.0, 1.0)
    # 20 prompts without a difference don't show that less than 2 points are lost
    assert even["recommended"] == "either" and "not ruled out" in even["because"]
    assert rows["tuned", "all"]["recommended"] == "on" and rows["base", "all"]["delta"] == 0.0
    assert all(r["split"] == "dev" and r["comparisons"] == 3 for r in rows.values())
    assert odd["tokens_delta_bounds"][0] > 0 and odd["decoding"]["max_tokens"] == 200
    assert Artifacts({"route": j.out}).routing() == list(rows.values())


def test_a_wider_margin_recommends_the_cheaper_mode(job):
    j = job(route={"margin": 0.5})
    assert wiring.route(j)["recommended"] == {"on": 2, "off": 1}
    assert found(j)["tuned", "even"]["recommended"] == "off"


def test_it_leaves_a_policy_that_decides_as_its_rows_do(job):
    j = job(route={"margin": 0.5})
    wiring.route(j)
    policy = read_policy(j.out / "policy.json")
    assert (policy.name, policy.switch) == ("t", "enable_thinking")
    assert "40 dev prompts of the run t" in policy.evidence
    whole = policy.strata[0].evidence
    row = found(j)["tuned", "all"]
    assert (whole["n"], whole["delta"]) == (row["n"], row["delta"])
    assert (whole["on"], whole["off"]) == (row["on"]["accuracy"], row["off"]["accuracy"])
    # OFF loses half of them, and nothing tells odd sums from even ones: ON.
    assert {
        policy.choose(problem.messages).mode for problem in Artifacts(j.inputs).prompts("dev")
    } == {"on"}
    assert Artifacts({"route": j.out}).policy_path() == j.out / "policy.json"


def test_modes_that_answer_alike_go_off_once_that_is_shown(job, tmp_path):
    """The base of this script is right in both modes; here its answers are the tuned model's."""
    j = job(route={"margin": 0.2})
    write_prompts(
        j.inputs["prompts"] / "dev.jsonl",
        [p for p in map(sum_of, range(200, 280)) if p.task == "even"],
    )
    wiring.route(j)
    policy = read_policy(j.out / "policy.json")
    choice = policy.choose(sum_of(900).messages)
    assert choice.mode == "off" and "fewer tokens" in choice.reason and "n=40" in choice.reason
    assert (
        policy.choose([{"role": "user", "content": "Tell me about glaciers, please."}]).mode == "on"
    )


def test_the_benchmark_says_what_the_policy_is_worth(job, asked):
    task = {**TEST_TASK, "source": {**TEST_TASK["source"], "options": {"start": 300}}}
    settings = {"tasks": [task], "budget": 200, "settings": ["ship"], "timing_problems": 0}
    j = job(route={"margin": 0.5}, bench=settings)
    write_prompts(j.inputs["prompts"] / "train.jsonl", [sum_of(1)])
    wiring.route(j)
    bench = dataclasses.replace(j, inputs={**j.inputs, "route": j.out}, out=j.out.parent / "bench")
    asked.clear()
    wiring.bench(bench)
    rows = read_rows(bench.out / "routed.jsonl")
    by_way = {row["way"]: row for row in rows if row["against"] == "always_on"}
    assert {row["policy"] for row in rows} == {read_policy(j.out / "policy.json").identity}
    assert (by_way["routed"]["n"], by_way["always_off"]["accuracy_delta"]) == (12, -0.5)
    assert Counter(asked_mode for model, asked_mode, _ in asked if model == "tuned") == {
        "on": 12,
        "off": 12,
    }


def test_run_again_it_decodes_nothing(job, asked):
    j = job()
    first = wiring.route(j)
    before = {p.name: p.read_bytes() for p in j.out.rglob("*.jsonl")}
    asked.clear()
    assert wiring.route(j) == first and asked == []
    assert {p.name: p.read_bytes() for p in j.out.rglob("*.jsonl")} == before


def test_interrupted_it_goes_on_where_it_stopped(job, asked):
    j = job()
    wiring.route(j)
    path = j.out / "samples" / "tuned-off.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: len(lines) // 2]))
    kept = {row["prompt_id"] for row in read(path)}
    (j.out / "routing.jsonl").unlink()
    asked.clear()
    wiring.route(j)
    again = {prompt_id for model, mode, prompt_id in asked if (model, mode) == ("tuned", "off")}
    assert len(asked) == len(again) == 40 - len(kept) and not again & kept and kept
    assert found(j)["tuned", "odd"]["recommended"] == "on"


def test_answers_of_the_dev_pass_are_taken_over(job, asked):
    """Decoded at the locked config, the base's answers are there already."""
    j = job(
        bench={"budget": 200, "locked": {"temperature": 1.0, "top_p": 0.95}},
        sample={"n": 1, "sampling": {"temperature": 1.0, "top_p": 0.95, "max_tokens": 200}},
    )
    write_prompts(j.inputs["prompts"] / "train.jsonl", [])
    (j.inputs["sample"] / "constants.json").unlink()
    dev = StageJob(j.recipe, j.runtime, j.model_path, j.inputs, j.inputs["sample"], ProgressBar())
    with wiring.open_gates(dev) as gate_for:
        sampling.run(dev, gate_for=gate_for, function_words=lambda text, kind: None)
    assert Counter((m, mode) for m, mode, _ in asked) == {("base", "on"): 40}
    asked.clear()
    counts = wiring.route(j)
    assert counts["taken_over"] == 40
    assert Counter((m, mode) for m, mode, _ in asked) == {
        ("base", "off"): 40, ("tuned", "on"): 40, ("tuned", "off"): 40,
    }  # fmt: skip
    assert found(j)["base", "all"]["on"]["accuracy"] == 1.0


def lock(j: StageJob, out: str, **tuned: object) -> StageJob:
    """The same job behind a sweep that locked the base at greedy and the tuned model at this."""
    folder = j.out.parent / "sweep"
    folder.mkdir(exist_ok=True)
    part = {"think_budget": None, "accuracy": 1.0, "accuracy_ci": [0.9, 1.0], "n": 40,
            "tokens_mean": 9.0, "tied": []}  # fmt: skip
    greedy = {"temperature": 0.0, "max_tokens": 200}
    locked = {
        "version": 1, "strategy": "coordinate", "objective": "accuracy", "price": None, "items": 40,
        "evaluations": 80, "skipped": [], "base": {"decoding": greedy, **part},
        "tuned": {"decoding": greedy | tuned, **part},
    }  # fmt: skip
    (folder / "locked.yaml").write_text(write_yaml(locked))
    inputs = {**j.inputs, "sweep": folder}
    return dataclasses.replace(j, inputs=inputs, out=j.out.with_name(out))


def test_answers_of_a_sweep_are_taken_over(job, asked):
    j = job()
    wiring.route(j)
    swept = lock(j, "second")
    shutil.copytree(j.out / "samples", swept.inputs["sweep"] / "samples")
    asked.clear()
    assert wiring.route(swept)["taken_over"] == 160 and asked == []
    assert found(swept) == found(j)


def test_what_a_sweep_locked_is_what_is_routed(job, asked):
    j = lock(job(), "locked", temperature=0.6, max_tokens=30)
    wiring.route(j)
    tuned, base = found(j)["tuned", "all"], found(j)["base", "all"]
    assert (tuned["decoding"]["temperature"], tuned["decoding"]["max_tokens"]) == (0.6, 30)
    assert (base["decoding"]["temperature"], base["decoding"]["max_tokens"]) == (0.0, 200)
    # Decoded with the base's budget, the tuned model's answers count as cut at its own.
    assert (tuned["on"]["finished"], tuned["on"]["total_tokens_median"]) == (0.0, 30)
    assert (tuned["on"]["accuracy"], base["on"]["accuracy"]) == (0.0, 1.0)
    assert tuned["off"]["finished"] == 1.0 and tuned["recommended"] == "off"


def test_test_problems_decide_nothing(job, asked):
    for recipe in ({}, {"allow_contamination": True}):  # what may be reported may not be decided by
        with pytest.raises(
            RecipeError, match=r"route: 10 of 12 problems of bench\.tasks 'sums' are"
        ):
            wiring.route(job(bench={"budget": 200, "tasks": [TEST_TASK]}, **recipe))
    assert asked == []


@pytest.mark.parametrize(
    ("model", "template", "because"),
    [
        ({"tags": None, "thinking": None}, "", "does not think in tags"),
        ({}, "{{ messages[0].content }}<think>\n", "renders the same prompt"),
    ],
    ids=["plain", "ignored"],
)
def test_a_model_without_a_switch_gets_a_sentence_and_no_rows(
    job, asked, model_path, tmp_path, model, template, because
):
    folder = shutil.copytree(model_path, tmp_path / "own")
    if template:
        (folder / "chat_template.jinja").write_text(template)
    j = job(path=folder, model={"id": "m", **model})
    counts = wiring.route(j)
    assert counts["prompts"] == 40 and because in counts["no_switch"] and asked == []
    assert read_rows(j.out / "routing.jsonl") == []
    assert Artifacts({"route": j.out}).policy_path() is None
    (j.out / "record.json").write_text(json.dumps({"counts": counts}))
    shown = routing.table(read_results(tmp_path, {"route": j.out}, j.recipe))
    assert shown.lines == () and because in shown.sentence


def test_what_cannot_be_judged_is_asked_again_and_counted(job, monkeypatch):
    j = job()

    class Unsure:
        def __enter__(self):
            return self

        def __exit__(self, *args):
            return None

        async def __call__(self, prompt: Prompt, answer: str) -> Verdict:
            await asyncio.sleep(0)
            return Verdict.of(None, "timeout")

    with monkeypatch.context() as patch:
        patch.setattr(wiring, "judge_of", lambda job, graders: Unsure())
        counts = wiring.route(j)
    assert counts["unjudged"] == 160 and counts["unjudged_because"] == {"timeout": 160}
    assert found(j)["tuned", "all"]["n"] == 0
    assert wiring.route(j)["unjudged"] == 0 and found(j)["tuned", "all"]["n"] == 40


def test_the_lab_model_for_real(tmp_path):
    """The packaged model through its real template and engine; no adapter: tuned is the base."""
    inputs = {name: tmp_path / name for name in ("prompts", "sample", "train")}
    dev = lab(take=12, seed=5, kinds=("math", "choice"), steps=(2,))
    write_prompts(inputs["prompts"] / "dev.jsonl", dev)
    for folder in inputs.values():
        folder.mkdir(exist_ok=True)
    adapt(inputs["train"] / "adapter")
    recipe = parse({
        "name": "t", "model": {"id": "lab", "dtype": "float32"}, "route": {"margin": 0.1},
        "prompts": {"sources": [{"source": "lab"}]}, "bench": {"budget": 512},
    })  # fmt: skip
    runtime = Runtime(threads=1, device="cpu", grader_timeout=120.0)
    j = StageJob(recipe, runtime, str(lab_path()), inputs, tmp_path / "route", ProgressBar())
    wiring.route(j)
    rows = found(j)
    assert {task for _, task in rows} == {"all", "lab_choice", "lab_math"}
    base, tuned = rows["base", "all"], rows["tuned", "all"]
    assert base["on"]["think_tokens_median"] > 20 > base["off"]["think_tokens_median"] == 0
    assert base["tokens_delta_bounds"][0] > 0 and base["off"]["finished"] == 1
    assert base["on"]["accuracy"] > 0.5
    assert {k: v for k, v in tuned.items() if k != "model"} == {
        k: v for k, v in base.items() if k != "model"
    }, "an adapter that changes nothing"


def adapt(folder):
    """An adapter of zeros on the lab model."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(lab_path())
    get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(folder)
