"""The sample stage on a real tokenizer and real graders; an engine that plays scripts."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest

from deimos.engines.base import Done, Job, Key
from deimos.engines.echo import EchoEngine
from deimos.graders.worker.pool import Judge
from deimos.lab.tokenizer import build
from deimos.recipe import Recipe, RecipeError, parse
from deimos.recipe.runtime import Runtime
from deimos.runs.artifacts import write_prompts
from deimos.runs.plan import StageJob
from deimos.runs.progress import ProgressBar
from deimos.sample.dev_pass import percentile
from deimos.sample.model import OpenModel, make_decode
from deimos.sample.stage import run
from deimos.select import stage as select_stage
from deimos.select.filters import gate_for
from deimos.select.function_words import function_word_rate
from deimos.store.candidates import read_candidates, read_filters
from deimos.store.journal import Journal, read
from deimos.store.names import CONSTANTS, PARTIAL
from deimos.store.template_date import read_template_date
from deimos.thinking import Tags
from deimos.types import Prompt

ANSWER = "Tom has \\boxed{%d} apples now."
LENGTHS = (6, 2, 9, 4)
"""Sums in the thought of candidates 0 to 3; candidate 1 of every prompt is wrong."""


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    build([ANSWER % 42, "2 + 2 = 4. How many? Tom has apples."] * 20, folder)
    return AutoTokenizer.from_pretrained(folder)


@dataclass
class Kitchen:
    """A run folder's worth of settings, and an engine that counts what it decodes."""

    folder: Path
    tokenizer: Any
    judge: Judge
    prompts: list[Prompt] = field(default_factory=list)
    tokens: int = 0
    begun: dict[Key, tuple[int, ...]] = field(default_factory=dict)
    """The ids that each candidate last went on from."""

    def __post_init__(self) -> None:
        self.prompts = [
            Prompt.of(
                task="t",
                kind="math",
                messages=[{"role": "user", "content": f"How many? {i}"}],
                reference=str(i),
            )
            for i in range(25)
        ]
        write_prompts(self.folder / "prompts" / "train.jsonl", self.prompts[:5])
        write_prompts(self.folder / "prompts" / "dev.jsonl", self.prompts[5:])

    def script(self, job: Job) -> list[int]:
        self.begun[job.key] = job.done_ids
        number = next(i for i, p in enumerate(self.prompts) if p.id == job.key.prompt_id)
        wrong = job.key.index == 1
        thought = "<think>\n" + "2 + 2 = 4. " * LENGTHS[job.key.index] + "\n</think>\n\n"
        text = thought + ANSWER % (number + wrong) + "<|im_end|>"
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def job(self, out: str = "sample", **sets: Any) -> StageJob:
        data: dict[str, Any] = {
            "name": "test",
            "model": {"id": "lab"},
            "prompts": {"sources": [{"source": "jsonl"}]},
            "sample": {"n": 4},
        }
        for section, values in sets.items():
            data[section] = {**data.get(section, {}), **values}
        recipe: Recipe = parse(data)
        inputs = {"prompts": self.folder / "prompts", "sample": self.folder / "sample"}
        place = self.folder / out
        place.mkdir(exist_ok=True)
        return StageJob(recipe, Runtime(), "lab", inputs, place, ProgressBar())

    def filters(self, job: StageJob) -> Any:
        return gate_for(job.recipe.select, Tags(), self.judge)

    def sample(self, **sets: Any) -> dict[str, Any]:
        job = self.job(**sets)
        engine = EchoEngine(self.script, max_batch=4)
        eos = frozenset({self.tokenizer.eos_token_id})
        model = OpenModel(engine, self.tokenizer, make_decode(self.tokenizer, eos, engine.name))
        counts = run(
            job, gate_for=self.filters(job), function_words=function_word_rate, model=model
        )
        self.tokens = engine.tokens
        return counts

    def select(self, **sets: Any) -> dict[str, Any]:
        job = self.job("select", **sets)
        return select_stage.run(job, gate_for=self.filters(job))

    def golds(self) -> dict[str, int]:
        return {r["prompt_id"]: r["index"] for r in read_lines(self.folder / "select/gold.jsonl")}


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def kitchen(tmp_path: Path, tokenizer: Any) -> Iterator[Kitchen]:
    with Judge({"math": "math"}) as judge:
        yield Kitchen(tmp_path, tokenizer, judge)


def test_the_stage_writes_every_candidate_and_the_constants(kitchen: Kitchen) -> None:
    counts = kitchen.sample()
    assert (counts["prompts"], counts["completions"], counts["unjudged"]) == (5, 20, 0)
    pool = read_candidates(kitchen.folder / "sample")
    assert len(pool) == 20
    fates = {i: {c.completion.finish for k, c in pool.items() if k[1] == i} for i in range(4)}
    assert fates[1] == fates[3] == {"stop"}
    assert fates[2] == {"outpaced"}
    for candidate in pool.values():
        whole = candidate.completion
        assert whole.completion_ids
        assert (whole.verdict is None) == (whole.finish == "outpaced")
    dev = list(read(kitchen.folder / "sample" / "dev.jsonl"))
    constants = json.loads((kitchen.folder / "sample" / CONSTANTS).read_text())
    assert constants["dev_n"] == len(dev) == 20
    assert constants["dev_accuracy"] == 1.0
    assert constants["function_word_rate_p5"] == 0.25
    assert constants["dev_total_tokens_p25"] == len(dev[0]["completion_ids"])
    assert (constants["shape"], constants["ids"]) == ("free", "sampled")


def test_a_few_dev_answers_make_no_percentile(kitchen: Kitchen) -> None:
    write_prompts(kitchen.folder / "prompts" / "dev.jsonl", kitchen.prompts[5:24])
    kitchen.sample()
    constants = json.loads((kitchen.folder / "sample" / CONSTANTS).read_text())
    assert constants["dev_n"] == 19
    assert constants["function_word_rate_p5"] is None


def test_raced_and_exhaustive_stages_select_the_same_golds(
    kitchen: Kitchen, tmp_path: Path
) -> None:
    kitchen.sample()
    raced, kept = kitchen.tokens, kitchen.select()
    golds = kitchen.golds()
    assert (kept["gold"], kept["need_decoding"]) == (5, 0)
    assert set(golds.values()) == {3}
    (tmp_path / "all").mkdir()
    full = Kitchen(tmp_path / "all", kitchen.tokenizer, kitchen.judge)
    full.sample(sample={"n": 4, "exhaustive": True})
    full.select(sample={"n": 4, "exhaustive": True})
    assert full.golds() == golds
    assert raced < full.tokens


def test_candidates_that_a_rule_does_not_want_are_neither_sampled_nor_in_need_of_decoding(
    kitchen: Kitchen,
) -> None:
    def ruled(least: float) -> dict[str, Any]:
        return {"sample": {"n": {"max": 4, "min": 2, "stop_when": {"gain_below": least}}}}

    counts, kept = kitchen.sample(**ruled(0.9)), kitchen.select(**ruled(0.9))
    assert (counts["completions"], counts["unjudged"]) == (10, 0)
    assert (kept["candidates"], kept["gold"], kept["need_decoding"]) == (10, 5, 0)
    assert set(kitchen.golds().values()) == {0}
    rates = [row["pass_rate"] for row in read_lines(kitchen.folder / "select/gold.jsonl")]
    assert rates == [None] * 5, "whoever stops when one is right has seen no pass rate"
    kitchen.sample(**ruled(0.9))
    assert kitchen.tokens == 0, "nothing is left to do"
    counts, kept = kitchen.sample(**ruled(0.001)), kitchen.select(**ruled(0.001))
    assert (counts["completions"], kept["gold"], kept["need_decoding"]) == (20, 5, 0)
    assert set(kitchen.golds().values()) == {3}


def test_a_run_cut_short_goes_on_where_it_stopped(kitchen: Kitchen) -> None:
    before = kitchen.sample()
    all_tokens = kitchen.tokens
    journal = kitchen.folder / "sample/completions/00000.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:12]) + lines[12][:40])
    after = kitchen.sample()
    assert 0 < kitchen.tokens < all_tokens * 0.7
    assert after["completions"] == before["completions"]
    kitchen.sample()
    assert kitchen.tokens == 0
    kitchen.select()
    assert set(kitchen.golds().values()) == {3}


def rewritten(kitchen: Kitchen, change: Any) -> None:
    """The journal again, each row as ``change`` makes it; None leaves it out."""
    path = kitchen.folder / "sample/completions/00000.jsonl"
    rows = [change(row) for row in read(path)]
    path.unlink()
    with Journal(path) as journal:
        for row in filter(None, rows):
            journal.append(row)


def test_selection_takes_no_candidate_whose_prompt_was_rendered_otherwise(
    kitchen: Kitchen,
) -> None:
    """A row that stands first, right and with the shortest thought, but with another key."""
    kitchen.sample()
    counts = kitchen.select()
    golds = kitchen.golds()
    [path] = (kitchen.folder / "sample" / "completions").glob("*.jsonl")
    rows = list(read(path))
    path.unlink()
    with Journal(path) as journal:
        for row in rows:
            journal.append({**row, "key": "another day", "think_tokens": 1, "finish": "stop"})
            journal.append(row)
    assert kitchen.select() == {**counts, "rows_left_out": len(rows)}
    assert kitchen.golds() == golds
    kitchen.sample()
    assert kitchen.tokens == 0, "a finished pool is not decoded again"


def test_partly_decoded_candidates_go_on_from_their_ids(kitchen: Kitchen) -> None:
    """The race died while candidate 3 of one prompt, its winner, was under way."""
    before = kitchen.sample()
    cut = next(row for row in read(kitchen.folder / "sample/completions") if row["index"] == 3)
    rewritten(kitchen, lambda row: None if row == cut else row)
    half = cut["completion_ids"][: len(cut["completion_ids"]) // 2]
    with Journal(kitchen.folder / "sample" / PARTIAL) as journal:
        journal.append(
            {k: cut[k] for k in ("key", "prompt_id", "index")} | {"start": 0, "ids": half}
        )
    after = kitchen.sample()
    assert kitchen.begun[Key(cut["prompt_id"], 3)] == tuple(half)
    assert after["completions"] == before["completions"]
    assert not (kitchen.folder / "sample" / PARTIAL).exists()


def test_rows_of_another_key_are_not_gone_on_from(kitchen: Kitchen) -> None:
    """Somebody copied a journal of another temperature into the folder."""
    kitchen.sample()
    rewritten(kitchen, lambda row: {**row, "key": "0" * 32})
    kitchen.begun.clear()
    kitchen.sample()
    assert len(kitchen.begun) == 20 and not any(kitchen.begun.values())


def test_the_first_row_that_ended_counts_and_a_second_one_does_not(kitchen: Kitchen) -> None:
    kitchen.sample()
    before = read_candidates(kitchen.folder / "sample")
    with Journal(kitchen.folder / "sample/completions/00000.jsonl") as journal:
        for row in list(read(journal.path)):
            if row["finish"] == "stop":
                twice = {**row, "text": "decoded again", "completion_ids": [1, 2]}
                journal.append(twice)
    assert read_candidates(kitchen.folder / "sample") == before
    kitchen.select()
    assert set(kitchen.golds().values()) == {3}


def sum_of_thoughts(kitchen: Kitchen) -> int:
    pool = read_candidates(kitchen.folder / "sample").values()
    return sum(c.completion.think_tokens for c in pool if c.completion.index in (0, 2))


def test_a_stricter_filter_needs_more_decoding_and_sampling_again_does_it(
    kitchen: Kitchen, tmp_path: Path
) -> None:
    """A filter that fails every winner: its victims are decoded on, nothing else is."""
    outpaced = kitchen.sample()["outpaced"]
    grader = tmp_path / "never.py"
    grader.write_text(
        "from deimos import Verdict\n"
        "def judge(answer, reference):\n"
        "    return Verdict.of(False, 'not today')\n"
    )
    strict = {"select": {"graders": {"math": f"{grader}:judge"}}}
    with Judge({"math": f"{grader}:judge"}) as judge:
        kitchen.judge = judge
        before = kitchen.select(**strict)
        assert (before["gold"], before["need_decoding"]) == (0, outpaced)
        assert before["rejects"]["correctness"] == 20 - outpaced
        counts = kitchen.sample(**strict)
        assert counts["outpaced"] == 0
        assert 0 < kitchen.tokens < sum_of_thoughts(kitchen), "from kept ids, not anew"
        after = kitchen.select(**strict)
    assert (after["need_decoding"], after["rejects"]["correctness"]) == (0, 20)
    filters = read_filters(kitchen.folder / "sample")
    assert sorted(filters) == ["00000", "00001"]
    assert filters["00001"]["graders"]["math"]["sha256"]


def test_selection_alone_needs_no_judge_where_the_grader_is_the_same(kitchen: Kitchen) -> None:
    kitchen.sample()
    kitchen.judge.close()
    assert kitchen.select(select={"answer_max": {"math": 30}})["gold"] == 5


DATED = "{{- 'It is ' + strftime_now('%d %b %Y') + '. ' }}"


def on_another_day(kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch, day: date) -> None:
    """Let the clock that templates read show another day."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime(day.year, day.month, day.day, 12, tzinfo=tz)

    monkeypatch.setattr("transformers.utils.chat_template_utils.datetime", Clock)
    monkeypatch.setattr("deimos.sample.model.datetime", Clock, raising=False)


def test_a_template_that_writes_the_date_keeps_that_of_the_first_day(
    kitchen: Kitchen, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kitchen.tokenizer = copy.deepcopy(tokenizer)
    kitchen.tokenizer.chat_template = DATED + tokenizer.chat_template
    on_another_day(kitchen, monkeypatch, date(2024, 2, 29))
    before = kitchen.sample()
    pool = read_candidates(kitchen.folder / "sample")
    shown = {kitchen.tokenizer.decode(c.completion.prompt_ids) for c in pool.values()}
    assert shown and all("29 Feb 2024" in prompt for prompt in shown)
    on_another_day(kitchen, monkeypatch, date(2024, 3, 1))
    counts = kitchen.sample()
    assert kitchen.tokens == 0, "nothing is decoded again"
    assert {**counts, "seconds": 0} == {**before, "seconds": 0}
    assert read_candidates(kitchen.folder / "sample") == pool
    assert kitchen.select()["gold"] == 5


def test_a_pool_of_an_earlier_version_goes_on_with_the_day_it_was_begun(
    kitchen: Kitchen, tokenizer: Any
) -> None:
    kitchen.tokenizer = copy.deepcopy(tokenizer)
    kitchen.tokenizer.chat_template = DATED + tokenizer.chat_template
    job = kitchen.job()
    began = datetime(2024, 2, 29, 12, tzinfo=UTC).isoformat(timespec="seconds")
    (job.out / "attempts.jsonl").write_text(json.dumps({"began": began}) + "\n")
    kitchen.sample()
    assert read_template_date(job.out) == date(2024, 2, 29)


def test_other_templates_leave_no_date(kitchen: Kitchen) -> None:
    kitchen.sample()
    assert read_template_date(kitchen.folder / "sample") is None


def test_run_again_a_complete_stage_asks_again_what_could_not_be_judged(
    kitchen: Kitchen, tmp_path: Path
) -> None:
    """The same grader, which for a while could not say: nothing is decoded again."""
    grader, well = tmp_path / "unwell.py", tmp_path / "well"
    grader.write_text(
        "from pathlib import Path\n"
        "from deimos import Verdict\n"
        "def judge(answer, reference):\n"
        f"    well = Path({str(well)!r}).exists()\n"
        "    return Verdict.of(f'boxed{{{reference}}}' in answer if well else None, 'looked')\n"
    )
    strict = {"select": {"graders": {"math": f"{grader}:judge"}}}
    with Judge({"math": f"{grader}:judge"}) as judge:
        kitchen.judge = judge
        counts = kitchen.sample(**strict)
        assert (counts["unjudged"], counts["passed"], counts["outpaced"]) == (20, 0, 0)
        assert kitchen.select(**strict)["unjudged"] == 20
        well.touch()
        counts = kitchen.sample(**strict)
        assert (counts["unjudged"], counts["passed"], kitchen.tokens) == (0, 15, 0)
        kitchen.judge.close()
        assert kitchen.select(**strict)["gold"] == 5, "by the verdicts that stand in the journal"
    assert set(kitchen.golds().values()) == {3}


def test_run_again_a_complete_stage_decodes_again_where_the_engine_failed(
    kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A candidate whose engine failed again and again is an error row, and no more than that."""
    sample, lost = EchoEngine.sample, kitchen.prompts[2].id

    async def failing(engine: EchoEngine, jobs: AsyncIterator[Job]) -> AsyncIterator[Any]:
        async for event in sample(engine, jobs):
            failed = isinstance(event, Done) and event.key == (lost, 3)
            yield Done(event.key, (), "error", 0.0, "lost the machine") if failed else event

    with monkeypatch.context() as patched:
        patched.setattr(EchoEngine, "sample", failing)
        before = kitchen.sample()
    assert (before["unjudged"], before["completions"]) == (1, 20)
    assert kitchen.select()["unjudged"] == 1
    kitchen.begun.clear()
    counts = kitchen.sample()
    assert set(kitchen.begun) == {Key(lost, 3)}, "what was well is left alone"
    assert (counts["unjudged"], counts["passed"]) == (0, before["passed"] + 1)
    assert kitchen.select()["gold"] == 5
    assert set(kitchen.golds().values()) == {3}


def test_no_dev_prompts_is_one_sentence(kitchen: Kitchen) -> None:
    write_prompts(kitchen.folder / "prompts" / "dev.jsonl", [])
    with pytest.raises(RecipeError, match="there are no dev prompts"):
        kitchen.sample()


@pytest.mark.parametrize(
    ("values", "q", "expected"), [([3], 0.05, 3), ([1, 2, 3, 4, 5], 0.25, 2), ([0, 10], 0.05, 0.5)]
)
def test_percentile_interpolates(values: list[float], q: float, expected: float) -> None:
    assert percentile(values, q) == pytest.approx(expected)


def test_what_an_engine_tells_of_itself_is_recorded(kitchen, monkeypatch):
    assert "engine" not in kitchen.sample()
    monkeypatch.setattr(
        EchoEngine, "facts", lambda engine: {"tokens": engine.tokens}, raising=False
    )
    counts = kitchen.sample(sample={"seed": 1})
    assert counts["engine"] == {"tokens": kitchen.tokens} and kitchen.tokens > 0
