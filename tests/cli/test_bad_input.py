"""What a user can get wrong ends with one sentence and exit code 2, and costs nothing that is done."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deimos.cli.main import main
from deimos.lab.weights import lab_path
from deimos.recipe import Lora

SUM = {"prompt": "1+1?", "kind": "math", "reference": "2"}
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    source = str(Path(__file__).parents[2] / "src")
    monkeypatch.setenv("PYTHONPATH", source)
    return tmp_path


@pytest.fixture
def ended(monkeypatch, capfd):
    """Runs the console script; gives its exit code and what it and its stages said on stderr."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["deimos", *words])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, capfd.readouterr().err

    return run


def one_sentence(code, error, sentence):
    said = [line for line in error.splitlines() if line.startswith("error: ")]
    assert code == 2 and len(said) == 1 and "Traceback" not in error, (code, error)
    assert sentence in said[0], said[0]


def recipe(place, rows=None, **sections):
    """A recipe file over own prompts (texts as they are, others as JSON); tests are the lab's."""
    rows = rows if rows is not None else [question(n) for n in range(6)]
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (place / "own.jsonl").write_text("\n".join(lines))
    lab = {"source": "lab", "take": 4, "options": {"split": "test"}}
    data = {
        "name": "own",
        "model": {"id": "lab", "dtype": "float32"},
        "prompts": {"sources": [{"source": "jsonl", "options": {"path": "own.jsonl"}}]},
        "sample": {"sampling": {"max_tokens": 512}},  # what the lab model's context has room for
        "bench": {"tasks": [{"name": "tests", "source": lab}], "budget": 512},
        **sections,
    }
    (place / "own.yaml").write_text(yaml.safe_dump(data))
    return "own.yaml"


def question(n):
    return {"prompt": f"What is {n}+{n}?", "kind": "math", "reference": str(2 * n)}


def model(place, name, *without):
    """A copy of the packaged model without some of its files."""
    shutil.copytree(lab_path(), place / name, ignore=shutil.ignore_patterns(*without))
    return place / name


@pytest.mark.parametrize("verb", ["plan", "run"])
@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("sample.m=3", "unknown key 'sample.m': accepted: exhaustive, n,"),
        ("sample.samplng.top_k=3", "unknown key 'sample.samplng': did you mean 'sampling'?"),
        ("sample.n=many", "sample.n = 'many': must be a whole number, or a rule like {max: 8"),
        (
            "sample.n={stop_when: 0.1}",
            "sample.n.stop_when = 0.1: must be a section with keys of gain_",
        ),
        (
            "runtime.cluster=local",
            "runtime.cluster = 'local': must be a section with keys of actors,",
        ),
        ("runtime.max_batch=0", "runtime.max_batch = 0"),
        ("runtime.engin=local", "unknown key 'runtime.engin': did you mean 'engine'?"),
        ("runtime.python.smaple=python3", "runtime.python.smaple: there is no such stage"),
        ("runtime.python.sample=other/python", "runtime.python.sample = 'other/python': there is"),
        ("runtime.engine=vllm", "engine vllm: vLLM is not installed in this Python"),
        ("runtime.engine=locl", "runtime.engine: unknown engine 'locl': did you mean 'local'?"),
        ("runtime.engine=./x.py:mine", "looked up from the current directory"),
        ("select.graders.math=mth", "select.graders.math: unknown grader 'mth'"),
        ("bench.graders.math=mth", "bench.graders.math: unknown grader 'mth'"),
        ("select.graders.math=no.such:thing", "no module named 'no' is installed"),
        ("prompts.sources.0.source=lb", "prompts.sources.0.source: unknown source 'lb'"),
        ("prompts.sources.0.options.stps=[1]", "has no option 'stps': accepted: kinds, split"),
        ("prompts.sources.0.options.steps=4", "option steps = 4: must be a list"),
        ("bench.tasks.0.source.source=./x.py:own", "bench.tasks.0.source.source: Python file"),
        ("bench.tasks.0.source.options.splt=test", "bench.tasks.0.source: source 'lab' has no"),
    ],
)
def test_settings(place, ended, verb, setting, sentence):
    one_sentence(*ended(verb, "lab", "--set", setting), sentence)
    assert list(place.iterdir()) == []


def test_a_missing_recipe(place, ended):
    one_sentence(*ended("run", "nowhere.yaml"), "recipe 'nowhere.yaml' does not exist")
    (place / "broken.yaml").write_text("name: x\nmodel: [1, 2\nprompts: {}")
    one_sentence(*ended("run", "broken.yaml"), "not valid YAML, line 3")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("def mine(:", "SyntaxError"),
        ("import torhc", "No module named 'torhc' (own.py line 1)"),
        ("x = 1", "has no attribute 'mine'"),
    ],
)
def test_own_parts_that_cannot_be_loaded(place, ended, text, sentence):
    (place / "own.py").write_text(text)
    one_sentence(*ended("plan", "lab", "--set", "runtime.engine=./own.py:mine"), sentence)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([SUM, '{"prompt": '], "own.jsonl line 2: not valid JSON"),
        ([SUM, {**SUM, "refrence": "2"}], "own.jsonl line 2: unknown key 'refrence'"),
        ([], "has no prompts"),
        ([SUM], "two are needed, one to hold out as dev"),
        ([SUM, SUM], "own.jsonl line 2: the same prompt stands on line 1"),
        ([SUM, {**SUM, "reference": "3"}], "the same prompt stands twice in own.jsonl"),
        ([SUM, {**SUM, "reference": {"letter": "A"}}], "line 2: a math reference must be a text"),
    ],
)  # fmt: skip
def test_prompts(place, ended, rows, sentence):
    one_sentence(*ended("plan", recipe(place, rows)), sentence)


def test_prompts_of_a_kind_without_a_grader(place, ended):
    rows = [question(1), {**question(2), "kind": "code", "reference": {"tests": "x"}}]
    file = recipe(place, rows, select={"graders": {"math": "math"}})
    sentence = "prompts.sources give code prompts but select.graders has no grader"
    one_sentence(*ended("plan", file), sentence)


def test_prompts_stop_a_run_in_its_first_stage(place, ended):
    file = recipe(place, [SUM, '{"prompt": '])
    one_sentence(*ended("run", file), "own.jsonl line 2: not valid JSON")
    (place / "own.jsonl").unlink()
    one_sentence(*ended("run", file), "path 'own.jsonl' does not exist")
    assert list(place.glob("runs/own/*/record.json")) == []


def test_a_gsm8k_row_without_its_reference(place, ended):
    rows = [{"question": "q", "answer": "1\n#### 1"}, {"question": "r", "answer": "2"}]
    source = {"source": "gsm8k", "options": {"path": "own.jsonl"}}
    file = recipe(place, rows, prompts={"sources": [source]})
    one_sentence(
        *ended("plan", file), "row 2: the answer has no '#### ' with the reference behind it"
    )


def test_golds_of_another_kind_from_a_source_of_your_own(place, ended):
    (place / "own.py").write_text(
        "from deimos import Prompt\n"
        "def own(*, take, seed, gold):\n"
        "    asked = [[{'role': 'user', 'content': f'{n}?'}] for n in range(4)]\n"
        "    return [Prompt.of(task='own', kind='math', messages=m, reference=gold) for m in asked]"
    )
    for gold, code in ({"letter": "A", "options": ["x", "y", "z"]}, 2), ("4", 0):
        source = {"source": "./own.py:own", "options": {"gold": gold}}
        told = ended("plan", recipe(place, prompts={"sources": [source]}))
        assert told[0] == code, told
        if code:
            one_sentence(*told, "'0?': a math reference must be a text or a number, not an")


def test_pilots_that_cannot_be(place, ended):
    file = recipe(place)
    one_sentence(*ended("plan", file, "--pilot", "9"), "--pilot 9: there are only 5 train prompts")
    elsewhere = ("--set", f"runtime.python.sample={sys.executable}")
    one_sentence(*ended("plan", file, "--pilot", "1", *elsewhere), f"names '{sys.executable}'")


def test_tests_among_the_prompts_are_told_before_anything_is_sampled(place, ended):
    task = {"name": "same", "source": {"source": "jsonl", "options": {"path": "own.jsonl"}}}
    file = recipe(place, bench={"tasks": [task]})
    sentence = "6 of 6 own prompts overlap with test problems (such as "
    one_sentence(*ended("plan", file), sentence)
    code, error = ended("run", file)
    one_sentence(code, error, sentence)
    assert "sample" not in error

    recipe(place)
    assert not ended("prompts", file)[0]
    recipe(place, bench={"tasks": [task]})  # prompts are complete: the check is not
    code, error = ended("run", file)
    one_sentence(code, error, sentence)
    assert "sample: starting" not in error


def test_models_that_cannot_be_talked_to(place, ended):
    model(place, "mute", "tokenizer*")
    model(place, "bare", "chat_template.jinja")
    (model(place, "plain") / "chat_template.jinja").write_text(CHATML)
    for name, sentence in (
        ("mute", "model './mute': no tokenizer could be loaded"),
        ("bare", "model './bare': its tokenizer has no chat template"),
        ("plain", "model.thinking is true but the chat template knows neither <think> nor"),
        ("gone", "model './gone': no such folder"),
    ):
        file = recipe(place, model={"id": f"./{name}", "dtype": "float32"})
        one_sentence(*ended("plan", file), sentence)


def test_what_is_done_stays_when_the_model_is_refused(place, ended):
    model(place, "bare", "chat_template.jinja")
    file = recipe(place, model={"id": "./bare", "dtype": "float32"})
    one_sentence(*ended("run", file), "model './bare': its tokenizer has no chat template")
    assert len(list(place.glob("runs/own/prompts-*/record.json"))) == 1


def test_a_model_too_large_is_told_before_it_is_loaded(place, ended):
    folder = model(place, "huge")
    huge = {"dtype": "BF16", "shape": [2**20, 2**22], "data_offsets": [0, 2**43]}
    small = {"dtype": "BF16", "shape": [0, 0], "data_offsets": [2**43, 2**43]}
    names = [f"model.layers.0.{name}.weight" for name in Lora().target_modules]
    tensors = {"model.embed_tokens.weight": huge, **dict.fromkeys(names, small)}
    header = json.dumps(tensors).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    file = recipe(place, model={"id": "./huge", "dtype": "bfloat16"})
    sentence = "'./huge' is too large for this machine: its weights are 8192.0 GiB as bfloat16"
    one_sentence(*ended("plan", file), sentence)
    one_sentence(*ended("run", file), "GiB of memory are available")


def test_run_folders_that_cannot_be(place, ended):
    (place / "file").write_text("")
    for out in ("file", "file/run"):
        one_sentence(*ended("run", "lab", "--out", out), f"run folder '{out}' cannot be written")
    one_sentence(*ended("init", "lab", "file/my.yaml"), "'file/my.yaml' cannot be written")


def mounted(script, *words):
    """Run a shell script, and the command behind it, in a mount namespace of its own."""
    code = f'set -e\n{script}\nexec "$@"'
    command = [
        "unshare",
        "-m",
        "sh",
        "-c",
        code,
        "sh",
        sys.executable,
        "-m",
        "deimos.cli.main",
        *words,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def mounts():
    """Skips where this process may not mount anything."""
    trial = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
    if not shutil.which("unshare") or subprocess.run(trial, capture_output=True).returncode:
        pytest.skip("a disk that takes nothing needs a mount, which is not allowed here")


def test_a_run_folder_on_a_disk_that_takes_nothing(place, ended, mounts):
    (place / "disk").mkdir()
    read_only = "mount --bind disk disk; mount -o remount,ro,bind disk"
    full = "mount -t tmpfs -o size=16k none disk; head -c 100k /dev/zero >disk/x || true"
    for script, reason in ((read_only, "Read-only file system"), (full, "No space left on device")):
        done = mounted(script, "run", "lab", "--out", "disk/run")
        sentence = f"run folder 'disk/run' cannot be written: {reason}; choose another with --out"
        one_sentence(done.returncode, done.stderr, sentence)
    begun = ended("prompts", recipe(place), "--out", "disk/run")
    assert not begun[0]
    done = mounted(read_only, "run", "own.yaml", "--out", "disk/run")
    one_sentence(done.returncode, done.stderr, "cannot be written: Read-only file system")


def test_an_interrupted_command_says_no_more_than_that(place):
    code = (
        "import os, signal; from deimos.cli.exit import run_guarded\n"
        f"run_guarded(lambda: os.kill(os.getpid(), {int(signal.SIGINT)}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGINT, "", "")


@pytest.mark.parametrize("name", ["w_proj", "input_layernorm", "norm"])
def test_an_adapter_for_modules_that_cannot_have_one_is_refused_before_sampling(place, ended, name):
    targets = f"train.lora.target_modules=[q_proj, {name}]"
    code, error = ended("run", recipe(place), "--set", targets)
    one_sentence(code, error, f"the model has no module called '{name}' that an adapter")
    assert "q_proj" in error and "norm," not in error and not list(place.glob("runs/*/prompts-*"))


DEEP = "[" * 100_000 + "]" * 100_000
HALF = '"\\ud800"'


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("jsonl", '{"prompt": %s, "kind": "math", "reference": "2"}'),
        ("gsm8k", '{"question": %s, "answer": "#### 2"}'),
        ("ifeval", '{"key": 1, "prompt": %s, "instruction_id_list": ["x"], "kwargs": [{}]}'),
        ("math", '{"problem": %s, "solution": "2", "level": "Level 1", "type": "Algebra"}'),
        ("mbpp", '{"task_id": 1, "text": %s, "code": "x", "test_list": ["assert x"]}'),
    ],
)
@pytest.mark.parametrize("odd", [DEEP, HALF, "1e999", "NaN"], ids=["deep", "half", "inf", "nan"])
def test_texts_in_prompt_files_that_cannot_be_used(place, ended, name, row, odd):
    source = {"source": name, "options": {"path": "own.jsonl"}}
    file = recipe(place, [row % odd, row % odd], prompts={"sources": [source]})
    one_sentence(*ended("plan", file), "own.jsonl line 1: ")


def test_a_data_set_as_one_json_list_that_cannot_be_used(place, ended):
    source = {"source": "gsm8k", "options": {"path": "own.json"}}
    for text in (DEEP, f"[{HALF}]", "[1e999]"):
        (place / "own.json").write_text(text)
        file = recipe(place, prompts={"sources": [source]})
        one_sentence(*ended("plan", file), "own.json: ")


def test_recipes_that_cannot_be_used(place, ended):
    for text in (f"name: {DEEP}", f"name: {HALF}", "name: a\nname: b", "name: 010"):
        (place / "own.yaml").write_text(text)
        one_sentence(*ended("run", "own.yaml"), "own.yaml'")
        one_sentence(*ended("plan", "lab", "--set", text.replace(": ", "=", 1)), "name")


def test_half_a_surrogate_pair_from_a_source_of_your_own(place, ended):
    (place / "own.py").write_text(
        "from deimos import Prompt\n"
        "def own(*, take, seed):\n"
        "    asked = [[{'role': 'user', 'content': f'{n} \\ud800?'}] for n in range(4)]\n"
        "    return [Prompt.of(task='own', kind='math', messages=m, reference='1') for m in asked]"
    )
    file = recipe(place, prompts={"sources": [{"source": "./own.py:own"}]})
    one_sentence(*ended("plan", file), "gave a text with half a surrogate pair")


@pytest.mark.parametrize("verb", ["plan", "run"])
@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("train.scheduler=cosin", "train.scheduler = 'cosin': must be one of linear, cosine"),
        ("select.policy=mediann", "select.policy = 'mediann': must be shortest, median or"),
        ("train.lora.target_modules=[]", "train.lora.target_modules = []: must have at least 1"),
        ("train.lora.target_modules=[w]", "the model has no module called 'w'"),
        (
            "train.lora.target_modules=[q_proj, embed_tokens]",
            "'embed_tokens' is tied: one weight is",
        ),
        ("train.lora.target_modules=[lm_head]", "'lm_head' is tied: one weight is"),
        ("runtime.train_micro_batch=3", "runtime.train_micro_batch = 3: must divide the 8"),
        ("runtime.max_batch=true", "runtime.max_batch = true: must be a whole number"),
        (
            "runtime.engine_options.block_row=4",
            "'runtime.engine_options.block_row': did you mean 'bl",
        ),
        (
            "runtime.engine_options.block_rows=yes",
            "engine_options.block_rows = 'yes': must be a whole",
        ),
        (
            "runtime={engine: echo, engine_options: {len: 4}}",
            "has no such option: accepted: length",
        ),
        (
            "runtime={engine: vllm, engine_options: {dtype: float16}, python: {sample: python3}}",
            "runtime.engine_options.dtype is set elsewhere: model.dtype",
        ),
        ("select.quota.max_share_easy=0.5", "select.quota.max_share_easy = 0.5: needs pass rates"),
        ("prompts.sources.0.options.steps=['4']", "option steps.0 = '4': must be a whole number"),
        ("prompts.sources.0.options.steps=[true]", "option steps.0 = true: must be a whole number"),
    ],
)
def test_what_a_later_stage_would_refuse_is_refused_before_anything_runs(
    place, ended, verb, setting, sentence
):
    one_sentence(*ended(verb, "lab", "--set", setting), sentence)
    assert list(place.iterdir()) == []
