"""The run folder: identity, resuming, status, locking; with small stages that do real work."""

import json
import os
import re

import pytest
import yaml

from deimos.store.journal import Journal
from deimos.recipe import load, parse
from deimos.runs.folder import RunError, RunFolder, run_stage
from deimos.runs.plan import PlanError, Stage, plan_stages

RECIPE = {"name": "r", "model": {"id": "m"}, "prompts": {"sources": [{"source": "lab"}]}}


def count(job):
    """Writes how often it has run in its folder, and what its inputs hold."""
    file = job.out / "count"
    before = int(file.read_text()) if file.exists() else 0
    file.write_text(str(before + 1))
    return {"ran": before + 1, "inputs": sorted(job.inputs)}


STAGES = (
    Stage("prompts", 1, (), ("prompts",), count),
    Stage(
        "sample", 1, ("prompts",), ("sample",), count,
        tracks=lambda recipe: {"select": recipe.select.model_dump(mode="json")},
    ),
    Stage("train", 1, ("sample",), ("train", "select"), count),
    Stage("report", 1, ("prompts", "sample", "train"), ("name",), count, summary=("count",)),
)  # fmt: skip


def freeze(path, recipe, runtime):
    """The run folder with this recipe and its plan in it."""
    with RunFolder.begin(path, recipe, runtime, plan_stages(STAGES, recipe)) as run:
        return run


@pytest.fixture
def run(tmp_path):
    return freeze(tmp_path / "runs" / "r", parse(RECIPE), {"max_batch": 2})


def changed(run, key, value):
    """The plan of the run's recipe with one key changed, and the run folder taken up with it."""
    recipe, _ = load(run.path / "recipe.yaml", [f"{key}={value}"])
    freeze(run.path, recipe, {"max_batch": 2})
    return plan_stages(STAGES, recipe)


def planned(run):
    return plan_stages(STAGES, run.settings()[0])


def do_all(run, plan):
    """Run what is not up to date, in order."""
    for stage in plan:
        if not run.is_fresh(stage):
            run_stage(run, plan, stage.stage.name, "m")


def states(run, plan):
    return {s.stage: s.state for s in run.status(plan)}


def test_the_recipe_is_frozen_with_every_default_and_reads_back_the_same(run):
    recipe, runtime = run.settings()
    assert recipe == parse(RECIPE) and runtime.max_batch == 2
    frozen = yaml.safe_load((run.path / "recipe.yaml").read_text())
    assert frozen["sample"]["n"] == 8 and frozen["runtime"] == {"max_batch": 2}


def test_another_recipe_keeps_the_old_file_beside(run):
    before = (run.path / "recipe.yaml").read_text()
    changed(run, "sample.n", 4)
    kept = list(run.path.glob("recipe-*.yaml"))
    assert [p.read_text() for p in kept] == [before]


def test_a_folder_that_is_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="is not empty"):
        freeze(tmp_path, parse(RECIPE), {})
    with pytest.raises(RunError, match="not a run folder"):
        RunFolder.open(tmp_path)


def test_records_are_written_and_everything_is_fresh(run):
    plan = planned(run)
    assert set(states(run, plan).values()) == {"missing"}
    do_all(run, plan)
    assert set(states(run, plan).values()) == {"fresh"}
    record = json.loads((run.folder(plan[1]) / "record.json").read_text())
    assert record["fingerprint"].startswith(plan[1].folder.removeprefix("sample-"))
    assert record["inputs"] == {"prompts": plan[0].folder}
    assert record["counts"] == {"ran": 1, "inputs": ["prompts"]}
    assert record["seconds"] >= 0 and "python" in record["versions"]


def test_a_stage_refuses_to_run_before_what_it_needs(run):
    with pytest.raises(RunError, match="sample needs prompts: run `deimos prompts` first"):
        run_stage(run, planned(run), "sample", "m")
    with pytest.raises(PlanError, match="no stage 'smaple'"):
        run_stage(run, planned(run), "smaple", "m")


def test_a_summary_runs_of_what_is_there_and_is_stale_when_more_is(run):
    plan = planned(run)
    run_stage(run, plan, "prompts", "m")
    assert run_stage(run, plan, "report", "m")["counts"]["inputs"] == ["prompts"]
    assert states(run, plan)["report"] == "fresh"
    run_stage(run, plan, "sample", "m")
    assert states(run, plan)["report"] == "stale"


def test_a_changed_key_makes_a_new_folder_and_status_names_the_key(run):
    do_all(run, planned(run))
    old = {p.name for p in run.path.iterdir() if p.is_dir()}
    plan = changed(run, "sample.n", 4)
    told = {s.stage: s for s in run.status(plan)}
    assert told["prompts"].state == "fresh"
    assert told["sample"].state == "stale"
    assert told["sample"].differs == {"recipe.sample.n": (8, 4)}
    assert list(told["train"].differs) == ["inputs.sample"]
    do_all(run, plan)
    assert old < {p.name for p in run.path.iterdir() if p.is_dir()}
    back = changed(run, "sample.n", 8)
    assert states(run, back)["sample"] == "fresh"


def test_what_a_stage_tracks_brings_it_up_to_date_in_its_own_folder(run):
    do_all(run, planned(run))
    plan = changed(run, "select.min_pass", 2)
    told = {s.stage: s for s in run.status(plan)}
    assert told["sample"].state == "stale"
    assert told["sample"].differs == {"select.min_pass": (1, 2)}
    with pytest.raises(RunError, match="train needs sample"):
        run_stage(run, plan, "train", "m")
    assert run_stage(run, plan, "sample", "m")["counts"]["ran"] == 2
    assert states(run, plan)["sample"] == "fresh"


def test_what_a_stage_follows_brings_it_up_to_date_in_its_own_folder(run):
    """As the benchmark follows the routing, which a recipe may take up later, or change."""
    route = Stage(
        "route", 1, ("sample",), ("route",), count, when=lambda recipe: recipe.route is not None
    )
    bench = Stage("bench", 1, ("sample", "route"), ("bench",), count, follows=("route",))
    stages = (*STAGES[:2], route, bench)
    recipes = [parse({**RECIPE, **more}) for more in ({}, {"route": {}}, {"route": {"margin": 0.5}})]
    folders = []
    for times, recipe in enumerate(recipes, start=1):
        plan = plan_stages(stages, recipe)
        with RunFolder.begin(run.path, recipe, {}, plan) as again:
            do_all(again, plan[:-1])
            assert states(again, plan)["bench"] == ("stale" if times > 1 else "missing")
            do_all(again, plan)
            assert states(again, plan)["bench"] == "fresh"
        folders.append(run.path / plan[-1].folder)
        assert (folders[-1] / "count").read_text() == str(times)
    assert len(set(folders)) == 1


def test_runtime_is_no_part_of_identity(run):
    before = [p.fingerprint for p in planned(run)]
    freeze(run.path, parse(RECIPE), {"max_batch": 99, "device": "cpu"})
    assert [p.fingerprint for p in planned(run)] == before


def test_a_version_bump_is_another_identity(run):
    before = planned(run)[0].fingerprint
    bumped = (Stage("prompts", 2, (), ("prompts",), count), *STAGES[1:])
    assert plan_stages(bumped, run.settings()[0])[0].fingerprint != before


def test_an_attempt_cut_short_is_resumed_and_its_seconds_count(run):
    def fails_once(job):
        job.diagnostics["lost"] = lambda: 3
        if count(job)["ran"] == 1:
            raise KeyboardInterrupt
        return {"ran": 2}

    plan = plan_stages((Stage("prompts", 1, (), ("prompts",), fails_once),), run.settings()[0])
    with pytest.raises(KeyboardInterrupt):
        run_stage(run, plan, "prompts", "m")
    assert [(s.state, s.begun) for s in run.status(plan)] == [("missing", True)]
    record = run_stage(run, plan, "prompts", "m")
    assert record["attempts"] == 2 and record["counts"] == {"ran": 2}
    [cut] = record["cut_short"]
    assert (cut["whole"], cut["lost"]) == (False, 3) and cut["seconds"] >= 0


def test_a_killed_attempt_is_counted_and_torn_notes_are_passed_over(run):
    plan = plan_stages((Stage("prompts", 1, (), ("prompts",), count),), run.settings()[0])
    notes = run.folder(plan[0]) / "attempts.jsonl"
    notes.parent.mkdir()
    notes.write_text('{"seconds": 2.0}\n{"began": "then"}\n{"began": "later"}\n{"seco\n')
    record = run_stage(run, plan, "prompts", "m")
    assert record["attempts"] == 4 and record["seconds"] >= 2
    assert record["cut_short"] == [{"began": "then"}, {"began": "later"}]


def test_one_writer_at_a_time(run):
    assert not run.is_running()
    with run.lock():
        assert run.is_running()
        with pytest.raises(RunError, match="another deimos process"), run.lock():
            pass
    assert not run.is_running()


def test_a_run_that_can_only_be_read_is_not_taken_for_a_running_one(run, monkeypatch):
    with run.lock():
        pass
    real = os.open

    def read_only(path, flags, *mode):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, flags, *mode)

    monkeypatch.setattr(os, "open", read_only)
    assert not run.is_running()


def test_the_recipe_does_not_change_under_a_run(run):
    with run.lock(), pytest.raises(RunError, match="another deimos process"):
        changed(run, "sample.n", 4)
    assert run.settings()[0].sample.n == 8


def test_a_damaged_record_is_named(run):
    plan = planned(run)
    do_all(run, plan)
    (run.folder(plan[0]) / "record.json").write_text("{")
    with pytest.raises(ValueError, match=r"record\.json is damaged"):
        run.status(plan)


def test_a_stage_is_complete_only_with_the_files_that_its_record_lists(run):
    plan = planned(run)
    do_all(run, plan)
    sample = run.folder(plan[1])
    assert json.loads((sample / "record.json").read_text())["files"]["count"]["bytes"] == 1
    (sample / "count").unlink()
    told = {s.stage: s for s in run.status(plan)}["sample"]
    assert (told.state, told.differs) == ("stale", {"files.count": (1, None)})
    assert states(run, plan)["train"] == "stale"


def test_a_file_whose_content_changed_under_its_size_is_named(run):
    plan = planned(run)
    do_all(run, plan)
    (run.folder(plan[0]) / "count").write_text("7")
    assert run.damaged(plan[0]) == ["count"]
    assert run.damaged(plan[1]) == []
    for stage in plan:
        run.discard_damaged(stage)
    assert not (run.folder(plan[0]) / "count").exists()  # else it would be taken for finished
    assert (run.folder(plan[1]) / "count").exists()


def test_the_newest_record_is_told_without_the_clock(run):
    plan = planned(run)
    do_all(run, plan)
    later = changed(run, "sample.n", 4)
    run_stage(run, later, "sample", "m")
    for folder in (run.folder(plan[1]), run.folder(later[1])):
        record = json.loads((folder / "record.json").read_text())
        # The clock was set back by a year between the two.
        record["finished"] = "2026-01-01" if folder == run.folder(later[1]) else "2027-01-01"
        (folder / "record.json").write_text(json.dumps(record))
    status = {s.stage: s for s in run.status(changed(run, "sample.n", 2))}["sample"]
    assert status.differs == {"recipe.sample.n": (4, 2)}


def test_spoiled_records_are_counted_in_the_status(run):
    plan = planned(run)
    do_all(run, plan)
    path = run.folder(plan[1]) / "a.jsonl"
    with Journal(path) as journal:
        journal.append({"n": 1})
        journal.append({"n": 2})
    path.write_bytes(path.read_bytes().replace(b'"n":1', b'"n":7'))
    run_stage(run, plan, "sample", "m")
    assert {s.stage: s.spoiled for s in run.status(plan)}["sample"] == 1


def test_a_summary_is_made_again_once_a_stage_before_it_has_been(run):
    plan = planned(run)
    do_all(run, plan)
    folder = run.folder(plan[1])
    (folder / "count").write_text("0")  # so that running it again writes the same
    run_stage(run, plan, "sample", "m")
    assert states(run, plan) == {
        "prompts": "fresh", "sample": "fresh", "train": "fresh", "report": "stale",
    }  # fmt: skip


def test_an_input_that_was_made_again_makes_what_stands_on_it_stale(run):
    plan = planned(run)
    do_all(run, plan)
    run_stage(run, plan, "sample", "m")  # writes "2", where train read "1"
    assert states(run, plan) == {
        "prompts": "fresh", "sample": "fresh", "train": "stale", "report": "stale",
    }  # fmt: skip
    stale = {s.stage: s for s in run.status(plan)}["train"]
    assert list(stale.differs) == ["input_digests.sample"]
    do_all(run, plan)
    assert set(states(run, plan).values()) == {"fresh"}


def test_only_the_files_that_a_stage_reads_make_it_stale(run):
    def two(job):
        (job.out / "seconds").write_text(str(count(job)["ran"]))
        (job.out / "golds").write_text("g")
        (job.out / "count").unlink()
        return {}

    stages = (
        Stage("prompts", 1, (), ("prompts",), two),
        Stage("sample", 1, ("prompts",), ("sample",), count, reads={"prompts": ("gold*",)}),
    )
    plan = plan_stages(stages, run.settings()[0])
    do_all(run, plan)
    (run.folder(plan[0]) / "count").write_text("7")
    run_stage(run, plan, "prompts", "m")
    assert states(run, plan) == {"prompts": "fresh", "sample": "fresh"}
    (run.folder(plan[0]) / "record.json").unlink()
    changed_golds = plan_stages(
        (Stage("prompts", 1, (), ("prompts",), lambda job: (job.out / "golds").write_text("h") and {}), stages[1]),
        run.settings()[0],
    )
    run_stage(run, changed_golds, "prompts", "m")
    assert states(run, changed_golds) == {"prompts": "fresh", "sample": "stale"}


@pytest.mark.parametrize(
    ("found", "shown"), [("2", "'2'"), ([2], "[2]"), (2.5, "2.5"), (None, "null")]
)
def test_a_record_whose_format_is_no_whole_number_is_told_from_another_version(run, found, shown):
    plan = planned(run)
    do_all(run, plan)
    path = run.folder(plan[0]) / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": found}))
    with pytest.raises(RunError, match=f"a record whose format is {re.escape(shown)}, not a whole"):
        freeze(run.path, parse(RECIPE), {})


def test_a_folder_of_another_version_is_left_as_it_is(run):
    plan = planned(run)
    do_all(run, plan)
    path = run.folder(plan[0]) / "record.json"
    record = json.loads(path.read_text())
    del record["format"], record["input_digests"]  # as versions before this one wrote it
    path.write_text(json.dumps(record))
    before = {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}
    with pytest.raises(RunError, match="made by another version of Deimos"):
        freeze(run.path, parse(RECIPE), {})
    assert run.status(plan)[0].differs == {"format": (1, 2)}
    assert {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()} == before
