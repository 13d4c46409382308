"""`bench.suite`: which of lm-eval's tasks a word stands for, and where their data is read."""

import importlib.util
import json
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

pytest.importorskip("lm_eval")

from deimos.bench.lm_eval.data_files import find_files, origin_of, settings_over
from deimos.bench.lm_eval.expand import list_tasks
from deimos.bench.lm_eval.problems import Scorer, load_problems
from deimos.bench.lm_eval.suite import BY_TASK, KNOWN, REVISIONS, SUITES, known_size
from deimos.bench.lm_eval.task_files import config_of, group_members
from deimos.bench.stage import list_slices, names_in
from deimos.bench.tasks import TestTask, load_tasks, read_tasks
from deimos.pipeline.identity import bench_data, prompt_data
from deimos.planning.check import check
from deimos.recipe import Bench, Recipe, RecipeError, TaskSettings, parse
from deimos.recipe.runtime import Runtime

REPO = Path(__file__).parents[2]
DATA = REPO.parent / "shared" / "data"
MINERVA = pytest.mark.skipif(
    not version("antlr4-python3-runtime").startswith("4.11"),
    reason="lm-eval's minerva_math needs antlr4-python3-runtime 4.11: install from constraints.txt",
)


def script():
    spec = importlib.util.spec_from_file_location("suite_data", REPO / "benchmarks/suite_data.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared data as the suites want it."""
    if not (DATA / "math" / "test.jsonl").is_file():
        pytest.skip(f"needs the shared data in {DATA}")
    target = tmp_path_factory.mktemp("suite")
    stand_ins = script().lay_out(DATA, target)
    assert stand_ins == ["aime25/test.jsonl", "MMLU-Pro/validation.jsonl"]
    return target


def recipe(**bench: object) -> Recipe:
    return parse({"name": "t", "model": {"id": "lab"}, "bench": bench,
                  "prompts": {"sources": [{"source": "lab", "take": 20}]}})  # fmt: skip


def test_card_is_the_seven_benchmarks_by_lm_evals_names():
    tasks = list_tasks(Bench(suite="card"))
    groups = [task.group for task in tasks]
    assert len(tasks) == 26 and groups.count("mmlu_pro") == 14
    assert groups.count("leaderboard_math_hard") == 7
    metrics = {task.name: task.metric for task in tasks if task.group is None}
    assert metrics == {
        "minerva_math500": "math_verify", "aime24": None, "aime25": None,
        "gsm8k_cot": "exact_match,strict-match", "ifeval": "prompt_level_strict_acc",
    }  # fmt: skip
    parts = [each.name for word in ("hard", "easy") for each in SUITES[word]]
    assert sorted(parts) == sorted(each.name for each in SUITES["card"])


def test_the_table_is_what_the_installed_lm_eval_has():
    for benchmark in KNOWN.values():
        entry = TaskSettings(name="own-name", lm_eval=benchmark.name)
        if benchmark.is_group:
            assert list(group_members(entry)) == list(benchmark.members)
        for name in benchmark.members:
            config, files = config_of(TaskSettings(name=name, lm_eval=name))
            assert config["dataset_path"] == benchmark.dataset in REVISIONS
            assert benchmark.folder in files[0].as_posix()


def test_a_listed_task_takes_the_place_of_the_suites():
    own = {"name": "mmlu_pro", "lm_eval": "mmlu_pro", "take": 3, "thinking": False}
    tasks = list_tasks(recipe(suite="hard", tasks=[own]).bench)
    subjects = [task for task in tasks if task.group == "mmlu_pro"]
    assert len(subjects) == 14 and {(t.take, t.thinking) for t in subjects} == {(3, False)}
    off = {**own, "name": "off"}
    both = [t.name for t in list_tasks(recipe(suite="hard", tasks=[off]).bench)]
    assert "off.mmlu_pro_law" in both and "mmlu_pro_law" in both
    with pytest.raises(RecipeError, match=r"two tasks are called 'aime24'.*groups"):
        odd = [{"name": "a", "lm_eval": "aime25", "group": "aime24"}]
        read_tasks(recipe(suite="hard", tasks=odd))


@pytest.mark.parametrize(("text", "members"), [
    ("group: g\ntask: [a, b]\n", {"a", "b"}),
    ("group: g\ntask:\n  - a\n  - inner\n", {"a", "b", "c"}),
    ("group: g\ntask: [{task: a}]\n", "a task that stands in its own file"),
    ("group: g\ntask: [a, nowhere]\n", "no task is called 'nowhere'"),
    ("group: g\ntask: [g]\n", "contains itself"),
    ("group: g\ntask: []\n", "without tasks"),
])  # fmt: skip
def test_groups_of_ones_own_are_read_from_their_files(tmp_path: Path, text: str, members: object):
    for name in "abc":
        (tmp_path / f"{name}.yaml").write_text(f"task: {name}\n")
    (tmp_path / "inner.yaml").write_text("group: inner\ntask: [b, c]\n")
    (tmp_path / "g.yaml").write_text(text)
    bench = Bench(tasks=[TaskSettings(name="g", lm_eval=str(tmp_path / "g.yaml"))])
    if isinstance(members, str):
        with pytest.raises(RecipeError, match=members):
            list_tasks(bench)
        return
    found = list_tasks(bench)
    assert {t.name.rpartition(".")[2] for t in found} == members
    assert {t.group for t in found} == {"g"} and all(Path(t.lm_eval or "").exists() for t in found)


def test_a_commit_is_named_for_the_hub_and_nothing_else_is_changed():
    task = TaskSettings(name="gsm8k_cot", lm_eval="gsm8k_cot")
    config, _ = config_of(task)
    commit = REVISIONS["openai/gsm8k"]
    assert settings_over(config, task) == {"dataset_kwargs": {"revision": commit}}
    pinned = {**config, "dataset_kwargs": {"revision": "mine"}}
    assert settings_over(pinned, task) == {}
    assert settings_over({**config, "dataset_path": "json"}, task) == {}
    assert origin_of(config, task) == f"openai/gsm8k@{commit}"


def rows(path: Path, *documents: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(d) + "\n" for d in documents))


@pytest.mark.parametrize("name", [
    "main/test.jsonl", "main/test.json", "main/test.parquet", "main/test-00000-of-00001.parquet",
    "data/main/test.jsonl", "main/whatever.jsonl",
])  # fmt: skip
def test_a_copy_of_the_hubs_folder_is_read_as_it_is(tmp_path: Path, name: str):
    rows(tmp_path / "gsm8k" / name, {"question": "q", "answer": "#### 1"})
    (task,) = list_tasks(Bench(tasks=[TaskSettings(name="g", lm_eval="gsm8k_cot")],
                               suite_data=str(tmp_path)))  # fmt: skip
    config, _ = config_of(task)
    assert find_files(config, task) == {"test": (tmp_path / "gsm8k" / name).resolve()}


def test_missing_files_are_named_before_anything_runs(tmp_path: Path):
    with pytest.raises(
        RecipeError, match=r"'gsm8k_cot': data = '.*gsm8k' is no folder: .*openai/gsm8k"
    ):
        check(recipe(suite="easy", suite_data=str(tmp_path)), Runtime())
    (tmp_path / "gsm8k" / "main").mkdir(parents=True)
    with pytest.raises(RecipeError, match=r"has no file main/test\.jsonl .*benchmarks\.md"):
        check(recipe(suite="easy", suite_data=str(tmp_path)), Runtime())
    rows(tmp_path / "MMLU-Pro" / "test.jsonl", {"question": "q"})
    with pytest.raises(RecipeError, match=r"has no file validation\.jsonl"):
        config_of(TaskSettings(name="m", lm_eval="mmlu_pro_law", data=str(tmp_path / "MMLU-Pro")))
    rows(tmp_path / "MMLU-Pro" / "validation.parquet", {})
    with pytest.raises(RecipeError, match="several formats"):
        config_of(TaskSettings(name="m", lm_eval="mmlu_pro_law", data=str(tmp_path / "MMLU-Pro")))
    with pytest.raises(RecipeError, match=r"suite_data = 'x' is for lm-eval's tasks"):
        recipe(suite_data="x")
    with pytest.raises(RecipeError, match=r"data = 'x' goes with lm_eval"):
        recipe(tasks=[{"name": "t", "source": {"source": "lab"}, "data": "x"}])


@MINERVA
def test_every_task_of_the_card_loads_from_local_files(folder: Path):
    bench = recipe(suite="card", suite_data=str(folder), limit=2)
    found = {task.name: task for task in load_tasks(bench, [])}
    assert len(found) == 26 and {len(task.prompts) for task in found.values()} == {2}
    (math,) = (task for name, task in found.items() if name == "minerva_math500")
    assert math.prompts[0].messages[-1]["content"].startswith("Problem:\nConvert the point $(0,3)$")
    assert math.prompts[0].source == "lm_eval:MATH-500", "a local copy is not the Hub's"
    assert len(found["gsm8k_cot"].prompts[0].messages) == 17  # eight examples as turns
    assert len(found["mmlu_pro_law"].prompts[0].messages) == 12  # its subject, five examples
    asked = json.loads((folder / "gsm8k/main/test.jsonl").read_text().splitlines()[1])["question"]
    assert asked in found["gsm8k_cot"].prompts[1].messages[-1]["content"]


def test_a_limit_takes_the_first_and_lm_eval_takes_the_same(folder: Path):
    from lm_eval.evaluator import get_sample_size
    from lm_eval.tasks import TaskManager

    task = TaskSettings(name="g", lm_eval="gsm8k_cot", data=str(folder / "gsm8k"))
    ours = load_problems(task, seed=9, limit=5).prompts
    path = folder / "g.yaml"
    own = config_of(TaskSettings(name="g", lm_eval="gsm8k_cot"))[1][0]
    files = {"test": str(folder / "gsm8k/main/test.jsonl")}
    over = {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": files}}
    path.write_text(yaml.safe_dump({"include": str(own), "task": "gsm8k_cot", **over}))
    (theirs,) = TaskManager(include_defaults=False).load([str(path)])["tasks"].values()
    theirs.set_fewshot_seed(1234)
    theirs.build_all_requests(
        limit=get_sample_size(theirs, 5), apply_chat_template=True, fewshot_as_multiturn=True,
        chat_template=lambda chat, add_generation_prompt: json.dumps(chat),
    )  # fmt: skip
    chats = [json.loads(request.args[0]) for request in theirs.instances]
    assert [list(p.messages) for p in ours] == chats
    taken = load_problems(task.model_copy(update={"take": 8}), seed=9, limit=3).prompts
    assert taken == load_problems(task.model_copy(update={"take": 8}), seed=9).prompts[:3]


def test_a_limit_is_part_of_the_benchmark_and_of_nothing_before_it(folder: Path):
    whole = recipe(suite="easy", suite_data=str(folder))
    few = recipe(suite="easy", suite_data=str(folder), limit=3)
    assert prompt_data(whole) == prompt_data(few)
    assert whole.bench.model_dump() != few.bench.model_dump()
    assert {"suite easy", str(folder / "gsm8k")} <= bench_data(whole).keys()
    assert "suite" not in recipe().bench.model_dump(), "older recipes keep their identity"


def test_data_that_changes_makes_the_benchmark_another(tmp_path: Path):
    rows(tmp_path / "gsm8k/main/test.jsonl", {"question": "a", "answer": "#### 1"})
    rows(tmp_path / "IFEval/train.jsonl", {"prompt": "b"})
    before = bench_data(recipe(suite="easy", suite_data=str(tmp_path)))
    rows(tmp_path / "gsm8k/main/test.jsonl", {"question": "a", "answer": "#### 2"})
    after = bench_data(recipe(suite="easy", suite_data=str(tmp_path)))
    assert {k for k in before if before[k] != after[k]} == {str(tmp_path / "gsm8k")}


def test_sizes_are_known_without_a_network():
    assert known_size(TaskSettings(name="x", lm_eval="gsm8k_cot")) == 1319
    assert known_size(TaskSettings(name="x", lm_eval="gsm8k_cot", take=7)) == 7
    assert known_size(TaskSettings(name="x", lm_eval="bbh")) is None
    assert sum(known_size(t) or 0 for t in list_tasks(Bench(suite="card"))) == 15_776
    assert set(BY_TASK) == {t.name for t in list_tasks(Bench(suite="card"))}


def test_rows_pool_a_group_before_its_tasks():
    def made(name: str, group: str | None, thinking: bool | None = None) -> TestTask:
        return TestTask(name, thinking, (), 0, 0, None, group)

    tasks = [made("a", "g"), made("b", "g"), made("c", None), made("a.off", "h", False)]
    assert list_slices(tasks) == [
        (None, "all"), (None, "g"), (None, "a"), (None, "b"), (None, "c"),
        (False, "all"), (False, "h"), (False, "a.off"),
    ]  # fmt: skip
    assert names_in(tasks, None, "g") == ["a", "b"] and names_in(tasks, None, "b") == ["b"]
    assert names_in(tasks, False, "all") == ["a.off"]


def test_every_metric_of_every_filter_is_in_the_verdict(folder: Path):
    data = str(folder / "gsm8k")
    scorer = Scorer(TaskSettings(name="g", lm_eval="gsm8k_cot", data=data))
    loose = scorer.verdict(0, "so she makes 18")  # the first problem's answer
    assert loose.ok is False and loose.metrics == {
        "exact_match,strict-match": 0.0, "exact_match,flexible-extract": 1.0,
    }  # fmt: skip
    assert scorer.verdict(0, "The answer is 18.").metrics == {
        "exact_match,strict-match": 1.0, "exact_match,flexible-extract": 1.0,
    }  # fmt: skip
