"""Stages as processes: codes passed on, interruptions handed on, another Python."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from deimos.runs.launch import StageFailed, launch, run_stages
from deimos.recipe import parse
from deimos.runs.folder import RunError, RunFolder, Stage, do_stage, plan_stages
from deimos.recipe.runtime import Runtime

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


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "stage_process.py").write_text(STAGE_PROCESS)
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    return RunFolder.create(tmp_path / "run", parse(RECIPE), {})


def go(run, stage, runtime=None):
    with run.lock() as fd:
        launch(stage, run.path, runtime or Runtime(), module="stage_process", lock_fd=fd)


def test_threads_reach_the_stage(run):
    go(run, "ok", Runtime(threads=3))
    assert (run.path / "threads").read_text() == "3"


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
        while not (run.path / "ready").exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(StageFailed, match="resume") as failed:
        go(run, "sleep")
    assert failed.value.code == 130
    assert (run.path / "interrupted").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_python_that_the_runtime_names_is_used(run):
    script = run.path / "python"
    script.write_text(f'#!/bin/sh\ntouch "{run.path}/other"\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    go(run, "sample", Runtime(python={"sample": str(script)}))
    assert (run.path / "other").exists()
    with pytest.raises(RunError, match=r"runtime\.python\.sample = 'nowhere'"):
        go(run, "sample", Runtime(python={"sample": "nowhere"}))


def test_complete_stages_are_left_alone(run, tmp_path):
    Path(tmp_path / "own_stages.py").write_text(
        "from deimos.runs.folder import Stage, RunFolder, do_stage, plan_stages\n"
        "def work(job):\n"
        "    with (job.out / 'log').open('a') as file: file.write('x')\n"
        "    return {'things': 1234}\n"
        "STAGES = (Stage('one', 1, (), ('prompts',), work),)\n"
        "if __name__ == '__main__':\n"
        "    import sys; from pathlib import Path\n"
        "    run = RunFolder(Path(sys.argv[1]))\n"
        "    do_stage(run, plan_stages(STAGES, run.settings()[0]), sys.argv[2], 'm')\n"
    )
    plan = plan_stages((Stage("one", 1, (), ("prompts",), lambda job: {}),), run.settings()[0])
    said = []
    for _ in range(2):
        run_stages(run, plan, module="own_stages", say=said.append)
    run_stages(run, plan, module="own_stages", say=said.append, again="one")
    assert (run.folder(plan[0]) / "log").read_text() == "xx"
    assert "1,234 things" in said[1] and said[2].startswith("one: complete")
    assert said[3] == "one: bringing up to date"


def test_a_stage_that_writes_no_record_is_a_failure(run):
    plan = plan_stages((Stage("ok", 1, (), ("prompts",), lambda job: {}),), run.settings()[0])
    with pytest.raises(StageFailed, match="no record"):
        run_stages(run, plan, module="stage_process", say=lambda line: None)
    assert do_stage(run, plan, "ok", "m")["counts"] == {}
