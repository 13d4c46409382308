"""The teach stage: golds of a model that thinks in no tags become golds that think in tags.

A gold's text, verified, becomes the thought, id for id; the thought is closed, and the model answers
behind it in a few words of its own. The answer is judged as any candidate's, and the shortest that
passes is kept. Writes ``answers.jsonl`` (every answer with its verdict), ``gold.jsonl`` (what is trained
on) and ``dropped.jsonl`` (golds without a right answer, with the reason). Run again it resumes.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from deimos.evaluate.models import open_models
from deimos.models.ref import ModelRef
from deimos.models.taught import teach_tokenizer
from deimos.recipe import RecipeError, Teach
from deimos.runs.artifacts import Artifacts
from deimos.runs.plan import StageJob
from deimos.store.journal import Journal, write_rows
from deimos.store.merge import Name, merge_completions
from deimos.store.names import ANSWERS, DROPPED, GOLD
from deimos.store.schema import Gold, Row, row_of
from deimos.store.template_date import read_template_date
from deimos.teach.answers import JudgeTaught, Lesson, Teaching, choose_answer, decode_answers
from deimos.types import Completion, null_reason

MakeGate = Callable[[Row], JudgeTaught]
"""Makes filters 1 to 3 for taught completions, from the constants of the dev pass."""


def run(job: StageJob, *, gate_for: MakeGate) -> dict[str, Any]:
    """Make taught golds; returns counts for the record.

    Args:
        job: inputs ``prompts`` (train.jsonl), ``sample`` (constants, date) and ``select`` (golds).
        gate_for: makes the filters.

    Raises:
        ThinkingError: the chat template cannot be made to open a thought.
        RecipeError: there are no golds, or none is left.
        EvaluationError: the engine failed on some answers again and again.
    """
    artifacts, model = Artifacts(job.inputs), job.recipe.model
    teach = settings_of(job)
    golds, prompts = list(artifacts.golds()), {p.id: p for p in artifacts.prompts("train")}
    base = ModelRef(job.model_path, model.revision, model.dtype)
    with open_models({"base": base}, job.runtime, None) as models:
        tokenizer = teach_tokenizer(models.tokenizer, teach.tags)
        today = read_template_date(job.inputs["sample"])
        teaching = Teaching(teach, job.recipe.sample, base, tokenizer, models.eos_ids, today)
        faults = {gold.prompt_id: teaching.find_fault(gold) for gold in golds}
        lessons = [
            teaching.lesson_of(g, prompts[g.prompt_id]) for g in golds if not faults[g.prompt_id]
        ]
        gate = gate_for(artifacts.needed_constants())
        answers = asyncio.run(_answer(job, teaching, lessons, models, gate))
    taught, dropped = _make_golds(golds, lessons, faults, answers)
    write_rows(job.out / GOLD, map(row_of, taught))
    write_rows(job.out / DROPPED, dropped)
    if not taught:
        reasons = Counter(row["because"] for row in dropped)
        why = "; ".join(f"{n} {because}" for because, n in reasons.most_common(3))
        raise RecipeError(
            f"train.teach: none of {len(golds)} golds has a right answer behind its closed thought "
            f"({why or 'there are none'}): raise train.teach.answers, or sample more prompts"
        )
    return _count(golds, taught, dropped, answers)


def settings_of(job: StageJob) -> Teach:
    """The recipe's section."""
    assert job.recipe.train.teach is not None, "a recipe without train.teach has no such stage"
    return job.recipe.train.teach


async def _answer(
    job: StageJob, teaching: Teaching, lessons: Sequence[Lesson], models: Any, gate: JudgeTaught
) -> dict[Name, Completion]:
    """Every answer by prompt id and index: what earlier attempts left, and the rest decoded."""
    requests = {
        (r.prompt.id, r.index): r for lesson in lessons for r in teaching.requests_of(lesson)
    }
    keys = {name: teaching.key_of(request) for name, request in requests.items()}
    found = merge_completions([job.out / ANSWERS], keys.get)
    known = {name: c for name, c in found.items() if c.verdict and c.verdict.ok is not None}
    left = {name: request for name, request in requests.items() if name not in known}

    def progress(done: int) -> None:
        job.progress("teach", len(known) + done, len(requests))

    if not left:
        return known
    with Journal(job.out / ANSWERS) as journal:
        new = await decode_answers(models, teaching.model, left, keys, gate, journal, progress)
    return {**known, **new}


def _make_golds(
    golds: Sequence[Gold],
    lessons: Sequence[Lesson],
    faults: dict[str, str],
    answers: dict[Name, Completion],
) -> tuple[list[Gold], list[Row]]:
    """The golds that are trained on, and a row for each of those that are not."""
    by_prompt: dict[str, list[Completion]] = {}
    for (prompt_id, _), completion in sorted(answers.items()):
        by_prompt.setdefault(prompt_id, []).append(completion)
    lesson_of = {lesson.prompt.id: lesson for lesson in lessons}
    taught: list[Gold] = []
    dropped: list[Row] = []
    for gold in golds:
        own = by_prompt.get(gold.prompt_id, [])
        chosen = choose_answer(own)
        if chosen:
            taught.append(_taught_gold(gold, lesson_of[gold.prompt_id], chosen))
        else:
            because = faults[gold.prompt_id] or _explain(own)
            dropped.append({"id": gold.id, "prompt_id": gold.prompt_id, "because": because})
    return taught, dropped


def _taught_gold(gold: Gold, lesson: Lesson, chosen: Completion) -> Gold:
    exact = json.dumps([lesson.rendered.ids, chosen.completion_ids])
    return dataclasses.replace(
        gold,
        id=hashlib.sha256(exact.encode()).hexdigest(),
        prompt_ids=lesson.rendered.ids,
        completion_ids=chosen.completion_ids,
        ids="rendered",
        think_tokens=chosen.think_tokens,
        answer_tokens=chosen.answer_tokens,
    )


def _explain(answers: Sequence[Completion]) -> str:
    """Why none of a gold's answers was kept: what most of them lack."""
    stages = Counter(
        "not judged" if c.verdict is None or c.verdict.ok is None else c.verdict.stage
        for c in answers
    )
    return f"no right answer behind its thought: {stages.most_common(1)[0][0]}"


def _count(
    golds: Sequence[Gold],
    taught: Sequence[Gold],
    dropped: Sequence[Row],
    answers: dict[Name, Completion],
) -> dict[str, Any]:
    verdicts = [c.verdict for c in answers.values() if c.verdict]
    unjudged = [v.because for v in verdicts if v.ok is None]
    because = Counter(map(null_reason, unjudged))
    decoded = sum(len(c.completion_ids) - c.think_tokens for c in answers.values())
    return {
        "gold": len(taught),
        "golds_before": len(golds),
        "dropped": len(dropped),
        "dropped_because": dict(Counter(row["because"] for row in dropped)),
        "answers": len(answers),
        "answers_right": sum(v.ok is True for v in verdicts),
        "answer_tokens": decoded,
        "unjudged": len(unjudged),
        **({"unjudged_because": dict(because)} if because else {}),
        "engines": dict(Counter(c.engine for c in answers.values())),
    }
