"""Real lm-eval, offline: task YAMLs over local files, the whole bench on them, and what is refused."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

pytest.importorskip("lm_eval")

from deimos.bench import stage
from deimos.bench.lm_eval.judging import LmEvalJudge
from deimos.bench.lm_eval.problems import Scorer, cut_at_stop, load_problems
from deimos.bench.lm_eval.task_files import config_of, task_data
from deimos.bench.tasks import load_tasks
from deimos.recipe import Recipe, RecipeError, TaskSettings, parse
from deimos.store.journal import read, read_rows
from deimos.types import Prompt

GSM8K = Path(__file__).parents[2].parent / "shared" / "data" / "gsm8k"
NUMBER = r"(-?[$0-9.,]{2,})|(-?[0-9]+)"


def rows(path: Path, documents: list[dict]) -> str:
    path.write_text("".join(json.dumps(d) + "\n" for d in documents), encoding="utf-8")
    return str(path)


def asked(i: int) -> dict:
    return {"question": f"What is {i} plus {i}?", "answer": f"twice {i} #### {2 * i}"}


@pytest.fixture
def sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """The settings of a task like GSM8K over twelve sums, two examples shown."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    files = {
        "train": rows(tmp_path / "train.jsonl", [asked(i) for i in range(50, 56)]),
        "test": rows(tmp_path / "test.jsonl", [asked(i) for i in range(12)]),
    }
    strict = [{"function": "regex", "regex_pattern": r"answer is \\boxed\{(-?[0-9]+)\}"}]
    flexible = [{"function": "regex", "regex_pattern": NUMBER, "group_select": -1}]
    first = [{"function": "take_first"}]
    return {
        "task": "sums_cot", "dataset_path": "json", "output_type": "generate_until",
        "dataset_kwargs": {"data_files": files, "cache_dir": str(tmp_path / "cache")},
        "training_split": "train", "fewshot_split": "train", "test_split": "test",
        "num_fewshot": 2, "description": "Add.",
        "doc_to_text": "Q: {{question}}\nA:", "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["Q:", "</s>"], "max_gen_toks": 3, "do_sample": False},
        "filter_list": [{"name": "strict-match", "filter": strict + first},
                        {"name": "flexible-extract", "filter": flexible + first}],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True,
                         "regexes_to_ignore": [",", r"\$", "(?s).*#### ", r"\.$"]}],
    }  # fmt: skip


def written(folder: Path, settings: dict, name: str = "task.yaml") -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(yaml.safe_dump(settings), encoding="utf-8")
    return str(folder / name)


def task(spec: str, name: str = "sums", **more: object) -> TaskSettings:
    return TaskSettings.model_validate({"name": name, "lm_eval": spec, **more})


def recipe(*tasks: TaskSettings, **more: object) -> Recipe:
    return parse({"name": "t", "model": {"id": "m"}, "prompts": {"sources": [{"source": "jsonl"}]},
                  "bench": {"tasks": [t.model_dump() for t in tasks]}, **more})  # fmt: skip


def test_prompts_are_lm_evals_own_chats(sums: dict, tmp_path: Path):
    from lm_eval.tasks import TaskManager

    spec = written(tmp_path, sums)
    theirs = TaskManager(include_defaults=False).load([spec])["tasks"]["sums_cot"]
    theirs.set_fewshot_seed(1234)
    theirs.build_all_requests(
        apply_chat_template=True, fewshot_as_multiturn=True,
        chat_template=lambda chat, add_generation_prompt: json.dumps(chat),
    )  # fmt: skip
    chats = [json.loads(request.args[0]) for request in theirs.instances]
    ours = Scorer(task(spec)).prompts()
    assert [list(p.messages) for p in ours] == chats
    assert [m["role"] for m in chats[0]] == ["system"] + ["user", "assistant"] * 2 + ["user"]
    assert chats[3][-1]["content"] == "Q: What is 3 plus 3?\nA:"
    assert len({p.id for p in ours}) == 12 and ours[3].reference["target"] == "twice 3 #### 6"


def test_take_is_a_seeded_subset_and_shots_can_be_set(sums: dict, tmp_path: Path):
    spec = written(tmp_path, sums)
    ids = [p.id for p in load_problems(task(spec, take=12), seed=5).prompts]
    assert [p.id for p in load_problems(task(spec, take=4), seed=5).prompts] == ids[:4]
    assert [p.id for p in load_problems(task(spec, take=4), seed=6).prompts] != ids[:4]
    bare = load_problems(task(spec, num_fewshot=0), seed=5).prompts
    assert {len(p.messages) for p in bare} == {2}
    with pytest.raises(RecipeError, match="take = 13"):
        load_problems(task(spec, take=13), seed=0)


@pytest.mark.parametrize(("metric", "answer", "ok"), [
    (None, r"The answer is \boxed{6}.", True),
    (None, "The answer is 6.", False),  # strict-match stands first
    ("exact_match,flexible-extract", "The answer is 6.", True),
    ("exact_match", r"5, no: the answer is \boxed{6}", True),
    ("exact_match,flexible-extract", "Six is 6. Q: What is 4 plus 4? 8", True),  # cut at the stop
    ("exact_match,flexible-extract", "Q: 6", False),
])  # fmt: skip
def test_filters_and_metric_say_what_is_right(
    sums: dict, tmp_path: Path, metric: str | None, answer: str, ok: bool
):
    verdict = Scorer(task(written(tmp_path, sums), metric=metric)).verdict(3, answer)
    assert verdict.ok is ok and verdict.because.startswith("exact_match,")


def test_choices_are_judged_by_their_letter(sums: dict, tmp_path: Path):
    file = rows(
        tmp_path / "c.jsonl", [{"question": "Which is a metal, A iron or B air?", "gold": 0}]
    )
    pattern = {"function": "regex", "regex_pattern": r"answer is \(?([AB])"}
    spec = written(tmp_path, sums | {
        "dataset_kwargs": {"data_files": {"test": file}, "cache_dir": str(tmp_path / "cache")},
        "training_split": None, "fewshot_split": None, "num_fewshot": 0, "doc_to_text": "{{question}}",
        "doc_to_choice": ["A", "B"], "doc_to_target": "gold",
        "filter_list": [{"name": "letter", "filter": [pattern, {"function": "take_first"}]}],
    })  # fmt: skip
    scorer = Scorer(task(spec))
    said = ("The answer is (A).", "The answer is B.", "A")
    assert [scorer.verdict(0, text).ok for text in said] == [True, False, False]


RULES = """
import os, time
def process_results(doc, results):
    said = results[0]
    if "hang" in said: time.sleep(600)
    if "die" in said: os._exit(3)
    if "crash" in said: raise KeyError(said)
    followed = ["," not in said, "end" in said]
    return {"prompt_level_strict_acc": all(followed), "inst_level_strict_acc": followed,
            "share": sum(followed) / 2, "errors": 2 - sum(followed)}
def flat(items):
    return 0.5
"""


@pytest.fixture
def rules(sums: dict, tmp_path: Path) -> str:
    """A task like IFEval, scored by code beside its YAML."""
    file = rows(tmp_path / "i.jsonl", [{"prompt": "Say no comma and end."}])
    metrics = ("inst_level_strict_acc", "prompt_level_strict_acc", "share", "errors")
    settings = sums | {
        "dataset_kwargs": {"data_files": {"test": file}, "cache_dir": str(tmp_path / "cache")},
        "training_split": None, "fewshot_split": None, "num_fewshot": 0, "doc_to_text": "prompt",
        "doc_to_target": 0, "generation_kwargs": {"until": []},
        "metric_list": [{"metric": m, "aggregation": "mean", "higher_is_better": m != "errors"}
                        for m in metrics],
    }  # fmt: skip
    del settings["filter_list"]
    spec = written(tmp_path / "rules", settings)
    (tmp_path / "rules" / "utils.py").write_text(RULES)
    with Path(spec).open("a") as file:
        file.write("process_results: !function utils.process_results\n")
    return spec


def test_instructions_are_judged_by_a_metric_of_the_whole_prompt(rules: str):
    scorer = Scorer(task(rules, metric="prompt_level_strict_acc"))
    assert [scorer.verdict(0, said).ok for said in ("the end", "the, end")] == [True, False]
    assert scorer.verdict(0, "crash").ok is None
    share = Scorer(task(rules, metric="share"))
    assert [share.verdict(0, said).ok for said in ("the end", "the, end")] == [True, False]
    with pytest.raises(RecipeError, match=r"'inst_level_strict_acc' gives no single number.*share"):
        Scorer(task(rules))
    with pytest.raises(RecipeError, match="better the lower"):
        Scorer(task(rules, metric="errors"))


def test_a_scorer_that_hangs_or_dies_costs_one_verdict(rules: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("deimos.bench.lm_eval.judging.SCORE_SECONDS", 1.0)
    problems = load_problems(task(rules, metric="prompt_level_strict_acc"), seed=0)
    (prompt,) = problems.prompts

    async def verdicts() -> list:
        said = ("the end", "hang", "die", "a, b")
        return [await problems.judge(prompt, text) for text in said]

    found = asyncio.run(verdicts())
    assert [v.ok for v in found] == [True, None, None, False]
    assert "timeout" in found[1].because and "ended" in found[2].because


def settings_for(spec: str, **more: object) -> dict:
    return {"tasks": [{"name": "sums", "lm_eval": spec, **more}], "timing_problems": 4}


async def never(prompt: Prompt, answer: str) -> None:
    raise AssertionError("the recipe's graders were asked about an lm-eval task")


def test_the_whole_bench_on_an_lm_eval_task_and_again_after_a_cut(
    job, sums: dict, tmp_path: Path, world, monkeypatch: pytest.MonkeyPatch
):
    j = job(**settings_for(written(tmp_path, sums)))
    asking, left = LmEvalJudge.__call__, 40

    async def dies(self: LmEvalJudge, prompt: Prompt, answer: str):
        nonlocal left
        left -= 1
        if left < 0:
            raise RuntimeError("cut")
        return await asking(self, prompt, answer)

    with monkeypatch.context() as cut, pytest.raises(RuntimeError, match="cut"):
        cut.setattr(LmEvalJudge, "__call__", dies)
        stage.run(j, judge=never)
    kept = len(
        {
            (p.name, row["prompt_id"], row["index"])
            for p in (j.out / "samples").iterdir()
            for row in read(p)
        }
    )
    assert 30 <= kept < 72
    world.decoded.clear()
    counts = stage.run(j, judge=never)
    assert (counts["problems"], counts["completions"], counts["unjudged"]) == (12, 72, 0)
    assert 72 - kept <= len(world.decoded) <= 72 - kept + 8  # and what is timed
    check_bench(j.out)


KILLED = """
import asyncio, json, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import conftest
from deimos.bench import stage
from deimos.bench.lm_eval.judging import LmEvalJudge
from deimos.recipe import Recipe
from deimos.recipe.runtime import Runtime
from deimos.runs.plan import StageJob
from deimos.runs.progress import ProgressBar
asking = LmEvalJudge.__call__
async def slowly(self, prompt, answer):
    await asyncio.sleep(0.2)
    return await asking(self, prompt, answer)
LmEvalJudge.__call__ = slowly
recipe = Recipe.model_validate_json({recipe!r})
inputs = {{name: Path(path) for name, path in json.loads({inputs!r}).items()}}
runtime = Runtime(engine="bench_script", max_batch=8)
stage.run(StageJob(recipe, runtime, {model!r}, inputs, Path({out!r}), ProgressBar()), judge=None)
"""


def test_after_kill_9_at_four_fifths_only_what_was_in_flight_is_decoded_again(
    job, sums: dict, tmp_path: Path, world
):
    j = job(**settings_for(written(tmp_path, sums)))
    code = KILLED.format(
        tests=str(Path(__file__).parent), recipe=j.recipe.model_dump_json(), model=j.model_path,
        inputs=json.dumps({name: str(path) for name, path in j.inputs.items()}), out=str(j.out),
    )  # fmt: skip
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)

    def there() -> set[tuple[str, str, int]]:
        files = (j.out / "samples").glob("*.jsonl")
        return {(p.stem, row["prompt_id"], row["index"]) for p in files for row in read(p)}

    while len(there()) < 0.8 * 72:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    process.kill()
    process.wait()
    kept = there()
    assert 58 <= len(kept) < 72
    assert stage.run(j, judge=never)["completions"] == 72
    timed = 2 * 4
    assert 72 - len(kept) <= len(world.decoded) <= 72 - len(kept) + timed
    assert completions_by_file(j.out) == {
        "sums-base-recommended": 24, "sums-base-locked": 12,
        "sums-tuned-recommended": 24, "sums-tuned-locked": 12,
    }  # fmt: skip
    check_bench(j.out)


def completions_by_file(out: Path) -> dict[str, int]:
    """How many completions each file has, each counted once."""
    return {
        p.stem: len({(row["prompt_id"], row["index"]) for row in read(p)})
        for p in (out / "samples").glob("*.jsonl")
    }


def check_bench(out: Path) -> None:
    bench, compare = read_rows(out / "bench.jsonl"), read_rows(out / "compare.jsonl")
    ship = {r["model"]: r for r in bench if (r["setting"], r["task"]) == ("ship", "sums")}
    assert (ship["base"]["accuracy"], ship["tuned"]["accuracy"]) == (0.75, 0.75)
    (tight,) = [r for r in compare if (r["setting"], r["task"]) == ("tight", "sums")]
    assert tight["n"] == 12 and tight["accuracy_delta"] == 0.75
    rows = [r for r in read(out / "samples" / "sums-base-locked.jsonl") if r["verdict"]]
    endless = [r for r in rows if r["finish"] == "length"]
    assert len(endless) == 3 and not any(r["ok"] or r["answer"] for r in endless)
    assert all(r["verdict"]["stage"] == "structure" for r in endless)
    assert sum(r["ok"] for r in rows) == 6 and all(r["think_tokens"] > 0 for r in rows)
    timing = [row for block in read(out / "timing.jsonl") for row in block["rows"]]
    assert {row["task"] for row in timing} == {"sums"} and len(timing) == 8


def test_what_training_saw_is_found_under_another_wording(sums: dict, tmp_path: Path):
    said = "What is 3 plus 3?\n\nPlease reason step by step."
    seen = Prompt.of(
        task="x", kind="math", messages=[{"role": "user", "content": said}], reference="6"
    )
    spec = written(tmp_path, sums)
    with pytest.raises(RecipeError, match=r"1 of 12 problems of 'sums'.*--allow-contamination"):
        load_tasks(recipe(task(spec)), [seen])
    (found,) = load_tasks(recipe(task(spec), allow_contamination=True), [seen])
    assert found.contaminated == 1 and found.judge is not None


def filters(*steps: dict) -> dict:
    """The setting of one filter."""
    return {"filter_list": [{"name": "several", "filter": list(steps)}]}


@pytest.mark.parametrize(("change", "sentence"), [
    ({"output_type": "multiple_choice", "doc_to_choice": ["a", "b"]}, "only generate_until is accepted"),
    ({"output_type": "loglikelihood"}, "only generate_until is accepted"),
    ({"unsafe_code": True}, "runs code that the model wrote"),
    ({"gen_prefix": "So:"}, "begins the answer itself"),
    ({"group": "g", "task": ["a", "b"]}, "group of tasks"),
    ({"class": "x"}, "written in Python"),
    ({"doc_to_image": "image"}, "only text"),
    ({"include": "nowhere.yaml"}, "nowhere.yaml cannot be read"),
    ({"include": "task.yaml"}, "task.yaml includes itself"),
    (filters({"function": "take_first_k", "k": 8}, {"function": "majority_vote"},
             {"function": "take_first"}), "'several'.*accepted as metric = NAME,FILTER: none"),
    (filters({"function": "take_first_k", "k": 2}), "judges several responses"),
    (filters({"function": "majority_vote"}, {"function": "take_first"}), "judges several responses"),
    ({"repeats": 10, **filters({"function": "lowercase"})}, "judges several responses"),
])  # fmt: skip
def test_tasks_that_cannot_be_benched_are_refused_in_one_sentence(
    sums: dict, tmp_path: Path, change: dict, sentence: str
):
    spec = written(tmp_path, sums | change)
    with pytest.raises(RecipeError, match=sentence) as refused:
        task_data(task(spec))
    assert "'sums'" in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(("steps", "repeats"), [
    ([{"function": "take_first"}], 64),
    ([{"function": "take_first_k", "k": 1}, {"function": "take_first"}], 1),
    ([{"function": "lowercase"}], 1),
])  # fmt: skip
def test_filters_of_one_response_are_accepted(
    sums: dict, tmp_path: Path, steps: list, repeats: int
):
    spec = written(tmp_path, sums | filters(*steps) | {"repeats": repeats})
    assert task_data(task(spec))


def test_only_the_chosen_filter_must_judge_one_response(sums: dict, tmp_path: Path):
    vote = {"name": "maj@8", "filter": [{"function": "take_first_k", "k": 8}]}
    spec = written(tmp_path, sums | {"repeats": 8, "filter_list": [*sums["filter_list"], vote]})
    assert len(load_problems(task(spec), seed=0).prompts) == 12
    with pytest.raises(RecipeError, match=r"'maj@8'.*accepted .*: strict-match, flexible-extract$"):
        load_problems(task(spec, metric="exact_match,maj@8"), seed=0)
    with pytest.raises(RecipeError, match="several responses"):
        config_of(task("gsm8k_cot_self_consistency", metric="exact_match,maj@64"))


def test_a_filter_that_fails_whatever_it_is_given_is_refused_before_decoding(
    sums: dict, tmp_path: Path
):
    pair = {"function": "custom", "filter_fn": "!function utils.pair"}
    spec = written(tmp_path / "f", sums | filters(pair, {"function": "take_first"}))
    text = Path(spec).read_text().replace("'!function utils.pair'", "!function utils.pair")
    Path(spec).write_text(text)
    (tmp_path / "f" / "utils.py").write_text(
        "def pair(resps, docs): return [[r[0], r[1]] for r in resps]\n"
    )
    with pytest.raises(RecipeError, match=r"filter 'several' .*one response.*IndexError"):
        Scorer(task(spec))


@pytest.mark.parametrize(("more", "sentence"), [
    ({"metric": "bleu"}, "no metric 'bleu' .*accepted: exact_match"),
    ({"metric": "exact_match,strict"}, "no filter 'strict' .*accepted: strict-match, flexible-extract"),
])  # fmt: skip
def test_a_metric_that_is_not_there_is_refused(
    sums: dict, tmp_path: Path, more: dict, sentence: str
):
    with pytest.raises(RecipeError, match=sentence):
        Scorer(task(written(tmp_path, sums), **more))


def test_what_lm_eval_cannot_load_is_one_sentence(sums: dict, tmp_path: Path):
    sums["dataset_kwargs"]["data_files"]["test"] = str(tmp_path / "gone.jsonl")
    with pytest.raises(RecipeError, match="'sums': lm-eval cannot load it: FileNotFoundError"):
        Scorer(task(written(tmp_path, sums)))


def test_local_data_of_another_shape_is_named(sums: dict, tmp_path: Path):
    folder = tmp_path / "data"
    (folder / "main").mkdir(parents=True)
    (folder / "main/train.jsonl").write_text('{"question": "?", "answer": "#### 1"}\n')
    for text, said in (('{"q": 1}\n', "CastError|UndefinedError"), ("not json\n", "JSON")):
        (folder / "main/test.jsonl").write_text(text)
        with pytest.raises(RecipeError, match=said) as fault:
            Scorer(task("gsm8k_cot_zeroshot", data=str(folder))).prompts()
        assert str(folder) in str(fault.value) and "\n" not in str(fault.value)


def test_tasks_are_found_by_name_in_lm_eval_or_in_a_folder(sums: dict, tmp_path: Path):
    with pytest.raises(RecipeError, match=r"has no examples to show .*num_fewshot = 3"):
        config_of(task("gsm8k_cot_zeroshot", num_fewshot=3))
    config, files = config_of(task("gsm8k_cot_self_consistency"))
    assert (config["task"], config["dataset_path"]) == (
        "gsm8k_cot_self_consistency",
        "openai/gsm8k",
    )
    assert [f.name for f in files] == ["gsm8k-cot-self-consistency.yaml", "gsm8k-cot.yaml"]
    with pytest.raises(
        RecipeError, match=r"no task is called 'gsm8k_cott': did you mean 'gsm8k_cot'"
    ):
        config_of(task("gsm8k_cott"))
    with pytest.raises(RecipeError, match="'arc_easy' has output_type multiple_choice"):
        config_of(task("arc_easy"))
    with pytest.raises(RecipeError, match="'humaneval' runs code"):
        config_of(task("humaneval"))
    written(tmp_path / "mine", sums, "a.yaml")
    folder = str(tmp_path / "mine")
    assert config_of(task(folder, "sums_cot"))[1][0].name == "a.yaml"
    with pytest.raises(RecipeError, match="no task is called 'other': there are sums_cot"):
        config_of(task(folder, "other"))
    with pytest.raises(RecipeError, match="does not exist: accepted"):
        config_of(task("./nowhere"))


def test_what_a_task_is_made_of_is_its_identity(rules: str, tmp_path: Path):
    one = task(rules)
    before = task_data(one)
    assert set(before) == {f"lm_eval {rules} task.yaml", str(tmp_path / "i.jsonl")}
    (tmp_path / "i.jsonl").write_text('{"prompt": "Other."}\n')
    data = task_data(one)
    assert data != before
    (tmp_path / "rules" / "utils.py").write_text(RULES + "# another\n")
    assert task_data(one)[f"lm_eval {rules} task.yaml"] != data[f"lm_eval {rules} task.yaml"]
    # a pattern, as datasets takes it
    settings = yaml.safe_load(Path(rules).read_text().replace("!function", ""))
    settings["dataset_kwargs"]["data_files"] = {"test": [str(tmp_path / "*.jsonl")]}
    assert str(tmp_path / "i.jsonl") in task_data(task(written(tmp_path, settings, "p.yaml")))


def test_a_plan_loads_nothing_of_lm_eval(sums: dict, tmp_path: Path):
    file = tmp_path / "recipe.yaml"
    file.write_text(recipe(task(written(tmp_path, sums))).model_dump_json())
    code = (
        "import sys; from pathlib import Path; from deimos.pipeline.stages import plan; from deimos.recipe import load\n"
        "planned = {p.stage.name: p for p in plan(load(Path(sys.argv[1]))[0])}\n"
        "print(*[k for k in planned['bench'].keys['data'] if k.startswith('lm_eval ')])\n"
        "print('loaded:', *({'lm_eval', 'datasets', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, file], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == [f"lm_eval {tmp_path / 'task.yaml'} task.yaml", "loaded:"]


def test_a_task_without_lm_eval_keeps_its_identity():
    plain = TaskSettings.model_validate({"name": "t", "source": {"source": "jsonl"}})
    assert set(plain.model_dump()) == {"name", "source", "thinking"}
    named = task("gsm8k_cot", take=3)
    assert TaskSettings.model_validate(named.model_dump()) == named
    assert (plain.origin, named.origin) == ("jsonl", "lm-eval gsm8k_cot")


def test_stops_cut_at_the_first():
    assert cut_at_stop("a b c b", ["b", "c", ""]) == "a "
    assert cut_at_stop("a", []) == "a"


@pytest.mark.skipif(not GSM8K.is_dir(), reason="the real GSM8K is not here (../shared/data/gsm8k)")
def test_gsm8k_by_lm_evals_own_yaml(sums: dict, tmp_path: Path):
    from deimos.prompts.sources.gsm8k import gsm8k

    _, (original, *_) = config_of(task("gsm8k"))
    files = {split: str(GSM8K / f"{split}.jsonl") for split in ("train", "test")}
    kwargs = {"data_files": files, "cache_dir": str(tmp_path / "cache")}
    spec = written(tmp_path, {
        "include": str(original), "task": "gsm8k_local", "dataset_path": "json",
        "dataset_name": None, "dataset_kwargs": kwargs,
    })  # fmt: skip
    scorer = Scorer(task(spec))
    prompts = scorer.prompts()
    assert len(prompts) == 1319 and {len(p.messages) for p in prompts} == {11}
    golds = [p.reference["target"] for p in prompts[:200]]
    assert all(scorer.verdict(i, gold).ok for i, gold in enumerate(golds))
    others = golds[1:] + golds[:1]
    same = sum(a.split("#### ")[1] == b.split("#### ")[1] for a, b in zip(golds, others))
    assert sum(bool(scorer.verdict(i, other).ok) for i, other in enumerate(others)) == same
    # our own source words its prompts otherwise, and is found out all the same
    seen = gsm8k(take=20, seed=0, split="test", path=str(GSM8K))
    allowed = recipe(task(spec, num_fewshot=0), allow_contamination=True)
    assert load_tasks(allowed, seen)[0].contaminated == 20


def test_ifeval_by_lm_evals_own_yaml_needs_no_download(tmp_path: Path):
    """In a process of its own: the rules are imported once, and here others may have done it."""
    asked = [
        {"key": 1, "prompt": "Name three fruits in three bullet points.",
         "instruction_id_list": ["detectable_format:number_bullet_lists"],
         "kwargs": [{"num_bullets": 3}]},
        {"key": 2, "prompt": "Write no commas.", "instruction_id_list": ["punctuation:no_comma"],
         "kwargs": [{}]},
    ]  # fmt: skip
    _, (original, *_) = config_of(task("ifeval"))
    kwargs = {"data_files": {"train": rows(tmp_path / "rows.jsonl", asked)},
              "cache_dir": str(tmp_path / "cache")}  # fmt: skip
    spec = written(tmp_path, {
        "include": str(original), "task": "ifeval_local", "dataset_path": "json",
        "dataset_name": None, "dataset_kwargs": kwargs,
    })  # fmt: skip
    code = (
        "from deimos.bench.lm_eval.problems import Scorer; from deimos.recipe import TaskSettings\n"
        f"scorer = Scorer(TaskSettings(name='i', lm_eval={spec!r}))\n"
        "said = [(0, '* a\\n* b\\n* c'), (0, '* a'), (1, 'a b'), (1, 'a, b')]\n"
        "print([scorer.verdict(*each).ok for each in said])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["[True, False, True, False]"], done.stderr[-2000:]
