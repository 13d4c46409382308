"""What a run's stages left, as values: the one reader of a run folder.

Report, benchmark, selection and training ask here and open no file of another stage themselves.
Rows are read one at a time and go through ``store.merge``, so a pool or a benchmark of many
gigabytes can be read; long texts are only held of the few items that are asked for by name. A stage
that has not run is empty. Not covered: which stages are complete (``runs.folder``).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from deimos.store import bench_rows, names, route_rows, schema, sweep_rows
from deimos.store.candidates import Candidate, read_candidates, read_some
from deimos.store.journal import write_atomic
from deimos.store.keys import RecordKeys, read_keys
from deimos.store.merge import (
    Keyed,
    KeyOf,
    Name,
    RowState,
    Skipped,
    keyed_rows,
    merge_keyed,
    merge_files,
    merge_timing,
    state_of,
)
from deimos.store.schema import Row
from deimos.types import Completion, Prompt

T = TypeVar("T")


class ArtifactError(ValueError):
    """A file of a run is missing or not what its stage writes; one sentence."""


def read_prompts(path: Path) -> list[Prompt]:
    """All prompts of a file, in its order.

    For files that Deimos wrote; what users bring is read, and doubted, by the ``jsonl`` source.

    Raises:
        RowError: a row lacks a field.
    """
    with path.open(encoding="utf-8") as lines:
        return prompts_in(lines, path)


def prompts_in(lines: Iterable[str], path: object = "") -> list[Prompt]:
    """The prompts of some lines of such a file; ``path``: named if one cannot be read."""
    return [schema.prompt_from(json.loads(line), path) for line in lines if line.strip()]


def write_prompts(path: Path, prompts: Iterable[Prompt]) -> None:
    """Write prompts whole or not at all."""
    rows = (json.dumps(schema.prompt_row(prompt), ensure_ascii=False) for prompt in prompts)
    write_atomic(path, "".join(f"{row}\n" for row in rows))


def adapter_path(train: Path) -> Path:
    """The adapter's folder in a train stage's folder."""
    return train / names.ADAPTER


def samples_path(bench: Path, samples: str) -> Path:
    """The journal of a benchmark's sample set."""
    return bench / names.SAMPLES / f"{samples}.jsonl"


@dataclass(frozen=True, slots=True)
class SampleFacts:
    """A benchmark's completion without its texts and ids."""

    task: str
    model: str
    config: str
    prompt_id: str
    index: int
    think_tokens: int
    answer_tokens: int
    total_tokens: int
    finish: str
    ok: bool | None
    engine: str
    text_hash: int
    """Tells two texts apart within this process."""
    path: Path
    """The journal that holds the whole row."""


class Artifacts:
    """What the stages of a run left.

    Args:
        folders: stage name to its folder, for the stages that are complete.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self.folders = folders

    def record(self, stage: str) -> Row:
        """A stage's record; empty if it has none."""
        return _json(self._file(stage, names.RECORD))

    # --- prompts ---

    def prompts(self, split: str) -> list[Prompt]:
        """The prompts of ``train`` or ``dev``; ``ArtifactError`` if the file is not there."""
        return read_prompts(self._needed("prompts", {"train": names.TRAIN, "dev": names.DEV}[split]))

    def licences(self) -> list[str]:
        """The licences of the train prompts, once each, in order of name."""
        rows = self._lines("prompts", names.TRAIN)
        return sorted({row["licence"] for row in rows if row.get("licence")})

    def prompt_origins(self) -> set[str]:
        """``source`` of the train prompts, once each."""
        return {row.get("source") or "" for row in self._lines("prompts", names.TRAIN)}

    def problem_origins(self) -> dict[str, str]:
        """``source`` of each test problem, by its id."""
        return {p["id"]: p.get("source") or "" for p in self._lines("bench", names.PROBLEMS)}

    def questions(self, wanted: Collection[str]) -> dict[str, str]:
        """The last user message of each prompt that is wanted, if a stage wrote the prompt down."""
        found: dict[str, str] = {}
        places = (("prompts", names.TRAIN), ("prompts", names.DEV), ("bench", names.PROBLEMS))
        for stage, name in places:
            for row in self._lines(stage, name) if len(found) < len(wanted) else ():
                if row.get("id") in wanted:
                    found.setdefault(row["id"], row["messages"][-1]["content"])
        return found

    # --- sample ---

    def constants(self) -> Row:
        """What the dev pass froze; empty without a sample stage."""
        return _json(self._file("sample", names.CONSTANTS))

    def needed_constants(self) -> Row:
        """What the dev pass froze; ``ArtifactError`` if the file is not there."""
        return _json(self._needed("sample", names.CONSTANTS))

    def candidates(
        self, *, ids: bool = True, skipped: Skipped | None = None
    ) -> dict[Name, Candidate]:
        """The pool as it stands; see ``read_candidates``."""
        folder = self.folders.get("sample")
        return read_candidates(folder, ids=ids, skipped=skipped) if folder else {}

    def some_candidates(self, wanted: Collection[Name]) -> dict[Name, Completion]:
        """The candidates that are wanted, with their ids."""
        folder = self.folders.get("sample")
        return read_some(folder, wanted) if folder and wanted else {}

    # --- select ---

    def verdicts(self) -> Iterator[schema.VerdictRow]:
        """What became of each candidate, in the file's order."""
        return self._values("select", names.VERDICTS, schema.VerdictRow)

    def golds(self, stage: str = "select") -> Iterator[schema.Gold]:
        """The kept training examples, in the file's order; of ``teach`` those that it made of them."""
        return self._values(stage, names.GOLD, schema.Gold)

    # --- train ---

    @property
    def adapter(self) -> Path | None:
        """The adapter's folder; None without a train stage."""
        folder = self.folders.get("train")
        return adapter_path(folder) if folder else None

    def metrics(self) -> list[schema.MetricsRow]:
        """One row an optimizer step; a torn last line is left out."""
        path = self._file("train", names.METRICS)
        return schema.check_rows(schema.MetricsRow, metrics_in(path), path) if path else []

    # --- sweep ---

    def trials(self) -> list[sweep_rows.TrialRow]:
        """Each value that a sweep tried, of both models."""
        path = self._file("sweep", names.TRIALS)
        return schema.check_rows(sweep_rows.TrialRow, self._lines("sweep", names.TRIALS), path)

    def locked(self) -> sweep_rows.LockedFile | None:
        """What a sweep locked for each model; None without a sweep.

        Raises:
            RowError: the file is damaged.
        """
        path = self._find("sweep", names.LOCKED)
        return sweep_rows.read_locked(path) if path else None

    def locked_configs(self) -> dict[str, sweep_rows.DecodingConfig] | None:
        """The configs that a sweep locked, by model; None without a sweep."""
        locked = self.locked()
        return locked and {m: sweep_rows.locked_config(locked, m) for m in ("base", "tuned")}

    # --- route ---

    def routing(self) -> list[route_rows.RouteRow]:
        """Thinking on against off, tuned before base; none: no such stage, or no switch."""
        return self._table("route", names.ROUTING, route_rows.RouteRow)

    def policy_path(self) -> Path | None:
        """The policy that a routing made; None: no such stage, or a model without a switch."""
        return self._find("route", names.POLICY)

    def dev_answers(self) -> list[Path]:
        """Journals of answers to dev prompts: the dev pass's, and a sweep's."""
        dev, swept = self._find("sample", names.DEV), self._file("sweep", names.SAMPLES)
        return [*([dev] if dev else []), *sorted(swept.glob("*.jsonl") if swept else [])]

    def gain(self) -> Row:
        """What the round gained on dev prompts; empty: not measured."""
        return _json(self._file("gain", names.GAIN))

    # --- bench ---

    def routed(self) -> list[route_rows.RoutedRow]:
        """What answering by the policy is worth on test problems; none without a policy."""
        return self._table("bench", names.ROUTED, route_rows.RoutedRow)

    def problems(self) -> list[Prompt]:
        """The test problems that were asked."""
        path = self._find("bench", names.PROBLEMS)
        return read_prompts(path) if path else []

    def sample_facts(self) -> Iterator[SampleFacts]:
        """Every benchmark completion that counts, without texts; sample set after sample set."""
        for path in self.sample_files():
            wanted = self._sample_keys(path)
            found = merge_files([path], _facts, _facts_state, wanted=wanted)
            yield from found.values()

    def whole_samples(self, path: Path, wanted: Collection[Name]) -> dict[Name, schema.BenchSample]:
        """The completions of a sample set that are wanted, texts and ids included."""
        keys = self._sample_keys(path)
        rows = (
            (row.name, row.key, schema.bench_sample_from(row.row, path))
            for row in keyed_rows([path], keys)
            if row.name in wanted
        )
        return merge_keyed(
            rows, lambda sample: state_of(sample.completion), keys_known=keys is not None
        )

    def sample_files(self) -> list[Path]:
        """The journals of the sample sets that count, in order of name."""
        folder = self.folders.get("bench")
        files = sorted((folder / names.SAMPLES).glob("*.jsonl")) if folder else []
        return [path for path in files if self._bench_keys is None or path.stem in self._bench_keys]

    @cached_property
    def keys_known(self) -> dict[str, bool]:
        """Whether ``sample`` and ``bench`` wrote down which record keys count, if they ran."""
        ran = (stage for stage in ("sample", "bench") if stage in self.folders)
        return {stage: read_keys(self.folders[stage]) is not None for stage in ran}

    @cached_property
    def _bench_keys(self) -> dict[str, RecordKeys] | None:
        folder = self.folders.get("bench")
        return read_keys(folder) if folder else None

    def _sample_keys(self, path: Path) -> KeyOf | None:
        if self._bench_keys is None:
            return None
        return self._bench_keys.get(path.stem, RecordKeys()).of

    def bench(self) -> list[bench_rows.BenchRow]:
        """Each model in each setting."""
        return self._table("bench", names.BENCH, bench_rows.BenchRow)

    def compare(self) -> list[bench_rows.CompareRow]:
        """Tuned against base in each setting."""
        return self._table("bench", names.COMPARE, bench_rows.CompareRow)

    def splits(self) -> list[bench_rows.SplitRow]:
        """Tuned against base by the base's own difficulty and by level."""
        return self._table("bench", names.SPLITS, bench_rows.SplitRow)

    def by_config(self) -> list[bench_rows.ByConfigRow]:
        """What each decoding config gave in full."""
        return self._table("bench", names.BY_CONFIG, bench_rows.ByConfigRow)

    def budget_curve(self) -> list[bench_rows.BudgetCurveRow]:
        """Accuracy against budget."""
        return self._table("bench", names.BUDGET_CURVE, bench_rows.BudgetCurveRow)

    def timing(self) -> list[schema.Timed]:
        """The timed requests."""
        path = self._file("bench", names.TIMING)
        return merge_timing(path) if path else []

    # --- files ---

    def _file(self, stage: str, name: str) -> Path | None:
        folder = self.folders.get(stage)
        return folder / name if folder else None

    def _find(self, stage: str, name: str) -> Path | None:
        path = self._file(stage, name)
        return path if path and path.is_file() else None

    def _needed(self, stage: str, name: str) -> Path:
        if path := self._find(stage, name):
            return path
        path = self._file(stage, name) or name
        raise ArtifactError(f"{path} is not there: run `deimos {stage}` first")

    def _lines(self, stage: str, name: str) -> Iterator[Row]:
        if not (path := self._find(stage, name)):
            return
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _parsed(path, number, line)

    def _values(self, stage: str, name: str, kind: type[T]) -> Iterator[T]:
        path = self._file(stage, name)
        return (schema.value_of(kind, row, path) for row in self._lines(stage, name))

    def _table(self, stage: str, name: str, kind: type[T]) -> list[T]:
        return schema.check_rows(kind, self._lines(stage, name), self._file(stage, name))


def load_run(path: str | Path) -> Artifacts:
    """What the stages of a run left, by the plan that is frozen in its folder.

    Without a plan (a run of before there were plans), of each stage the one that ran last. Only
    complete stages are taken; whether they are up to date is for ``deimos status`` to say.

    Raises:
        ArtifactError: the folder holds no run.
    """
    folder = Path(path)
    if not (folder / names.RECIPE).is_file():
        raise ArtifactError(f"{str(folder)!r} is not a run folder: it has no {names.RECIPE}")
    found: dict[str, tuple[int, Path]] = {}
    planned = {row["folder"] for row in (_json(folder / names.PLAN) or {}).get("stages", ())}
    for record_path in folder.glob(f"*-*/{names.RECORD}"):
        if planned and record_path.parent.name not in planned:
            continue
        record = _json(record_path)
        latest = record["number"], record_path.parent
        found[record["stage"]] = max(latest, found.get(record["stage"], latest))
    return Artifacts({stage: where for stage, (_, where) in found.items()})


def engines_by_model(samples: Iterable[SampleFacts]) -> dict[str, dict[str, int]]:
    """How many benchmark completions of each model each engine decoded, base first."""
    found: dict[str, Counter[str]] = {}
    for sample in samples:
        found.setdefault(sample.model, Counter())[sample.engine] += 1
    return {model: dict(found[model].most_common()) for model in sorted(found)}


def metrics_in(path: Path) -> list[Row]:
    """The whole rows of a metrics file; what a crash tore off is left out."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines if line.strip()]


def _parsed(path: Path, number: int, line: bytes) -> Row:
    try:
        row = json.loads(line)
    except ValueError as e:
        raise ArtifactError(f"{path} line {number} is not JSON: {e}") from e
    if not isinstance(row, dict):
        raise ArtifactError(f"{path} line {number} must be a JSON object")
    return row


def _facts(row: Keyed) -> SampleFacts:
    tokens, light = len(row.row["completion_ids"]), {"prompt_ids": (), "completion_ids": ()}
    sample = schema.bench_sample_from({**row.row, **light}, row.path)
    c = sample.completion
    return SampleFacts(
        sample.task, sample.model, sample.config, c.prompt_id, c.index, c.think_tokens,
        c.answer_tokens, tokens, c.finish, sample.ok, c.engine, hash(c.text), row.path,
    )  # fmt: skip


def _facts_state(facts: SampleFacts) -> RowState:
    return RowState(facts.finish, facts.text_hash, facts.ok)


def _json(path: Path | None) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path and path.is_file() else {}
