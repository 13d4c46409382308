"""Plans without a network: the Hub asked once, what is known said, what is assumed marked."""

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from deimos.bench.decodings import decodings_of
from deimos.bench.suites import count_completions
from deimos.planning.counts import find_size
from deimos.planning.estimate import assume_tokens, pilot_of
from deimos.planning.forecast import forecast
from deimos.planning.hub import find_hub_fault
from deimos.planning.needs import parameters_of
from deimos.planning.text import describe_forecast
from deimos.prompts.load import load_source
from deimos.recipe import Bench, Sample, Select, SourceSettings, parse
from deimos.recipe.runtime import Runtime
from deimos.registry import resolve
from deimos.types import Completion, Verdict

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"


class Silent:
    """A server that takes connections and never answers; counts them."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.taken = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self):
        while True:
            try:
                self.taken.append(self._socket.accept())
            except OSError:
                return

    def close(self):
        self._socket.close()


@pytest.fixture
def silent():
    server = Silent()
    yield server
    server.close()


def plan(home, *words, **env):
    """Plans a packaged recipe with an empty cache; the modules that were loaded come last."""
    code = "import sys; from deimos.cli.main import main\ntry: main()\nfinally: print(*sys.modules)"
    clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    clean = {k: v for k, v in clean.items() if not k.startswith("HF_")}
    return subprocess.run(
        [sys.executable, "-c", code, "plan", *words], capture_output=True, text=True, cwd=home,
        env={**clean, "HF_HOME": str(home), "PYTHONPATH": str(ROOT / "src"), **env}, timeout=120,
        check=False,
    )  # fmt: skip


def test_the_hub_is_asked_once_and_everything_known_is_said(tmp_path, silent):
    done = plan(tmp_path, str(ROOT / "recipes/deimos-a4.yaml"), HF_ENDPOINT=silent.url)
    assert (done.returncode, done.stderr, len(silent.taken)) == (0, "", 1), done.stderr
    *lines, loaded = done.stdout.splitlines()
    assert not {"torch", "transformers"} & set(loaded.split())
    told = {line.split(":")[0]: line for line in lines if not line.startswith(" ")}
    assert told["train"].startswith("train:    4,521 prompts (math 2,700, choice 1,006")
    assert (
        told["dev"]
        == "dev:      612 prompts (math 300, choice 112, instruction 100, code 100) (assumed)"
    )
    assert "mmlu_pro 1,400" in told["test"] and told["test"].endswith("(assumed)")
    assert "(4.0 G parameters, assumed)" in told["memory"]
    assert told["sample"].startswith("sample:   36,168 candidates, at most")
    assert told["expected"].endswith("exhaustive (assumed)") and "hours" in told["time"]
    assert "known sizes of the data sets" in told["assumed"] and "not loaded" in told["prompts"]


def test_a_hub_that_is_switched_off_is_not_asked(tmp_path, silent):
    done = plan(
        tmp_path, str(ROOT / "recipes/qwen2.5-0.5b-gsm8k.yaml"), "--json", HF_ENDPOINT=silent.url,
        HF_HUB_OFFLINE="1",
    )  # fmt: skip
    assert (done.returncode, done.stderr, silent.taken) == (0, "", [])
    told = json.loads(done.stdout[: done.stdout.rindex("}") + 1])
    assert told["prompts"]["train"] == {"math": 300} and told["prompts"]["assumed"] == ["gsm8k"]
    assert told["candidates"] == 2400 and told["bench_answers"] == 800
    assert told["memory"]["assumed"] and told["tokens"] is None and told["tokens_assumed"]


def test_a_plan_that_needs_no_hub_does_not_ask(tmp_path, silent):
    done = plan(tmp_path, "lab", HF_ENDPOINT=silent.url)
    assert done.returncode == 0 and silent.taken == []
    assert "(assumed)\n" not in done.stdout.split("expected:")[0]


def test_a_pilot_of_prompts_that_cannot_be_loaded_is_refused(tmp_path):
    recipe = str(ROOT / "recipes/qwen2.5-0.5b-gsm8k.yaml")
    done = plan(tmp_path, recipe, "--pilot", "2", HF_HUB_OFFLINE="1")
    assert done.returncode == 2 and "error: --pilot 2: the prompts cannot be loaded" in done.stderr


@pytest.fixture
def busy():
    """Starts a server that answers requests with a status, and counts them."""
    servers = []

    def start(status, first=None):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked.append(self.path)
                self.send_response(first if first and len(server.asked) == 1 else status)
                self.send_header("Retry-After", "30")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.asked = []
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "first"), [(429, None), (503, None), (408, None), (429, 200), (500, 200)]
)
def test_a_hub_that_asks_to_come_back_later_is_not_asked_again(tmp_path, busy, status, first):
    server = busy(status, first)
    recipe = str(ROOT / "recipes/qwen2.5-0.5b-gsm8k.yaml")
    done = plan(tmp_path, recipe, HF_ENDPOINT=f"http://127.0.0.1:{server.server_port}")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(server.asked) == (2 if first else 1)
    assert "train:    300 prompts (math 300) (assumed)" in done.stdout
    assert f"(the Hub: it answered {status} " in done.stdout
    assert ", to be asked again in 30 s)" in done.stdout


def test_a_connection_that_breaks_while_data_is_asked_for_is_not_tried_again(tmp_path):
    server = socket.create_server(("127.0.0.1", 0))
    asked = []

    def answer():
        while True:
            try:
                taken, _ = server.accept()
            except OSError:
                return
            asked.append(taken.recv(4096))
            if len(asked) == 1:
                taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            taken.close()

    threading.Thread(target=answer, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
    done = plan(tmp_path, str(ROOT / "recipes/qwen2.5-0.5b-gsm8k.yaml"), HF_ENDPOINT=endpoint)
    server.close()
    assert (done.returncode, done.stderr, len(asked)) == (0, "", 2)
    assert "train:    300 prompts (math 300) (assumed)" in done.stdout


ELSEWHERE = """
name: t
model: {id: lab, dtype: float32, thinking: true}
prompts:
  sources: [{source: lab, take: 10, options: {split: train, kinds: [math], steps: [4]}}]
  dev_min_per_kind: 2
sample: {n: 2, sampling: {max_tokens: 300}}
bench: %s
"""


@pytest.mark.parametrize(
    ("bench", "test", "unknown", "line"),
    [
        ("{suite: easy, limit: 2}", {"gsm8k_cot": 2, "ifeval": 2}, (),
         "test:     4 prompts (gsm8k_cot 2, ifeval 2) (assumed)"),
        ("{tasks: [{name: mine, lm_eval: ./mine.yaml, take: 4}]}", {"mine": 4}, (),
         "test:     4 prompts (mine 4)"),
        ("{tasks: [{name: mine, lm_eval: ./mine.yaml}, {name: bbh, lm_eval: bbh, take: 3}]}",
         {"bbh": 3}, ("mine",), "test:     3 prompts (bbh 3), mine not known (assumed)"),
        ("{tasks: [{name: mine, lm_eval: ./mine.yaml}]}", {}, ("mine",), "test:     mine not known"),
        ("{tasks: [{name: own, source: {source: lab, take: 3, options: {split: test, kinds: [math],"
         " steps: [4]}}}, {name: mine, lm_eval: ./mine.yaml, take: 4}]}", {"own": 3, "mine": 4}, (),
         "test:     7 prompts (own 3, mine 4)"),
    ],
)  # fmt: skip
def test_tests_of_lm_eval_in_another_environment_are_counted(
    tmp_path, monkeypatch, bench, test, unknown, line
):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("task: mine\ndataset_path: json\noutput_type: generate_until\n")
    recipe = parse(yaml.safe_load(ELSEWHERE % bench.replace("{", "{budget: 120, ", 1)))
    runtime = Runtime(python={"bench": sys.executable})
    found = forecast(recipe, runtime, tmp_path, tokens_per_second=100)
    assert found.prompts.test == test and found.prompts.test_unknown == unknown
    assert (found.bench_answers is None) == (found.bench_hours is None) == bool(unknown)
    lines = list(describe_forecast(found))
    assert line in lines and "train:    8 prompts (lab_math 8)" in lines
    assert any("of bench not known" in each for each in lines) == bool(unknown)


@pytest.mark.parametrize(
    ("status", "there"),
    [("404 Not Found", True), ("503 Down", False), ("429 Too Many Requests", False)],
)
def test_a_hub_that_is_there_answers(monkeypatch, status, there):
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    server = socket.create_server(("127.0.0.1", 0))

    def answer():
        taken, _ = server.accept()
        taken.recv(4096)
        taken.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        taken.close()

    threading.Thread(target=answer, daemon=True).start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
    assert (find_hub_fault(30) == "") is there
    server.close()
    assert find_hub_fault(30), "nobody listens there now"
    monkeypatch.setenv("HF_ENDPOINT", "not a url")
    assert find_hub_fault(30)


LOCAL = {
    "gsm8k": "gsm8k", "arc": "arc", "ifeval": "ifeval", "mbpp": "mbpp", "mbpp_plus": "mbppplus",
    "humaneval": "humaneval", "humaneval_plus": "humanevalplus", "math500": "math500",
    "aime": "aime", "math": "math",
}  # fmt: skip


@pytest.mark.skipif(not DATA.is_dir(), reason="no real data here (../shared/data)")
@pytest.mark.parametrize("name", LOCAL)
def test_known_sizes_are_what_the_sources_give(name):
    known = resolve("source", name)
    cases = [(split, {}) for split in known.sizes]
    if name == "math":
        cases += [(split, {"levels": [1, 5]}) for split in known.sizes]
    for split, options in cases:
        folder = DATA / LOCAL[name]
        file = {"train": "train.jsonl.gz", "test": "test.jsonl"}[split] if name == "math" else ""
        there = SourceSettings(
            source=name, options={"split": split, "path": str(folder / file), **options}
        )
        wanted = find_size(SourceSettings(source=name, options={"split": split, **options}))
        prompts = load_source(there, 0)
        assert wanted == {prompts[0].kind: len(prompts)}


@pytest.mark.parametrize(
    ("source", "options", "take", "count"),
    [
        ("gsm8k", {}, None, 7473), ("gsm8k", {"split": "test"}, 400, 400), ("gsm8k", {}, 9000, 7473),
        ("math", {"split": "test", "levels": [5]}, None, 1324), ("math", {"levels": []}, None, 7497),
        ("arc", {"subset": "ARC-Easy", "split": "test"}, None, 2376), ("mmlu_pro", {}, None, 12032),
        ("gsm8k", {"path": "x"}, None, None), ("math", {"subjects": ["algebra"]}, None, None),
        ("gsm8k", {"split": "tset"}, None, None), ("lab", {}, None, None),
        ("hub", {"kind": "math", "dataset": "x"}, 50, 50), ("hub", {"kind": "math"}, None, None),
    ],
)  # fmt: skip
def test_sizes_by_option(source, options, take, count):
    found = find_size(SourceSettings(source=source, options=options, take=take))
    assert (sum(found.values()) if found else None) == count


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("Qwen/Qwen3.5-4B", 4e9), ("Qwen/Qwen2.5-Coder-0.5B-Instruct", 5e8), ("x/Qwen3-30B-A3B", 3e10),
        ("HuggingFaceTB/SmolLM2-360M", 3.6e8), ("openai/gpt-oss-20b", 2e10), ("my/model", None),
        ("a/b2B", None), ("phi-4", None),
    ],
)  # fmt: skip
def test_parameters_by_name(name, parameters):
    assert parameters_of(name) == parameters


@pytest.mark.parametrize(
    ("bench", "problems", "answers"),
    [
        ({"settings": ["ship"]}, 100, 200),
        ({"settings": ["ship"], "repeats": 4}, 100, 500),
        ({}, 100, 400),
        ({"repeats": 4}, 100, 1000),
        ({"recommended": {"temperature": 0, "max_tokens": 7}, "settings": ["equal"]}, 100, 200),
        ({"settings": []}, 100, 0),
    ],
)
def test_a_plan_counts_the_answers_that_the_bench_decodes(bench, problems, answers):
    settings = Bench.model_validate(bench)
    assert count_completions(settings, decodings_of(settings), problems) == answers


def one(index, think, answer=2, ok=True):
    ids = tuple(range(think + answer + 3))
    return Completion(
        "p", index, 0, "", "a", "", (1,), ids, think, answer, "stop", None, 0.0, "test",
        Verdict(ok, "", "presentation"),
    )  # fmt: skip


def test_the_pilots_winner_is_the_one_that_select_keeps():
    pool = [one(0, 3), one(1, 10, answer=9), one(2, 40)]
    found = pilot_of(pool, Sample(n=3), Select(min_think_tokens=5), 1.0)
    assert (found.shortest, found.gold) == (10, 1 + 10 + 9 + 3)
    whole = pilot_of(pool, Sample(n=3, exhaustive=True), Select(policy="median"), 1.0)
    assert whole.gold == 1 + 10 + 9 + 3


def test_assumed_tokens_follow_the_recipe():
    base = {"name": "t", "model": {"id": "m"}, "prompts": {"sources": [{"source": "lab"}]}}
    recipe = parse({**base, "sample": {"n": 4, "sampling": {"max_tokens": 300}}})
    tokens = assume_tokens(recipe, train=10, dev=2, answers=5)
    assert (tokens.exhaustive, tokens.raced, tokens.bench) == (4200, 3000, 500)
    whole = parse({**base, "sample": {"exhaustive": True}})
    assumed = assume_tokens(whole, 10, 2, 5)
    assert assumed.raced == assumed.exhaustive
