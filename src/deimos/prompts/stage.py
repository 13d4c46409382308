"""The prompts stage: all sources of a recipe, decontaminated, divided into train.jsonl and dev.jsonl."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from deimos.prompts.decontaminate import Index, Overlap, TestText
from deimos.prompts.load import check_source, load_source
from deimos.prompts.references import check_references
from deimos.prompts.splits import split
from deimos.prompts.text import question_of
from deimos.recipe import Recipe, RecipeError
from deimos.runs.artifacts import write_prompts
from deimos.store.journal import write_atomic
from deimos.store.names import DECONTAMINATED, DEV, TRAIN
from deimos.store.schema import prompt_row
from deimos.types import Prompt

if TYPE_CHECKING:
    from deimos.runs.plan import StageJob

ShowProgress = Callable[[str, int, int, str], None]


class Found(NamedTuple):
    """A prompt that overlaps with a test problem, and by which words."""

    prompt: Prompt
    overlap: Overlap


class Gathered(NamedTuple):
    """The prompts of a recipe."""

    train: list[Prompt]
    dev: list[Prompt]
    overlaps: list[Found]
    """Dropped from the other two, or, where the recipe allows contamination, kept there."""


def run(
    job: StageJob,
    *,
    check: Callable[[Collection[Prompt]], object],
    tests: Sequence[TestText] = (),
    unchecked: Collection[str] = (),
) -> dict[str, Any]:
    """Load, decontaminate, divide and write; returns how many of which kind and task went where.

    Args:
        job: where to write.
        check: shown all prompts before anything is written; raises where the recipe tests on them.
        tests: what the test problems ask.
        unchecked: names of test tasks that could not be loaded here (another Python has lm-eval).

    Raises:
        RecipeError: as ``gather``, or what ``check`` refuses.
    """
    train, dev, overlaps = gather(job.recipe, job.progress, tests)
    prompts = [*train, *dev]
    check(prompts)
    write_prompts(job.out / TRAIN, train)
    write_prompts(job.out / DEV, dev)
    counts = {
        "train": len(train),
        "dev": len(dev),
        "train_by_kind": dict(sorted(Counter(p.kind for p in train).items())),
        "dev_by_kind": dict(sorted(Counter(p.kind for p in dev).items())),
        "by_task": dict(sorted(Counter(p.task for p in prompts).items())),
    }
    if not job.recipe.prompts.decontaminate.enabled:
        return counts
    kept = job.recipe.allow_contamination
    rows = ({**_told(found), "kept": kept} for found in overlaps)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_atomic(job.out / DECONTAMINATED, text)
    return {**counts, "decontaminated": 0 if kept else len(overlaps)} | {
        "decontamination": {
            "tests": len(tests),
            "overlaps": len(overlaps),
            "by_rule": dict(sorted(Counter(f.overlap.rule for f in overlaps).items())),
            "by_task": dict(sorted(Counter(f.prompt.task for f in overlaps).items())),
            "by_test": dict(sorted(Counter(f.overlap.task for f in overlaps).items())),
            "unchecked": ", ".join(unchecked) or None,
        }
    }


def gather(
    recipe: Recipe,
    progress: ShowProgress = lambda label, done, total, note: None,
    tests: Sequence[TestText] = (),
) -> Gathered:
    """The prompts of all sources, less those that overlap with a test, divided into train and dev.

    Raises:
        RecipeError: a source refuses, no grader for a kind, a reference of another kind, a single
            prompt, the same twice, or a task of which too much stands in the tests.
    """
    wanted = recipe.prompts
    prompts: list[Prompt] = []
    questions: list[str] = []
    for done, source in enumerate(wanted.sources):
        progress("prompts", done, len(wanted.sources), source.source)
        loaded, known = load_source(source, wanted.seed), check_source(source)
        check_references(loaded, recipe.select.graders, source, "prompts.sources")
        prompts += loaded
        questions += [question_of(known, source.options, prompt) for prompt in loaded]
    progress("prompts", len(wanted.sources), len(wanted.sources), "")
    _refuse_unjudged(recipe, prompts)
    overlaps = _overlaps(recipe, prompts, questions, tests)
    if not recipe.allow_contamination:
        dropped = {found.prompt.id for found in overlaps}
        prompts = [prompt for prompt in prompts if prompt.id not in dropped]
    if len(prompts) < 2:
        raise RecipeError(
            f"prompts.sources give {len(prompts) or 'no'} prompt{'' if len(prompts) == 1 else 's'}: "
            "two are needed, one to hold out as dev"
        )
    train, dev = split(prompts, wanted.dev_fraction, wanted.dev_min_per_kind, wanted.seed)
    return Gathered(train, dev, overlaps)


def _overlaps(
    recipe: Recipe, prompts: Sequence[Prompt], questions: Iterable[str], tests: Sequence[TestText]
) -> list[Found]:
    settings = recipe.prompts.decontaminate
    if not settings.enabled or not tests:
        return []
    index = Index(tests, settings)
    looked = zip(prompts, map(index.find, questions))
    overlaps = [Found(prompt, overlap) for prompt, overlap in looked if overlap]
    if not recipe.allow_contamination:
        _refuse_test_sets(prompts, overlaps, settings.refuse_above)
    return overlaps


def _refuse_test_sets(prompts: Iterable[Prompt], overlaps: Iterable[Found], most: float) -> None:
    """Dropping is for strays: a task that mostly stands in the tests was chosen by mistake."""
    totals, shared = Counter(p.task for p in prompts), Counter(f.prompt.task for f in overlaps)
    for found in overlaps:
        task = found.prompt.task
        if shared[task] > most * totals[task]:
            raise RecipeError(
                f"prompts.sources: {shared[task]:,} of {totals[task]:,} {task} prompts overlap with test "
                f"problems (such as {found.overlap.matched[:60]!r} with {found.overlap.task!r}): train on "
                "others, raise prompts.decontaminate.refuse_above to have them dropped, or pass "
                "--allow-contamination, and the card will say so"
            )


def _told(found: Found) -> dict[str, Any]:
    overlap = found.overlap
    return {
        **prompt_row(found.prompt),
        "rule": overlap.rule,
        "test_task": overlap.task,
        "matched": overlap.matched,
        "test": overlap.test,
    }


def _refuse_unjudged(recipe: Recipe, prompts: Collection[Prompt]) -> None:
    lacking = sorted({p.kind for p in prompts} - set(recipe.select.graders))
    if lacking:
        raise RecipeError(
            f"prompts.sources give {lacking[0]} prompts but select.graders has no grader for them"
        )
