"""Stages as processes: codes and interruptions passed on, another Python, a safe path."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from deimos.runs.launch import StageFailed, launch, run_stages
from deimos.recipe import parse
from deimos.runs.folder import RunError, RunFolder, run_stage
from deimos.runs.plan import Stage, plan_stages, plan_text

STAGE_PROCESS = """
import os, signal, sys, time
from pathlib import Path
run, stage = Path(sys.argv[1]), sys.argv[2]
(run / "threads").write_text(os.environ.get("OMP_NUM_THREADS", ""))
if stage == "sleep":
    try:
        (run / "ready").touch()
        time.sleep(60)
    except KeyboardInterrupt:
        (run / "interrupted").touch()
        sys.exit(130)
if stage == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit({"fail": 3, "user": 2}.get(stage, 0))
"""
RECIPE = {"name": "r", "model": {"id": "m"}, "prompts": {"sources": [{"source": "lab"}]}}


NAMES = ("ok", "fail", "user", "kill", "sleep", "sample")
STAGES = tuple(Stage(name, 1, (), ("prompts",), lambda job: {}) for name in NAMES)


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "stage_process.py").write_text(STAGE_PROCESS)
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    return tmp_path / "run"


def go(path, stage, **runtime):
    """Launch one stage whose process is the script above."""
    plan = plan_stages(STAGES, parse(RECIPE))
    with RunFolder.begin(path, parse(RECIPE), runtime, plan) as run:
        launch(run, next(p for p in plan if p.stage.name == stage), module="stage_process")


def test_threads_reach_the_stage(run):
    go(run, "ok", threads=3)
    assert (run / "threads").read_text() == "3"


@pytest.mark.parametrize(
    ("stage", "code", "says"),
    [("fail", 3, "exit code 3"), ("user", 2, ""), ("kill", 137, "SIGKILL")],
)
def test_codes_are_passed_on(run, stage, code, says):
    with pytest.raises(StageFailed) as failed:
        go(run, stage)
    assert failed.value.code == code and says in str(failed.value)


def test_an_interruption_is_handed_on_and_says_how_to_resume(run):
    def interrupt():
        while not (run / "ready").exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(StageFailed, match="resume") as failed:
        go(run, "sleep")
    assert failed.value.code == 130
    assert (run / "interrupted").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_python_that_the_runtime_names_is_used(run, tmp_path):
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\ntouch "{tmp_path}/other"\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    go(run, "sample", python={"sample": str(script)})
    assert (tmp_path / "other").exists()
    with pytest.raises(RunError, match=r"runtime\.python\.sample = 'nowhere'"):
        go(run, "sample", python={"sample": "nowhere"})


@pytest.mark.parametrize("name", ["random", "torch", "json", "deimos"])
def test_a_module_in_the_working_folder_is_not_for_us(run, tmp_path, monkeypatch, name):
    here = tmp_path / "work"
    here.mkdir()
    (here / f"{name}.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(here)
    (tmp_path / "imports.py").write_text(
        "import importlib.util, sys; import random, json, deimos; importlib.util.find_spec('torch')"
    )
    plan = plan_stages(STAGES, parse(RECIPE))
    with RunFolder.begin(run, parse(RECIPE), {}, plan) as folder:
        launch(folder, plan[0], module="imports")


OWN_STAGES = """
import sys
from deimos.pipeline.process import main
from deimos.runs.plan import Stage

def work(job):
    with (job.out / "log").open("a") as file:
        file.write("x")
    return {"things": 1234, "unjudged": int((job.out / "log").read_text() == "x")}

STAGES = (Stage("one", 1, (), ("prompts",), work),)
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], STAGES))
"""


def test_complete_stages_are_left_alone_and_tried_again_by_their_own_verb(run, tmp_path):
    (tmp_path / "own_stages.py").write_text(OWN_STAGES)
    plan = plan_stages((Stage("one", 1, (), ("prompts",), lambda job: {}),), parse(RECIPE))
    lines = []
    with RunFolder.begin(run, parse(RECIPE), {}, plan) as folder:
        for alone in (False, False, True, True):
            run_stages(folder, plan, module="own_stages", say=lines.append, alone=alone)
        assert (folder.folder(plan[0]) / "log").read_text() == "xx"
    assert "1,234 things" in lines[1] and "1 could not be judged: `deimos one" in lines[1]
    assert lines[2].startswith("one: complete") and "could not be judged" in lines[2]
    assert lines[3] == "one: complete, but 1 could not be judged: trying them again"
    assert "could not be judged" not in lines[4] and lines[5].startswith("one: complete")


def test_a_stage_goes_by_the_frozen_plan_alone(run, tmp_path):
    (tmp_path / "own_stages.py").write_text(OWN_STAGES)
    stage = Stage("one", 1, (), ("prompts",), lambda job: {}, data=lambda recipe: {"only": "here"})
    plan = plan_stages((stage,), parse(RECIPE))
    with RunFolder.begin(run, parse(RECIPE), {}, plan) as folder:
        run_stages(folder, plan, module="own_stages", say=lambda line: None)
        # Its own process knows no `data` of the stage: it would have had another fingerprint.
        assert folder.is_fresh(plan[0])
        other = plan_stages((Stage("one", 1, (), ("name",), lambda job: {}),), parse(RECIPE))
        frozen = folder.path / "plan.json"
        frozen.write_text(plan_text(other))
        given = [sys.executable, "-P", "-m", "own_stages", str(run), "one", "0" * 64]
        done = subprocess.run(given, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "not the one to run" in done.stderr


def test_a_second_command_waits_for_nobody_and_changes_nothing(run):
    plan = plan_stages(STAGES, parse(RECIPE))
    with RunFolder.begin(run, parse(RECIPE), {}, plan) as folder:
        before = (folder.path / "recipe.yaml").read_text(), folder.plan_fingerprint()
        other = parse({**RECIPE, "sample": {"n": 3}})
        second = RunFolder.begin(run, other, {}, plan_stages(STAGES[:1], other))
        with pytest.raises(RunError, match="another deimos process"), second:
            pass
        assert ((folder.path / "recipe.yaml").read_text(), folder.plan_fingerprint()) == before


def test_a_stage_that_writes_no_record_is_a_failure(run):
    plan = plan_stages(STAGES[:1], parse(RECIPE))
    with RunFolder.begin(run, parse(RECIPE), {}, plan) as folder:
        with pytest.raises(StageFailed, match="no record"):
            run_stages(folder, plan, module="stage_process", say=lambda line: None)
        assert run_stage(folder, plan, "ok", "m")["counts"] == {}
