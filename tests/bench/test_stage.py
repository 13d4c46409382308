"""The whole stage on a scripted engine, with a real tokenizer, journal and judge."""

import dataclasses
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from deimos.bench import stage, suites
from deimos.bench.decodings import decodings_of
from deimos.bench.suites import ArmName
from deimos.evaluate import samples
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe import RecipeError
from deimos.store.journal import Journal, read, read_rows, write_atomic
from deimos.types import Prompt, Verdict


def one(rows: list[dict], **wanted: object) -> dict:
    found = [r for r in rows if all(r[k] == v for k, v in wanted.items())]
    assert len(found) == 1, found
    return found[0]


def read_set(path: Path) -> list[dict]:
    """The last row of each completion: its verdict is in it, unless the bench was cut short."""
    return list({(r["prompt_id"], r["index"], r["key"]): r for r in read(path)}.values())


def test_the_whole_bench(job, judge, contract):
    j = job()
    counts = stage.run(j, judge=judge)
    assert counts == {"tasks": 1, "problems": 12, "duplicates": 0, "contaminated": 0, "completions": 12 * (2 + 1) * 2,
                      "decoded_tokens": counts["decoded_tokens"], "unjudged": 0, "timed_problems": 6,
                      "tight_budget": 40,
                      "engines": {m: {"echo/1": 36} for m in ("base", "tuned")}}  # fmt: skip
    check_samples(j.out)
    bench, compare = read_rows(j.out / "bench.jsonl"), read_rows(j.out / "compare.jsonl")
    assert Counter((r["setting"], r["task"], r["model"]) for r in bench) == Counter(
        (s, t, m)
        for s in ("ship", "equal", "tight")
        for t in ("all", "sums")
        for m in ("base", "tuned")
    )
    assert [r["task"] for r in compare] == ["all", "sums"] * 3
    assert all(contract.bench <= set(r) for r in bench) and all(
        contract.compare <= set(r) for r in compare
    )
    for row in compare:
        assert row["finished_more"] + row["reasoned_better"] == pytest.approx(row["accuracy_delta"])
        assert row["n"] == 12 and row["thinking"] is True
    check_ship(bench, compare)
    check_equal(bench, compare)
    check_tight(bench, compare)
    check_curve(read_rows(j.out / "budget_curve.jsonl"))


def check_samples(out: Path) -> None:
    files = {p.name for p in (out / "samples").iterdir()}
    assert files == {
        f"sums-{m}-{c}.jsonl" for m in ("base", "tuned") for c in ("recommended", "locked")
    }
    rows = read_set(out / "samples" / "sums-base-locked.jsonl")
    assert len(rows) == 12 and {(r["task"], r["model"], r["config"]) for r in rows} == {
        ("sums", "base", "locked")
    }
    assert all(r["ok"] == r["verdict"]["ok"] for r in rows)
    endless = [r for r in rows if r["finish"] == "length"]
    assert len(endless) == 3 and not any(r["ok"] or r["answer"] for r in endless)


def check_ship(bench: list[dict], compare: list[dict]) -> None:
    base, tuned = (one(bench, setting="ship", task="all", model=m) for m in ("base", "tuned"))
    assert (base["config"], base["repeats"], base["accuracy"]) == ("recommended", 2, 0.75)
    assert (tuned["config"], tuned["repeats"], tuned["accuracy"]) == ("locked", 1, 0.75)
    row = one(compare, setting="ship", task="all")
    assert (row["accuracy_delta"], row["seconds_reduction"]) == (0.0, None)


def check_equal(bench: list[dict], compare: list[dict]) -> None:
    row = one(compare, setting="equal", task="all")
    # locked: the base never ends 3 of 12, so tuned gains a quarter; recommended: no gain, the less flattering
    assert row["config"]["accuracy"] == "recommended"
    assert (row["accuracy_delta"], row["finished_more"], row["budget"]) == (0.0, 0.0, 400)
    assert row["think_tokens_reduction"] > 0.7
    assert (
        row["think_tokens_reduction_ci"][0]
        <= row["think_tokens_reduction"]
        <= row["think_tokens_reduction_ci"][1]
    )
    assert row["seconds_reduction"] is not None
    assert all(r["seconds_per_problem"] > 0 for r in bench if r["setting"] == "equal")


def check_tight(bench: list[dict], compare: list[dict]) -> None:
    base, tuned = (one(bench, setting="tight", task="all", model=m) for m in ("base", "tuned"))
    assert (base["budget"], base["total_tokens_median"], base["finished"], base["accuracy"]) == (
        40,
        40,
        0,
        0,
    )
    assert (tuned["accuracy"], tuned["finished"]) == (0.75, 1.0)
    assert base["seconds_per_problem"] is None
    row = one(compare, setting="tight", task="all")
    assert row["finished_more"] == row["accuracy_delta"] == 0.75


def check_curve(rows: list[dict]) -> None:
    assert {(r["task"], r["model"], r["config"]) for r in rows} == {
        (t, m, c)
        for t in ("all", "sums")
        for m in ("base", "tuned")
        for c in ("recommended", "locked")
    }
    tuned = [r for r in rows if (r["task"], r["model"], r["config"]) == ("all", "tuned", "locked")]
    assert tuned[-1]["budget"] == 400 and tuned[-1]["accuracy"] == 0.75
    assert any(r["budget"] == 40 for r in tuned)


def test_by_config_holds_what_the_headline_hides(job, judge):
    j = job(settings=["equal"], timing_problems=0)
    stage.run(j, judge=judge)
    full = read_rows(j.out / "by_config.jsonl")
    locked = one([r for r in full if "accuracy_delta" in r], task="all", config="locked")
    assert (locked["accuracy_delta"], locked["finished_more"]) == (0.25, 0.25)
    rows = [r for r in full if "accuracy" in r and r["task"] == "all"]
    assert {(r["model"], r["config"]) for r in rows} == {
        (m, c) for m in ("base", "tuned") for c in ("recommended", "locked")
    }
    assert all(r["seconds_per_problem"] is None for r in read_rows(j.out / "bench.jsonl"))


class Dies:
    """A judge that ends the bench after some verdicts, as a killed process would."""

    def __init__(self, judge, after: int):
        self.judge, self.left = judge, after

    async def __call__(self, prompt: Prompt, answer: str) -> Verdict:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return await self.judge(prompt, answer)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupted_bench_goes_on_where_it_stopped(job, judge, world):
    j = job(timing_problems=0)
    with pytest.raises(KeyboardInterrupt):
        stage.run(j, judge=Dies(judge, 40))
    kept = {
        (p.name, r["prompt_id"], r["index"]) for p in (j.out / "samples").iterdir() for r in read(p)
    }
    assert 30 <= len(kept) < 72 and not (j.out / "bench.jsonl").exists()
    world.decoded.clear()
    counts = stage.run(j, judge=judge)
    assert counts["completions"] == 72
    assert len(world.decoded) == 72 - len(kept)
    rows = [r for p in (j.out / "samples").iterdir() for r in read_set(p)]
    assert len(rows) == 72 and all(r["verdict"] for r in rows)
    world.decoded.clear()
    before = (j.out / "compare.jsonl").read_bytes()
    stage.run(j, judge=judge)
    assert world.decoded == [] and (j.out / "compare.jsonl").read_bytes() == before


def test_prompts_are_rendered_with_the_date_that_the_sample_stage_kept(job, judge, tmp_path):
    j = job(settings=["ship"], timing_problems=0)
    folder = tmp_path / "dated"
    shutil.copytree(j.model_path, folder)
    template = folder / "chat_template.jinja"
    template.write_text("{{- strftime_now('%d %b %Y') }}" + template.read_text())
    j = dataclasses.replace(j, model_path=str(folder))
    write_atomic(j.inputs["sample"] / "template_date.json", '{"template_date": "2024-02-29"}')
    stage.run(j, judge=judge)
    model = load_tokenizer(ModelRef(str(folder)))
    row = read_set(j.out / "samples" / "sums-base-recommended.jsonl")[0]
    assert model.decode(row["prompt_ids"]).startswith("29 Feb 2024")


def test_timing_is_not_repeated_either(job, judge):
    j = job()
    stage.run(j, judge=judge)
    timing = (j.out / "timing.jsonl").read_bytes()
    lines = timing.splitlines(keepends=True)
    assert len(json.loads(lines[0])["rows"]) == 12  # 6 problems on both models: one block of 3 x 2
    stage.run(j, judge=judge)
    assert (j.out / "timing.jsonl").read_bytes() == timing


def test_engine_errors_are_tried_again_and_then_told(job, judge, world):
    j = job(settings=["ship"], timing_problems=0, repeats=1)
    world.broken[world.problem(3).id] = 2
    assert stage.run(j, judge=judge)["completions"] == 24
    for path in (j.out / "samples").iterdir():
        path.unlink()
    world.broken[world.problem(3).id] = 10**6
    with pytest.raises(
        samples.EvaluationError,
        match="bench sums base recommended: 1 of 12 completions failed 3 times",
    ):
        stage.run(j, judge=judge)
    assert len(read_set(j.out / "samples" / "sums-base-recommended.jsonl")) == 11


def test_ship_alone_needs_two_sets(job, judge):
    j = job(settings=["ship"], timing_problems=0)
    stage.run(j, judge=judge)
    assert {p.name for p in (j.out / "samples").iterdir()} == {
        "sums-base-recommended.jsonl",
        "sums-tuned-locked.jsonl",
    }
    assert suites.list_arms(j.recipe.bench, decodings_of(j.recipe.bench)) == [
        ArmName("base", "recommended"),
        ArmName("tuned", "locked"),
    ]


def test_configs_that_draw_alike_share_one_set(job, judge):
    j = job(recommended={"temperature": 0.0}, timing_problems=0)
    counts = stage.run(j, judge=judge)
    assert {p.name for p in (j.out / "samples").iterdir()} == {
        "sums-base-locked.jsonl",
        "sums-tuned-locked.jsonl",
    }
    assert counts["completions"] == 24
    by_config = read_rows(j.out / "by_config.jsonl")
    assert {row["config"] for row in by_config} == {"recommended", "locked"}
    assert one(read_rows(j.out / "compare.jsonl"), setting="equal", task="all")["n"] == 12


def test_rows_of_another_key_are_decoded_again(job, judge):
    j = job(settings=["ship"], timing_problems=0)
    counts = stage.run(j, judge=judge)
    path = j.out / "samples" / "sums-base-recommended.jsonl"
    rows = read_set(path)
    path.unlink()
    with Journal(path) as journal:
        for row in rows:
            journal.append({**row, "key": "0" * 32})
    stage.run(j, judge=judge)
    assert len(read_set(path)) == 2 * len(rows)
    written = path.read_bytes()
    assert stage.run(j, judge=judge)["completions"] == counts["completions"]
    assert path.read_bytes() == written


def test_greedy_is_never_repeated_and_the_budget_is_every_decodings(job):
    def repeats(**settings: object) -> list[int]:
        return [d.repeats for d in decodings_of(job(**settings).recipe.bench).named.values()]

    assert repeats(repeats=4, recommended={"temperature": 0}) == [1, 1]
    assert repeats(repeats=4) == [4, 1]
    decodings = decodings_of(job().recipe.bench)
    assert {d.sampling.max_tokens for d in decodings.named.values()} == {400}


def test_completions_are_counted_as_they_are_decoded(job, judge):
    for settings in (
        {},
        {"settings": ["ship"]},
        {"repeats": 3, "locked": {"temperature": 0.5}},  # only the recommended one is repeated
        {
            "recommended": {"temperature": 0.0, "max_tokens": 77}
        },  # alike: the budget takes its place
        {"settings": []},
    ):
        j = job(timing_problems=0, **settings)
        decoded = stage.run(j, judge=judge)["completions"]
        found = suites.count_completions(j.recipe.bench, decodings_of(j.recipe.bench), 12)
        assert found == decoded, settings
        shutil.rmtree(j.out)


def test_contaminated_tests_are_refused_or_counted(job, judge):
    with pytest.raises(RecipeError, match="5 of 12 problems of 'sums'"):
        stage.run(job(start=105, timing_problems=0), judge=judge)
    allowed = job(start=105, allow=True, settings=["ship"], timing_problems=0)
    assert stage.run(allowed, judge=judge)["contaminated"] == 5


def test_tight_without_a_dev_budget_is_refused(job, judge):
    j = job()
    (j.inputs["sample"] / "constants.json").write_text("{}")
    with pytest.raises(ValueError, match="leave 'tight' out"):
        stage.run(j, judge=judge)


async def _null(prompt: Prompt, answer: str) -> Verdict:
    return Verdict.of(None, "timeout")


def test_what_cannot_be_judged_is_kept_apart_and_asked_again(job, judge):
    j = job(settings=["equal"], timing_problems=0)
    counts = stage.run(j, judge=_null)
    assert counts["unjudged"] == 72 - 3  # the endless ones are wrong without asking
    row = one(read_rows(j.out / "compare.jsonl"), task="all")
    assert row["n"] == 0 and row["accuracy_delta"] is None and row["think_tokens_reduction"] > 0.7
    again = stage.run(j, judge=judge)
    assert (again["unjudged"], again["decoded_tokens"]) == (0, counts["decoded_tokens"])
    assert one(read_rows(j.out / "compare.jsonl"), task="all")["n"] == 12
