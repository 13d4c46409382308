"""A run of an earlier version, whose stages have other identities today, is reported as it stands."""

import json

import runfolder

from deimos.pipeline import wiring
from deimos.recipe.runtime import Runtime
from deimos.runs.earlier import find_last_whole
from deimos.runs.plan import StageJob

NEEDS = {"prompts": (), "sample": ("prompts",), "select": ("prompts", "sample"), "train": ("select",),
         "bench": ("prompts", "sample", "train")}  # fmt: skip


def number_records(folders, start=1):
    """Records as the run folder writes them: numbered, with the folders that each was made from."""
    for number, (name, needs) in enumerate(NEEDS.items(), start):
        path = folders[name] / "record.json"
        inputs = {need: folders[need].name for need in needs}
        record = json.loads(path.read_text()) | {"number": number, "inputs": inputs}
        path.write_text(json.dumps(record))


def job_of(top, inputs):
    return StageJob(runfolder.recipe(), Runtime(), "", inputs, top, progress=None)


def test_the_latest_stage_and_all_that_it_was_made_from(tmp_path):
    older = runfolder.write_run(tmp_path, problems=12, seed=1)
    newer = runfolder.write_run(tmp_path, problems=12, seed=2)
    number_records(older, 1)
    number_records(newer, 6)
    assert find_last_whole(tmp_path) == newer
    (newer["bench"] / "record.json").unlink()
    assert find_last_whole(tmp_path) == {k: v for k, v in newer.items() if k != "bench"}
    assert find_last_whole(tmp_path / "nothing") == {}


def test_a_run_of_which_the_plan_has_nothing_is_reported_as_it_stands(tmp_path):
    folders = runfolder.write_run(tmp_path, problems=12)
    number_records(folders)
    counts = wiring.report(job_of(tmp_path, {}))
    assert counts["stages_of_an_earlier_version"] == 5 and counts["compare_rows"] == 9
    assert "not measured: the benchmark" not in (tmp_path / "MODEL_CARD.md").read_text()
    old = (tmp_path / "MODEL_CARD.md").read_text()
    counts = wiring.report(job_of(tmp_path, folders))
    assert "stages_of_an_earlier_version" not in counts
    assert (tmp_path / "MODEL_CARD.md").read_text() == old


def test_a_stage_of_todays_plan_is_never_mixed_with_earlier_ones(tmp_path):
    folders = runfolder.write_run(tmp_path, problems=12)
    number_records(folders)
    counts = wiring.report(job_of(tmp_path, {"prompts": folders["prompts"]}))
    assert counts["bench_rows"] == 0
