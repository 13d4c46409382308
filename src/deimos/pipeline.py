"""The architecture: which stages there are, what each depends on, and what is plugged into each.

Run as ``python -m deimos.pipeline RUN STAGE`` it carries out one stage in this process. Packages
on one level don't know each other; what one needs of another is handed over here.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from deimos.fingerprint import data_hashes, model_hash
from deimos.recipe import Recipe, Source
from deimos.registry import content_hash
from deimos.run import Planned, RunError, RunFolder, Stage, StageJob, do_stage, plan_stages
from deimos.runtime import Runtime

Counts = Mapping[str, Any]


def _prompts(job: StageJob) -> Counts:
    from deimos.bench.tasks import load_tasks
    from deimos.prompts import stage

    # Said here already, and again by the benchmark: nobody samples for hours to be told at the end.
    tested = testable(job.recipe, job.runtime)
    return stage.run(job, check=lambda prompts: load_tasks(tested, prompts))


def _sample(job: StageJob) -> Counts:
    from deimos.sample import stage
    from deimos.select.words import function_word_rate

    with judge_of(job) as judge:
        return stage.run(job, gate_for=gates(job, judge), function_words=function_word_rate)


def _select(job: StageJob) -> Counts:
    from deimos.select import stage

    with judge_of(job) as judge:
        return stage.run(job, gate_for=gates(job, judge))


def _train(job: StageJob) -> Counts:
    from deimos.train import stage

    return stage.run(job)


def _bench(job: StageJob) -> Counts:
    from deimos.bench import stage

    with judge_of(job) as judge:
        return stage.run(job, judge=judge)


def _report(job: StageJob) -> Counts:
    from deimos.report import stage

    return stage.run(job.out, job.inputs, job.recipe)


def _prompt_data(recipe: Recipe) -> dict[str, str]:
    return _sources_data(recipe.prompts.sources)


def _tested(recipe: Recipe) -> dict[str, Any]:
    """What the prompts are checked against: other tests ask for another check, not other prompts."""
    settings = recipe.model_dump(mode="json", include={"bench", "allow_contamination"})
    bench = {key: settings["bench"][key] for key in ("tasks", "seed")}
    data = _test_data(recipe)
    return {"bench": bench, "allow_contamination": settings["allow_contamination"], "data": data}


def _model_data(recipe: Recipe) -> dict[str, str]:
    folder = Path(model_path(recipe))
    return {"model": model_hash(folder)} if folder.is_dir() else {}


def _grader_data(recipe: Recipe) -> dict[str, str]:
    hashes = {spec: content_hash(spec) for spec in recipe.select.graders.values()}
    return {spec: digest for spec, digest in hashes.items() if digest}


def _test_data(recipe: Recipe) -> dict[str, str]:
    data = _sources_data([task.source for task in recipe.bench.tasks if task.source])
    for task in recipe.bench.tasks:
        if task.lm_eval:
            from deimos.bench.lm_eval_yaml import task_data

            data |= task_data(task)
    return data


def _filters(recipe: Recipe) -> dict[str, Any]:
    """What the race stops candidates by: a change owes some of them their decoding."""
    select = recipe.select.model_dump(mode="json", exclude={"policy", "quota"})
    return {"select": select, "data": _grader_data(recipe)}


def _bench_data(recipe: Recipe) -> dict[str, str]:
    return {**_test_data(recipe), **_grader_data(recipe), **_model_data(recipe)}


ALL = ("prompts", "sample", "select", "train", "bench", "report")
FULL = 1 << 16
"""A disk with fewer bytes free counts as full."""
REPORT_FILES = ("summary.json", "report.html", "MODEL_CARD.md")
BENCH_KEYS = ("model", "bench", "select.graders", "allow_contamination")
STAGES = (
    Stage("prompts", 1, (), ("prompts",), _prompts, _prompt_data, _tested),
    Stage("sample", 3, ("prompts",), ("model", "sample"), _sample, _model_data, _filters),
    Stage("select", 2, ("prompts", "sample"), ("model", "select"), _select, _grader_data),
    Stage("train", 1, ("select",), ("model", "train"), _train, _model_data),
    Stage("bench", 2, ("prompts", "sample", "train"), BENCH_KEYS, _bench, _bench_data),
    Stage("report", 1, ALL[:-1], ("name",), _report, summary=REPORT_FILES),
)
"""In order of dependence. What changes a stage's result stands in its keys or its data."""


def plan(recipe: Recipe, until: str | None = None) -> list[Planned]:
    """The stages of a recipe with their identities, up to and including ``until``."""
    return plan_stages(STAGES[: ALL.index(until) + 1 if until else None], recipe)


def model_path(recipe: Recipe) -> str:
    """Folder or Hub id of the recipe's model; ``lab`` is the packaged one."""
    if recipe.model.id != "lab":
        return recipe.model.id
    from deimos.lab.weights import lab_path

    return str(lab_path())


def testable(recipe: Recipe, runtime: Runtime) -> Recipe:
    """The recipe with those test tasks that this Python can load: lm-eval may be in another."""
    if "bench" not in runtime.python:
        return recipe
    tasks = [task for task in recipe.bench.tasks if task.source]
    return recipe.model_copy(update={"bench": recipe.bench.model_copy(update={"tasks": tasks})})


def exit_code_of(error: BaseException) -> int | None:
    """2: the user's to mend; 1: it went wrong in a known way; None: a bug, to be shown in full.

    Known errors are of classes that this package defines; their message says it all.
    """
    if not type(error).__module__.startswith("deimos."):
        return None
    return 2 if isinstance(error, ValueError | LookupError) else 1


def disk_fault(error: BaseException, folder: Path) -> str:
    """What the disk refused, where that is why a library failed; empty where it is not.

    Some libraries hide the reason (``torch.save`` speaks of file positions), so a disk that has
    no room left counts as one.
    """
    refusals = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, OSError) and cause.errno in refusals:
            return os.strerror(cause.errno)
        cause = cause.__cause__ or cause.__context__
    full = shutil.disk_usage(folder).free < FULL or "os error 28" in str(error)
    return os.strerror(errno.ENOSPC) if full else ""


def preview_select(run: RunFolder, planned: Planned) -> Iterator[str]:
    """What several policies would keep of the pool, a line each; writes nothing.

    Raises:
        RunError: the stages before have not run.
    """
    from deimos.progress import Progress
    from deimos.select.stage import preview

    recipe, runtime = run.settings()
    inputs = {name: run.path / folder for name, folder in run.inputs(planned).items()}
    if len(inputs) < len(planned.needs):
        raise RunError(f"{str(run.path)!r} has no candidates to choose from: run `deimos sample`")
    with Progress() as progress:
        folder = run.folder(planned)
        job = StageJob(recipe, runtime, model_path(recipe), inputs, folder, progress)
        with judge_of(job) as judge:
            rows = preview(job, gate_for=gates(job, judge))
    unknown = "not measured: the race stopped candidates (set sample.exhaustive or sample.probe)"
    for row in rows:
        told = f"{row['kept']} kept, median thought {row['think_tokens_median']} tokens"
        yield f"{row['policy']:14} {unknown if row['kept'] is None else told}"


def judge_of(job: StageJob) -> Any:
    """The recipe's graders behind processes that can be killed; a context manager."""
    from deimos.graders.worker import Judge

    return Judge(
        job.recipe.select.graders,
        workers=job.runtime.grader_workers,
        timeout=job.runtime.grader_timeout,
    )


def gates(job: StageJob, judge: Any) -> Any:
    """Filters 1 to 3 of a recipe; called with a shape and the constants it makes a gate."""
    from deimos.select.filters import gate_for
    from deimos.thinking import Tags

    tags = job.recipe.model.tags
    return gate_for(job.recipe.select, Tags(tags.open, tags.close) if tags else None, judge)


def _sources_data(sources: Sequence[Source]) -> dict[str, str]:
    data: dict[str, str] = {}
    for source in sources:
        digest = content_hash(source.source)
        data |= data_hashes(source.options) | ({source.source: digest} if digest else {})
    return data


def main(argv: Sequence[str]) -> int:
    """Carry out one stage of a run folder; returns the exit code."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    run, name = RunFolder(Path(argv[0])), argv[1]
    try:
        recipe, _ = run.settings()
        do_stage(run, plan(recipe), name, model_path(recipe))
    except KeyboardInterrupt:
        return 130
    except Exception as e:
        code = exit_code_of(e)
        if code is None and (reason := disk_fault(e, run.path)):
            print(f"error: {name} cannot write in {run.path}: {reason}", file=sys.stderr)
            return 1
        if code is None:
            raise
        print(f"error: {e}", file=sys.stderr)
        return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
