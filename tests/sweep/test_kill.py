"""A sweep that is killed goes on from its journals: only what was in flight is decoded again."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from deimos.store.journal import read

HERE = Path(__file__).parent
BATCH = 4
CHILD = """
import asyncio, importlib.util, json, pathlib, sys
spec = importlib.util.spec_from_file_location("world", sys.argv[1])
world = importlib.util.module_from_spec(spec)
sys.modules["world"] = world
spec.loader.exec_module(world)

from deimos.engines.echo import EchoEngine
from deimos.graders.worker.pool import Judge
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe import parse
from deimos.recipe.runtime import Runtime
from deimos.registry import engine
from deimos.runs.plan import StageJob
from deimos.runs.progress import ProgressBar
from deimos.sweep import stage

root = pathlib.Path(sys.argv[2])
log = open(root / "decoded.txt", "a", buffering=1)

class Slow(EchoEngine):
    async def sample(self, jobs):
        async for event in super().sample(jobs):
            await asyncio.sleep(0.002)
            yield event

@engine("slow_script")
def slow(ref, runtime):
    tokenizer = load_tokenizer(ref)
    def script(job):
        print(job.key.prompt_id[:12], job.sampling, bool(ref.adapter), file=log)
        i = int(world.re.findall(r"What is (\\d+) plus", tokenizer.decode(job.prompt_ids))[-1])
        return tuple(tokenizer(world.says(i, job), add_special_tokens=False)["input_ids"])
    return Slow(script, max_batch=BATCH)

recipe = parse({"name": "t", "model": {"id": "m"}, "prompts": {"sources": [{"source": "sweep_script_sums"}]},
                "bench": {"locked": {"temperature": 1.0}, "budget": 200},
                "sweep": {"parameters": {"temperature": [0.0, 1.5], "repetition_penalty": [1.1]}, "block": 8}})
inputs = {name: root / name for name in ("prompts", "sample", "train")}
job = StageJob(recipe, Runtime(engine="slow_script"), sys.argv[3], inputs, root / "sweep", ProgressBar())
base, tuned = ModelRef(sys.argv[3]), ModelRef(sys.argv[3], adapter=str(inputs["train"] / "adapter"))
with Judge({"math": "math"}) as judge:
    stage.run(job, models={"base": base, "tuned": tuned}, judge=judge, check=lambda prompts: None)
""".replace("BATCH", str(BATCH))


def start(root: Path, model_path: str) -> subprocess.Popen:
    command = [sys.executable, "-c", CHILD, str(HERE / "conftest.py"), str(root), model_path]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def decoded(root: Path) -> list[str]:
    path = root / "decoded.txt"
    return path.read_text().splitlines() if path.exists() else []


def prepare(root: Path, job) -> Path:
    """The folders of the stages before, as the fixture makes them."""
    root.mkdir()
    for name, folder in job.inputs.items():
        shutil.copytree(folder, root / name)
    return root


def test_killed_at_four_fifths_only_what_was_in_flight_is_repeated(job, tmp_path, model_path):
    made = job(items=24)
    undisturbed, killed = (prepare(tmp_path / name, made) for name in ("undisturbed", "killed"))
    child = start(undisturbed, model_path)
    assert child.wait(timeout=280) == 0, child.stderr.read().decode()[-2000:]
    every = decoded(undisturbed)
    assert len(every) == len(set(every)) > 100, "no item of a config is decoded twice"

    child = start(killed, model_path)
    while len(decoded(killed)) < 0.8 * len(every):
        assert child.poll() is None, child.stderr.read().decode()[-2000:]
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    before = decoded(killed)
    assert len(before) < len(every) and not (killed / "sweep" / "locked.yaml").exists()

    child = start(killed, model_path)
    assert child.wait(timeout=280) == 0, child.stderr.read().decode()[-2000:]
    both = decoded(killed)
    repeated = len(both) - len(set(both))
    assert set(both) == set(every) and repeated <= BATCH, "what was in flight, and nothing else"
    for name in ("trials.jsonl", "locked.yaml"):
        assert (killed / "sweep" / name).read_bytes() == (undisturbed / "sweep" / name).read_bytes()
    for path in (undisturbed / "sweep" / "samples").iterdir():
        ours, theirs = ({(r["prompt_id"], r["key"], r["text"]) for r in read(p)}
                        for p in (path, killed / "sweep" / "samples" / path.name))  # fmt: skip
        assert ours == theirs
