"""The judge stays alive and right, whatever a grader does; every grader here is real and runs."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deimos import Prompt
from deimos.graders import Judge
from deimos.registry import UnknownName, grader
from deimos.types import Verdict, null_reason

GRADER = """
import os, subprocess, sys, time
from deimos import Verdict

def grade(answer, reference):
    print("noise on standard output")
    if answer == "hang":
        while True: pass
    if answer == "crash":
        os._exit(3)
    if answer == "crash once":
        try:
            os.mkdir(reference)
        except FileExistsError:
            return Verdict.of(True, "second time")
        os._exit(3)
    if answer == "allocate":
        held = bytearray(3 << 30)
    if answer == "raise":
        raise KeyError("lost")
    if answer == "nonsense":
        return 7
    if answer == "spawn":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        open(reference, "w").write(str(child.pid))
        time.sleep(600)
    if answer.startswith("work"):
        while time.process_time() < float(answer.split()[1]): pass
    if answer == "wait":
        time.sleep(2)
        return Verdict.of(True)
    if answer == "pid":
        return Verdict.of(True, str(os.getpid()))
    if answer == "secret":
        return Verdict.of("HF_TOKEN" not in os.environ)
    return Verdict.of(answer == reference)
"""


@pytest.fixture
def spec(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(GRADER)
    return f"{file}:grade"


def prompt(reference="x", kind="math"):
    return Prompt.of(task="t", kind=kind, messages=[], reference=reference)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    return state != "Z"  # a zombie is dead


def test_hangs_crashes_and_hoggers_are_null_and_their_neighbours_right(spec):
    async def run():
        async with Judge({"math": spec}, workers=2, timeout=3.0) as judge:
            answers = ["x", "hang", "y", "crash", "x", "allocate", "raise", "x", "nonsense", "y"]
            return await asyncio.gather(*(judge(prompt(), answer) for answer in answers))

    verdicts = asyncio.run(run())
    assert [v.ok for v in verdicts] == [
        True,
        None,
        False,
        None,
        True,
        None,
        None,
        True,
        None,
        False,
    ]
    assert verdicts[1].because == "timeout: no verdict in 3 s of processor time"
    assert verdicts[3].because == "infrastructure: the judging process ended with exit code 3"
    assert verdicts[5].because == "infrastructure: MemoryError while judging"
    assert verdicts[6].because == "the grader raised KeyError: 'lost'"
    assert "returned int" in verdicts[8].because


def test_a_crash_is_tried_once_more(spec, tmp_path):
    with Judge({"math": spec}) as judge:
        assert judge.submit("math", "crash once", str(tmp_path / "been")).result().ok is True


def test_the_deadline_counts_from_dispatch_and_a_kill_takes_the_children_too(
    spec, tmp_path, monkeypatch
):
    """The third item waits twice its own deadline for the only worker, and is not late."""
    monkeypatch.setattr("deimos.graders.worker.process.WALL", 2)
    note = tmp_path / "pid"
    with Judge({"math": spec}, timeout=1.5) as judge:
        hung = [judge.submit("math", "spawn", str(note)), judge.submit("math", "hang", "")]
        last = judge.submit("math", "x", "x")
        assert last.result(timeout=60).ok is True
        assert [f.result().ok for f in hung] == [None, None]
    pid = int(note.read_text())
    for _ in range(50):
        if not alive(pid):
            break
        time.sleep(0.1)
    assert not alive(pid)


BUSY = "import sys, time\nwhile time.time() < float(sys.argv[1]): pass"


def test_a_busy_machine_makes_no_verdict_null(spec):
    """An item that needs 1 s of a deadline of 1.5 s, beside four loops a core."""
    end = str(time.time() + 25)
    loops = [
        subprocess.Popen([sys.executable, "-c", BUSY, end])
        for _ in range(4 * (os.cpu_count() or 1))
    ]
    try:
        with Judge({"math": spec}, timeout=1.5) as judge:
            judge.submit("math", "x", "x").result()
            start = time.monotonic()
            verdicts = [judge.submit("math", f"work {n + 1}", "").result() for n in range(2)]
            slow = time.monotonic() - start
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
    assert [v.ok for v in verdicts] == [False, False], f"{verdicts} in {slow:.1f} s"


def test_time_spent_waiting_is_not_the_items_own_up_to_a_deadline_by_the_clock(spec, monkeypatch):
    with Judge({"math": spec}, timeout=0.5) as judge:
        assert judge.submit("math", "wait", "").result().ok is True
        monkeypatch.setattr("deimos.graders.worker.process.WALL", 2)
        late = judge.submit("math", "wait", "").result()
    assert late.ok is None and late.because == "timeout: no verdict in 1 s by the clock"


def test_what_makes_verdicts_null_is_told_apart(spec):
    with Judge({"math": spec}, timeout=0.5) as judge:
        verdicts = [judge.submit("math", a, "").result() for a in ("hang", "crash", "raise")]
    assert [null_reason(v.because) for v in verdicts] == ["timeout", "failure", "unreadable"]
    odd = Verdict.of(None, "the reference 'x' cannot be read as mathematics")
    assert null_reason(odd.because) == "unreadable"


def test_the_event_loop_goes_on_while_a_grader_hangs(spec):
    async def run():
        beats = 0
        async with Judge({"math": spec, "choice": "choice"}, timeout=1.0) as judge:
            hung = asyncio.create_task(judge(prompt(), "hang"))
            while not hung.done():
                await asyncio.sleep(0.01)
                beats += 1
                options = prompt({"letter": "B", "options": list("xyz")}, "choice")
                assert (await judge(options, r"\boxed{B}")).ok is True
            return beats, await hung

    beats, verdict = asyncio.run(run())
    assert verdict.ok is None
    assert beats > 10


def test_workers_start_late_and_are_recycled(spec):
    with Judge({"math": spec}, recycle_after=2) as judge:
        assert not judge._children
        pids = [judge.submit("math", "pid", "").result().because for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]
    assert not alive(int(pids[-1]))


def test_fast_answers_start_no_process():
    with Judge({"math": "math", "choice": "choice"}) as judge:
        assert judge.submit("math", r"\boxed{4}", "4").result(timeout=0).ok is True
        assert judge.submit("math", r"\boxed{5}", "4").result(timeout=0).ok is False
        assert not judge._children


def test_a_symbolic_hang_is_null_in_time_and_the_next_answer_right():
    hang = r"\boxed{\sum_{n=1}^{9999}\sum_{m=1}^{9999}\frac{\sin(n^m)}{m!+\cos(n)}}"
    with Judge({"math": "math"}, timeout=2.0) as judge:
        slow, quick = (
            judge.submit("math", hang, "x^2"),
            judge.submit("math", r"\boxed{x\cdot x}", "x^2"),
        )
        assert slow.result(timeout=60).ok is not True
        assert quick.result(timeout=60).ok is True


def test_one_judge_serves_several_event_loops(spec):
    with Judge({"math": spec}) as judge:
        for answer in ("x", "y"):
            assert asyncio.run(judge(prompt(), answer)).ok is (answer == "x")


def test_secrets_stay_out_of_workers(spec, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "planted")
    with Judge({"math": spec}) as judge:
        assert judge.submit("math", "secret", "").result().ok is True


def test_closing_leaves_nothing_behind(spec):
    judge = Judge({"math": spec})
    waiting = [judge.submit("math", "hang", "") for _ in range(3)]
    while not judge._children:
        time.sleep(0.01)
    judge.close()
    assert {f.result(timeout=10).ok for f in waiting} == {None}
    assert not judge._children
    assert judge.submit("math", "x", "x").result().because == "infrastructure: the judge was closed"


def test_a_cancelled_item_harms_nobody(spec):
    async def run():
        async with Judge({"math": spec}, timeout=1.0) as judge:
            hung, waiting = (asyncio.create_task(judge(prompt(), a)) for a in ("hang", "x"))
            await asyncio.sleep(0.05)
            waiting.cancel()
            hung.cancel()
            return await judge(prompt(), "x")

    assert asyncio.run(run()).ok is True


@grader("here")
def here(answer, reference):
    return Verdict.of(answer == reference)


COUNTING = """
import os, time
from deimos import Verdict

def grade(answer, reference):
    time.sleep(0.2)
    with open(reference, "a") as file:
        file.write("asked ")
    return Verdict.of(None if answer == "null" else answer == "right")
"""


@pytest.mark.parametrize(
    ("answer", "asked", "ok"), [("right", 1, True), ("wrong", 1, False), ("null", 8, None)]
)
def test_the_same_answer_to_the_same_prompt_is_judged_once(tmp_path, answer, asked, ok):
    (tmp_path / "own.py").write_text(COUNTING)
    one, two = (prompt(str(tmp_path / name)) for name in ("one", "two"))

    async def ask():
        async with Judge({"math": f"{tmp_path}/own.py:grade"}, workers=2) as judge:
            at_once = await asyncio.gather(*(judge(one, answer) for _ in range(4)))
            later = [await judge(one, answer) for _ in range(4)]
            return *at_once, *later, await judge(two, answer)

    assert [verdict.ok for verdict in asyncio.run(ask())] == [ok] * 9
    counts = [(tmp_path / name).read_text().count("asked") for name in ("one", "two")]
    assert counts == [asked, 1]


def test_who_waits_for_anothers_verdict_outlives_its_being_cancelled(tmp_path):
    (tmp_path / "own.py").write_text(COUNTING)
    busy, mine = (prompt(str(tmp_path / name)) for name in ("busy", "mine"))

    async def ask():
        async with Judge({"math": f"{tmp_path}/own.py:grade"}) as judge:
            tasks = [asyncio.create_task(judge(p, "right")) for p in (busy, mine, mine, mine)]
            await asyncio.sleep(0.05)
            tasks[1].cancel()  # it waits behind the first
            tasks[2].cancel()  # and this one for it
            return await asyncio.gather(*tasks, return_exceptions=True)

    first, *cancelled, last = asyncio.run(ask())
    assert first.ok is True and last.ok is True
    assert [type(each) for each in cancelled] == [asyncio.CancelledError] * 2


def test_verdicts_are_not_kept_for_ever(spec, monkeypatch):
    monkeypatch.setattr("deimos.graders.worker.pool.REMEMBERED", 2)

    async def ask():
        async with Judge({"math": spec}) as judge:
            one = prompt()
            first = [(await judge(one, "pid")).because for _ in range(2)]
            for other in "abc":
                await judge(one, other)
            assert len(judge._known) == 2
            return first

    assert len(set(asyncio.run(ask()))) == 1


def test_a_grader_registered_only_in_this_process_is_found_by_its_file():
    with Judge({"math": "here"}) as judge:
        assert judge.submit("math", "", "").result().ok is True


def test_unknown_graders_and_kinds_are_told_at_once():
    with pytest.raises(UnknownName, match="did you mean 'math'"):
        Judge({"math": "maths"})
    with (
        Judge({"math": "math"}) as judge,
        pytest.raises(ValueError, match="no grader for kind 'code'"),
    ):
        judge.submit("code", "", "")


SLOW_TO_LOAD = """
import sys, time
from pathlib import Path
from deimos import Verdict, grader

def loaded(answer, reference):
    return Verdict.of(True, str([m for m in ("nltk", "lm_eval", "math_verify") if m in sys.modules]))

def prepare():
    Path(__file__).with_name("prepared").touch()
    time.sleep(2.5)

@grader("late", prepare=prepare)
def late(answer, reference):
    return Verdict.of(answer == reference)

def refuse():
    raise RuntimeError("no such model here")

@grader("broken", prepare=refuse)
def broken(answer, reference):
    return Verdict.of(True)
"""


@pytest.fixture
def kinds(tmp_path):
    file = tmp_path / "kinds.py"
    file.write_text(SLOW_TO_LOAD)
    return {
        "math": f"{file}:loaded",
        "choice": f"{file}:late",
        "code": f"{file}:broken",
        "instruction": "instruction",
    }


def test_a_kind_is_loaded_when_its_first_item_comes_and_not_on_its_time(kinds, tmp_path):
    with Judge(kinds, timeout=1.0) as judge:
        assert judge.submit("math", "", "").result().because == "[]"
        assert not (tmp_path / "prepared").exists()
        assert judge.submit("choice", "x", "x").result().ok is True
        assert (tmp_path / "prepared").exists()
        assert judge.submit("choice", "y", "x").result().ok is False


def test_a_kind_that_cannot_be_loaded_harms_no_other(kinds):
    with Judge(kinds) as judge:
        told = judge.submit("code", "x", "x").result()
        assert told.ok is None
        assert "cannot be loaded: RuntimeError: no such model here" in told.because
        assert judge.submit("math", "", "").result().ok is True


def test_memory_is_bounded_after_every_load(kinds, spec):
    with Judge({**kinds, "math": spec}) as judge:
        for _ in range(2):
            assert (
                judge.submit("math", "allocate", "").result().because.startswith("infrastructure")
            )
            assert judge.submit("choice", "x", "x").result().ok is True
