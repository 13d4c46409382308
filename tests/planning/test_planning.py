"""Plans in numbers: the race replayed by arithmetic, memory by reading, one pilot for real."""

import importlib.util
import json
import random
import re
import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deimos.cli.doctor import examine_machine, find_file_system
from deimos.cli.main import app
from deimos.lab.weights import lab_path
from deimos.models.memory import dtype_of, kv_cache_bytes, text_config, weights_in
from deimos.planning.arguments import load_recipe, plan_recipe
from deimos.planning.context import refuse_beyond_context
from deimos.planning.estimate import count_raced, expect_tokens, pilot_of
from deimos.planning.forecast import forecast
from deimos.recipe import RecipeError, Sample, Select, parse
from deimos.sample.prompt_race import Bound
from deimos.thinking import ThinkingError
from deimos.types import Completion, Verdict

ROOT = Path(__file__).parents[2]
UNTAGGED = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("race_of_plan", ROOT / "benchmarks/race.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["race_of_plan"] = module
    sys.path.insert(0, str(ROOT / "benchmarks"))  # its neighbours
    spec.loader.exec_module(module)
    sys.path.remove(str(ROOT / "benchmarks"))
    return module


def one(index, think, answer=2, ok: bool | None = True, prompt="p"):
    """Open tag, thought, close tag, answer, end of turn."""
    ids = tuple(range(think + answer + 3))
    return Completion(
        prompt, index, 0, "", "a", "", (1,), ids, think, answer, "stop", None, 0.0, "test",
        Verdict(ok, "", "presentation"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("pool", "settings", "tokens"),
    [
        # The winner ends at 15; who thinks longer is stopped there, who has gone on to answer too.
        ([one(0, 10), one(1, 40), one(2, 12)], {}, [15, 15, 15]),
        # Equal thoughts are never stopped; a longer answer still runs.
        ([one(0, 10), one(1, 10, answer=30), one(2, 11, answer=30)], {}, [15, 43, 15]),
        # A long answer lets others think on for a while, and a shorter thought ends later and wins.
        ([one(0, 10, answer=20), one(1, 9, answer=30), one(2, 90)], {}, [33, 42, 33]),
        # Two that end at the same step: neither stops the other.
        ([one(0, 10, answer=5), one(1, 12, answer=3), one(2, 11, answer=9)], {}, [18, 18, 18]),
        # Nobody right, or not enough of them: everybody runs to the end.
        ([one(0, 10, ok=False), one(1, 40, ok=None)], {}, [15, 45]),
        ([one(0, 10), one(1, 40)], {"min_pass": 2}, [15, 45]),
        # Too short a thought stops nobody; the probe is never stopped.
        ([one(0, 3), one(1, 10), one(2, 40)], {"min_think_tokens": 5}, [8, 15, 15]),
        ([one(0, 40), one(1, 10), one(2, 40)], {"unstoppable": 1}, [45, 15, 15]),
    ],
)
def test_a_race_counted_by_hand(pool, settings, tokens):
    raced = count_raced(pool, Bound(**settings))
    assert [raced[i] for i in range(len(pool))] == tokens


def test_the_arithmetic_is_what_the_race_itself_does(benchmark):
    recipe = parse(
        {"name": "t", "model": {"id": "lab"}, "prompts": {"sources": [{"source": "lab"}]}}
    )
    rng = random.Random(4)
    for _ in range(20):
        pool = [
            one(i, rng.randint(0, 30), rng.randint(0, 12), rng.random() < 0.5, f"p{p}")
            for p in range(6)
            for i in range(5)
        ]
        real = benchmark.replay(pool, recipe)
        pilot = pilot_of(pool, Sample(n=5), Select(), 1.0)
        assert (pilot.raced, pilot.exhaustive) == (real.raced, real.exhaustive)
        assert (pilot.kept, pilot.prompts) == (real.gold, real.n)
        rule = Sample.model_validate({"n": {"max": 5, "min": 2, "stop_when": {"gain_below": 0.1}}})
        table = benchmark._replay.recorded(pool)
        ruled = benchmark._replay.raced(table, rule)
        pilot = pilot_of(pool, rule, Select(), 1.0)
        assert (pilot.raced, pilot.kept, pilot.n) == (ruled.tokens, len(ruled.golds), 5)


def test_what_a_pilot_says_of_the_whole():
    pool = [
        one(0, 10),
        one(1, 30),
        one(0, 20, ok=False, prompt="q"),
        one(1, 20, ok=None, prompt="q"),
    ]
    pilot = pilot_of(pool, Sample(n=2), Select(), 10.0)
    assert (pilot.judged, pilot.passed, pilot.kept, pilot.prompts) == (3, 2, 1, 2)
    assert (pilot.shortest, pilot.right) == (10, 20)
    assert (pilot.exhaustive, pilot.raced, pilot.tokens_per_second) == (100, 80, 10.0)
    tokens = expect_tokens(pilot, train=20, dev=4, epochs=2.0, answers=6)
    assert (tokens.raced, tokens.exhaustive) == (20 * 40 + 4 * 25, 20 * 50 + 4 * 25)
    winner = pool[0]
    read = len(winner.prompt_ids) + len(winner.completion_ids)
    assert pilot.gold == read and (tokens.train, tokens.bench) == (10 * 2 * read, 6 * 25)
    nobody = pilot_of([one(0, 9, ok=False)], Sample(n=1), Select(), 0.0)
    assert (nobody.shortest, nobody.right, nobody.tokens_per_second) == (None, None, None)


def test_weights_and_cache_by_reading():
    weights, config = weights_in(lab_path()), text_config(lab_path())
    assert weights and config
    assert weights.size("auto") == weights.stored == 2 * weights.parameters
    assert weights.size("float32") == 4 * weights.parameters
    assert dtype_of(config, "auto") == "bfloat16"
    assert kv_cache_bytes(config, "auto", tokens=10, rows=3) == 6 * 2 * 2 * 32 * 2 * 10 * 3


def test_layers_without_keys_are_not_counted_and_windows_end():
    base = {"num_hidden_layers": 4, "num_attention_heads": 4, "hidden_size": 32}
    kinds = ["linear_attention", "sliding_attention", "linear_attention", "full_attention"]
    entry = 2 * 4 * 8 * 4
    assert kv_cache_bytes(base, "float32", 100, 1) == entry * 400
    assert kv_cache_bytes({**base, "full_attention_interval": 4}, "float32", 100, 1) == entry * 100
    mixed = {**base, "layer_types": kinds, "sliding_window": 16}
    assert kv_cache_bytes(mixed, "float32", 100, 1) == entry * (100 + 16)
    assert kv_cache_bytes({}, "float32", 100, 1) is None


def test_what_is_no_safetensors_file_weighs_nothing(tmp_path):
    assert weights_in(tmp_path) is None
    (tmp_path / "model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0not json at all.")
    assert weights_in(tmp_path) is None


def say(*words):
    shown = CliRunner().invoke(app, list(words))
    assert shown.exit_code == 0, (shown.output, shown.exception)
    return shown


SMALL = [
    "--set", "prompts.sources.0.take=20", "--set", "prompts.dev_min_per_kind=2",
    "--set", "sample.n=3", "--set", "sample.sampling.max_tokens=256", "--set", "runtime.device=cpu",
    "--set", "bench.tasks.0.source.take=5", "--set", "bench.tasks.1.source.take=7",
    "--set", "bench.tasks.2.source.take=3", "--set", "bench.tasks.3.source.take=2",
]  # fmt: skip


def test_a_rule_for_n_is_planned_at_its_most(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = say("plan", "lab", *SMALL, "--set", "sample.n={max: 5, min: 2}").stdout
    assert "sample:   up to 60 candidates, at most" in text


def test_a_plan_says_what_a_run_takes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = say("plan", "lab", *SMALL, "--tokens-per-second", "100").stdout.splitlines()
    told = {line.split(":")[0]: line for line in lines if ":" in line}
    assert told["train"].startswith(
        "train:    12 prompts (lab_choice 3, lab_code 3, lab_instruction 3, lab_math 3)"
    )
    assert "5" in told["test"] and "lab_choice 7" in told["test"]
    assert told["sample"].startswith("sample:   36 candidates, at most 11,264 tokens")
    assert "2.5 M parameters" in told["memory"] and "free of" in told["memory"]
    assert told["time"] == "time:     at most 1.9 minutes of sampling at 100 tokens/s"
    configs = 3  # the recommended sampler, and what a sweep may lock for tuned and base
    answers = (5 + 7 + 3 + 2) * 2 * configs
    assert any(f"of bench at that speed ({answers} answers)" in line for line in lines)
    assert "18.0 bytes a token" in told["disk"] and told["next"].startswith("next: deimos run lab")
    assert list(tmp_path.iterdir()) == []


def test_a_plan_says_what_routing_takes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("plan", "lab", *SMALL, "--tokens-per-second", "100")
    assert "of routing" not in say(*words).stdout
    assert "(32 answers to dev prompts)" in say(*words, "--set", "route={}").stdout  # 8 x 2 x 2
    told = json.loads(say(*words, "--set", "route={}", "--json").stdout)
    assert told["route_answers"] == 32 and told["route_hours"] == 32 * 512 / 100 / 3600
    assert [s["stage"] for s in told["stages"]].index("route") == 5
    plain = ("--set", "route={}", "--set", "sweep=null")  # the sweep's think budgets need tags
    plain += ("--set", "model.tags=null", "--set", "model.thinking=null")
    assert json.loads(say(*words, *plain, "--json").stdout)["route_answers"] == 0


def test_a_stage_that_the_recipe_has_no_section_for_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match="route: the recipe has no route section, so it"):
        plan_recipe(*load_recipe("lab"), "route")


def test_a_plan_says_what_a_round_and_its_tags_take(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("plan", "lab", *SMALL, "--tokens-per-second", "100", "--set", "gain={}")
    assert "of gain at that speed (16 answers to dev prompts)" in say(*words).stdout  # 8 x 2 models
    untagged = tmp_path / "untagged"
    shutil.copytree(lab_path(), untagged)
    (untagged / "chat_template.jinja").write_text(UNTAGGED)
    plain = ("--set", "sweep=null", "--set", "model.tags=null", "--set", "model.thinking=null")
    plain += ("--set", f"model.id={untagged}")
    plain += ("--set", "train.teach={answers: 3, max_tokens: 40}")
    told = json.loads(say(*words, *plain, "--json").stdout)
    assert (told["gain_answers"], told["teach_answers"]) == (16, 12 * 3)
    assert told["teach_hours"] == 12 * 3 * 40 / 100 / 3600
    assert "(36 answers behind closed thoughts" in say(*words, *plain).stdout


@pytest.mark.parametrize(
    ("tags", "why"),
    [("<think>", "writes <think> or </think> already"), ("<work>", "has a thinking switch of its own")],
)  # fmt: skip
def test_tags_that_a_template_cannot_be_taught_are_refused_by_the_plan(
    tags, why, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    sets = ("model.tags=null", "model.thinking=null", "sweep=null",
            f"train.teach={{open: {tags}, close: {tags.replace('<', '</')}}}")  # fmt: skip
    with pytest.raises(ThinkingError, match=why):
        forecast(*load_recipe("lab", [*SMALL[1::2], *sets]), tmp_path / "run")


def test_baselines_are_counted_and_refused_if_the_template_cannot(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = ["plan", "lab", *SMALL, "--tokens-per-second", "100", "--set"]
    text = say(*plan, "bench.baselines=[instruction, budget]").stdout
    assert f"({(5 + 7 + 3 + 2) * 4 * 3} answers)" in text
    for setting, sentence in (
        (
            ["bench.baselines=[low_effort]"],
            "low_effort needs a chat template with a reasoning_effort",
        ),
        (["bench.baselines=[budget]", "--set", "model.tags=null"], "budget closes a thought, but"),
    ):
        refused = CliRunner().invoke(app, [*plan, *setting]).exception
        assert isinstance(refused, RecipeError)
        assert str(refused).startswith(f"bench.baselines: {sentence}")


def test_what_the_model_s_context_does_not_hold_is_refused(tmp_path, monkeypatch):
    """The lab's holds 1,024 tokens: prompts and budgets are looked at together."""
    monkeypatch.chdir(tmp_path)
    prompts = tmp_path / "long.jsonl"
    words = " ".join(["stamps"] * 3000)
    rows = [{"question": f"{i} {words}?", "answer": "#### 1"} for i in range(6)]
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = f"{{source: gsm8k, options: {{split: train, path: {prompts}}}}}"
    for setting, sentence in (
        (
            [f"prompts.sources=[{source}]"],
            r"prompts: the longest prompt has [3-9],\d+ tokens, and the",
        ),
        (
            [f"bench.tasks=[{{name: long, source: {source}}}]"],
            r"bench.tasks: the longest prompt has [3-9],\d+ tokens, and the context of model 'lab' is 1,024",
        ),
        (
            ["sample.sampling.max_tokens=1024"],
            r"sample.sampling.max_tokens = 1024: .*at most 9\d\d$",
        ),
        (["bench.budget=4096"], r"bench.budget = 4096: .* is 1,024 tokens, prompt and completion"),
        (["sweep.parameters={max_tokens: [512, 2000]}"], "sweep.parameters.max_tokens = 2000: "),
    ):
        sets = [word for one in setting for word in ("--set", one)]
        refused = CliRunner().invoke(app, ["plan", "lab", *SMALL[:8], *sets]).exception
        assert isinstance(refused, RecipeError), setting
        assert re.match(sentence, str(refused)), refused
    loaded, runtime = load_recipe("lab")  # a server says itself what it holds
    other = runtime.model_copy(update={"engine": "openai"})
    refuse_beyond_context(loaded, other, {"max_position_embeddings": 8}, prompt=100, test=100)


def test_a_pilot_for_real(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = json.loads(say("plan", "lab", *SMALL, "--pilot", "2", "--json").stdout)
    pilot = told["pilot"]
    assert (pilot["prompts"], pilot["n"]) == (2, 3) and 0 < pilot["raced"] <= pilot["exhaustive"]
    assert 0 < told["tokens"]["raced"] <= told["tokens"]["exhaustive"] <= told["token_bound"]
    assert told["tokens_per_second"] == pilot["tokens_per_second"] > 0 and told["hours"] > 0
    assert told["disk_needed"] == round(told["tokens"]["raced"] * told["bytes_per_token"])
    assert [s["state"] for s in told["stages"]] == ["missing"] * 7
    assert told["next"].startswith("deimos run lab --set") and list(tmp_path.iterdir()) == []


def test_a_source_on_a_server_that_does_not_answer_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "away.py").write_text(
        "from deimos.recipe import RecipeError\n"
        "def away(*, take, seed):\n"
        "    try:\n        raise ConnectionError('no route')\n"
        "    except ConnectionError as e:\n        raise RecipeError('away: no answer') from e\n"
    )
    monkeypatch.chdir(tmp_path)
    nowhere = "prompts.sources=[{source: ./away.py:away}]"
    shown = say("plan", "lab", *SMALL[6:], "--set", nowhere).stdout
    assert "prompts:  not loaded: away: no answer\n" in shown and "next: deimos run lab" in shown
    assert "unknown:  how many ./away.py:away has\n" in shown and "train:" not in shown
    tests = ["--set", "bench.tasks=[{name: t, source: {source: ./away.py:away}}]"]
    shown = say("plan", "lab", *SMALL[:10], *tests).stdout
    assert "train:    12 prompts" in shown and "prompts:  not loaded: away: no answer\n" in shown
    assert "unknown:  how many t has\n" in shown and "of bench" not in shown


def test_the_doctor_reads_the_machine():
    lines = dict(line.split(": ", 1) for line in examine_machine())
    assert "GiB free of" in lines["memory"] and lines["bf16 on the CPU"]
    assert "kernel" in lines["sandbox"] and lines["lab model"] == "ok"
    assert lines["run folder"] and "GiB" in lines["free disk there"] and lines["open files"]


def test_the_file_system_of_a_path():
    mounts = (
        "/dev/a / ext4 rw 0 0\nserver:/x /data nfs4 rw 0 0\nnone /data/my\\040disk xfs rw 0 0\n"
    )
    for path, kind in (
        ("/home", "ext4"), ("/data/runs", "nfs4"), ("/database", "ext4"), ("/data/my disk/r", "xfs"),
    ):  # fmt: skip
        assert find_file_system(Path(path), mounts) == kind
    assert find_file_system(Path("/home"), "") == ""
