"""lm-eval's generative tasks as test tasks of the bench: its documents, prompts and scoring, our decoding.

lm-eval builds the chat of every document (description, few-shot examples as turns, question), and
its filters and metrics judge the answer. All between is ours, the same for base and tuned and for
any other task: template, sampler, budget, resume, timing. So there is no ``LM`` subclass here:
lm-eval's evaluator decodes a task as a whole and keeps neither thought nor counts nor a journal.

What differs from ``lm_eval run --apply_chat_template``, on purpose:

- An unfinished thought or a completion that was cut is wrong without asking (lm-eval grades it).
- The task's ``until`` strings cut the *answer* before it is scored. They never stop decoding: a
  blank line in a thought ends nothing, and lengths mean the same with and without thinking.
- Its sampler, ``max_gen_toks`` and ``repeats`` are not used; the recipe's are.
- Right is a metric of exactly 1; part of the marks (an F1 of 0.7) is wrong.

Every metric that a task's filters give for an answer stands in its verdict, by lm-eval's name; one of
them says right or wrong. Scores come from a process of their own (``judging``). Not covered:
likelihood tasks, tasks written in Python, images, prefilled answers, filters that judge several
responses together, and tasks that run code that the model wrote; each is refused. A data set on the
Hub enters the bench's identity by name alone: those of the suites are read at a known commit, others
are pinned by ``dataset_kwargs: {revision: …}``.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deimos.bench.lm_eval.data_files import origin_of, write_over
from deimos.bench.lm_eval.judging import LmEvalJudge, open_scorers
from deimos.bench.lm_eval.task_files import config_of, describe_missing, judges_several, texts
from deimos.graders.ifeval import registry
from deimos.graders.worker.pool import Judge
from deimos.prompts.splits import take_in_order
from deimos.prompts.text import level_of
from deimos.recipe import RecipeError, TaskSettings
from deimos.types import Prompt, Verdict

FEWSHOT_SEED = 1234
"""lm-eval's own default: the examples are those that it would show."""
WORDS = 3
"""A field of fewer words ("18", "history") is no question that training could have seen."""


@dataclass(frozen=True)
class Problems:
    """What the bench takes from an lm-eval task."""

    prompts: list[Prompt]
    """``kind`` says nothing here: the task judges. ``reference`` is its target, and what chose it."""
    judge: LmEvalJudge
    questions: Mapping[str, list[str]]
    """Prompt id to the document's fields that are asked, without the wording around them."""


def load_problems(
    task: TaskSettings, seed: int, limit: int | None = None, scorers: Judge | None = None
) -> Problems:
    """Documents of a task as prompts, in lm-eval's order; those that ``take`` takes in the seed's.

    Args:
        task: one with ``lm_eval``.
        seed: of the order that ``take`` takes from.
        limit: only so many, the first ones.
        scorers: the process that scores this task among others; None: one of its own.

    Raises:
        RecipeError: no such task, one that is not supported, one that lm-eval cannot load, a
            metric that does not say right or wrong, fewer documents than ``take``.
    """
    scorer = Scorer(task)
    documents: dict[str, int] = {}
    questions: dict[str, list[str]] = {}
    prompts = scorer.prompts(None if task.take else limit)
    for number, prompt in enumerate(prompts):
        documents.setdefault(prompt.id, number)
        questions[prompt.id] = scorer.asked(number, prompt)
    if task.take:
        prompts = take_in_order(prompts, task.take, seed, f"the lm-eval task {task.lm_eval!r}")
    return Problems(
        prompts[:limit], LmEvalJudge(task, documents, scorers or open_scorers([task])), questions
    )


def cut_at_stop(answer: str, stops: Sequence[str]) -> str:
    """The answer up to its first stop."""
    cuts = [at for stop in stops if stop and (at := answer.find(stop)) >= 0]
    return answer[: min(cuts)] if cuts else answer


class Scorer:
    """An lm-eval task in this process."""

    def __init__(self, task: TaskSettings) -> None:
        self._task_settings = task
        self._origin = origin_of(config_of(task)[0], task)
        with _explain_faults(task, "load it"):
            self._task = _loaded(task)
            self._docs: list[dict[str, Any]] = list(self._task.eval_docs)
        self._metric, self._filter = _choice(task, self._task)
        several = judges_several(config_of(task)[0])
        names = (f.name for f in self._task._filters)
        self._others = [n for n in names if n not in several and n != self._filter]
        self._stops = list(texts(self._task.config.generation_kwargs.get("until")))
        self._refuse_broken_filter(task)
        self._refuse_no_number(task)

    def prompts(self, limit: int | None = None) -> list[Prompt]:
        """One prompt a document, in the documents' order; of the first ``limit`` alone."""
        self._task.set_fewshot_seed(FEWSHOT_SEED)
        shots = self._task.config.num_fewshot or 0
        with _explain_faults(self._task_settings, "build its prompts"):
            return [self._prompt(doc, self._chat(doc, shots)) for doc in self._docs[:limit]]

    def asked(self, document: int, prompt: Prompt) -> list[str]:
        """The document's own texts that stand in the prompt's last message."""
        said = prompt.messages[-1]["content"]
        fields = (value for value in self._docs[document].values() if isinstance(value, str))
        return [text for text in fields if text.strip() in said and len(text.split()) >= WORDS]

    def verdict(self, document: int, answer: str) -> Verdict:
        """What the task's metrics say of an answer; null where its scorer fails."""
        try:
            results, read = self._results(document, answer, self._filter)
            value = float(results[self._metric])
        except Exception as e:
            return Verdict.of(None, f"lm-eval's scorer failed: {type(e).__name__}: {e}")
        found = _numbers(results, self._filter)
        for name in self._others:
            with contextlib.suppress(Exception):  # only the chosen filter must read every answer
                found |= _numbers(self._results(document, answer, name)[0], name)
        said = f"{self._metric},{self._filter} is {value:g} for {_excerpt(read)}"
        return replace(Verdict.of(value == 1, said), metrics=found)

    def _chat(self, doc: Mapping[str, Any], shots: int) -> list[dict[str, str]]:
        chats: list[list[dict[str, str]]] = []

        def keep(chat: list[dict[str, str]], **template: Any) -> str:
            chats.append(chat)
            return ""

        self._task.fewshot_context(
            doc, num_fewshot=shots, apply_chat_template=True, fewshot_as_multiturn=True, chat_template=keep,
        )  # fmt: skip
        (chat,) = chats
        return chat

    def _prompt(self, doc: Mapping[str, Any], messages: Sequence[Mapping[str, str]]) -> Prompt:
        whole = json.dumps(doc, sort_keys=True, default=str)
        reference = {
            "target": json.loads(json.dumps(self._task.doc_to_target(doc), default=str)),
            "metric": f"{self._metric},{self._filter}",
            # Documents may ask the same and be judged by another field.
            "document": hashlib.sha256(whole.encode()).hexdigest(),
        }
        return Prompt.of(
            task=self._task.task_name, kind="instruction", messages=messages, reference=reference,
            source=f"lm_eval:{self._origin}", level=level_of(doc),
        )  # fmt: skip

    def _results(self, document: int, answer: str, name: str) -> tuple[Mapping[str, Any], Any]:
        """All metrics of an answer by one filter, and what the filter read out of it."""
        read = self._read(document, answer, name)
        return self._task.process_results(self._docs[document], [read]), read

    def _read(self, document: int, answer: str, name: str) -> Any:
        """What a filter reads out of an answer."""
        from lm_eval.api.instance import Instance

        doc = self._docs[document]
        response = Instance("generate_until", doc, (), 0, (self._task.task_name, document, 1))
        response.resps = [cut_at_stop(answer, self._stops)]
        next(f for f in self._task._filters if f.name == name).apply([response])
        return response.filtered_resps[name]

    def _refuse_broken_filter(self, task: TaskSettings) -> None:
        """A filter that fails whatever it is given would make every verdict null."""
        faults: list[Exception] = []
        target = self._task.doc_to_target(self._docs[0])
        probes = (str(target), "an answer", "The answer is 1.")
        for probe in probes:
            try:
                self._read(0, probe, self._filter)
            except Exception as e:
                faults.append(e)
        if len(faults) == len(probes):
            said = (str(faults[0]).splitlines() or [""])[0]
            raise RecipeError(
                f"bench.tasks: {task.name!r}: filter {self._filter!r} of {task.lm_eval!r} cannot read "
                f"one response to a problem: {type(faults[0]).__name__}: {said}"
            )

    def _refuse_no_number(self, task: TaskSettings) -> None:
        """Some metrics of a document are lists, and some names stand for several metrics."""
        try:
            results, _ = self._results(0, "an answer", self._filter)
        except Exception:  # not every scorer survives any text: its verdict will be null
            return
        numbers = [name for name, value in results.items() if _is_number(value)]
        if self._metric not in numbers:
            raise RecipeError(
                f"bench.tasks: {task.name!r}: metric {self._metric!r} gives no single number for "
                f"a document: accepted: {', '.join(numbers)}"
            )


def make_scorer(settings: Mapping[str, Any]) -> Callable[[str, Any], Verdict]:
    """What judges answers to a task's documents by their numbers; called in the worker process."""
    scorer = Scorer(TaskSettings.model_validate(settings))
    return lambda answer, document: scorer.verdict(document, answer)


def _loaded(task: TaskSettings) -> Any:
    """lm-eval's own object for a task."""
    config, files = config_of(task)
    try:
        from lm_eval.tasks import TaskManager
    except ModuleNotFoundError as e:
        raise describe_missing(task) from e
    _prepare_libraries()
    if any("ifeval" in part for file in files for part in Path(file).parts):
        registry()  # its rules would download NLTK's sentence model when they are imported
    # By its file: reading the index of all of lm-eval's tasks takes ten seconds.
    with tempfile.TemporaryDirectory() as folder:
        path = write_over(config, task, files[0], Path(folder))
        found = TaskManager(include_defaults=False).load([str(path)])["tasks"]
    (loaded,) = found.values()
    if task.num_fewshot is not None:
        loaded.set_config(key="num_fewshot", value=task.num_fewshot)
    return loaded


@functools.cache
def _prepare_libraries() -> None:
    """Once a process: no bars for files that are read in a moment, and templates compiled once.

    lm-eval compiles a task's templates anew for each text that it makes: a minute for GSM8K's
    problems with eight examples each.
    """
    import datasets
    from lm_eval import utils

    datasets.disable_progress_bars()
    env: Any = utils.env
    env.from_string = functools.cache(env.from_string)


def _choice(task: TaskSettings, loaded: Any) -> tuple[str, str]:
    """The metric and the filter that say right or wrong, as lm-eval writes them: metric,filter."""
    metrics, filters = list(loaded.aggregation()), [f.name for f in loaded._filters]
    metric, _, chosen = (task.metric or "").partition(",")
    metric, chosen = metric or metrics[0], chosen or filters[0]
    for what, name, known in (("metric", metric, metrics), ("filter", chosen, filters)):
        if name not in known:
            raise RecipeError(
                f"bench.tasks: {task.name!r}: metric {task.metric!r}: there is no {what} {name!r} "
                f"in {task.lm_eval!r}: accepted: {', '.join(known)}"
            )
    if loaded.higher_is_better().get(metric) is False:
        raise RecipeError(
            f"bench.tasks: {task.name!r}: metric {metric!r} is better the lower it is: "
            "it does not say right or wrong"
        )
    return metric, chosen


SAID = 240
"""Characters of a library's own message that are passed on."""


@contextlib.contextmanager
def _explain_faults(task: TaskSettings, doing: str) -> Iterator[None]:
    """RecipeError in one sentence for whatever the task's YAML, code or data makes lm-eval raise."""
    try:
        yield
    except RecipeError:
        raise
    except Exception as e:
        cause: BaseException = e
        while cause.__cause__ is not None:  # what datasets says is "An error occurred"
            cause = cause.__cause__
        said = " ".join(str(cause).split())[:SAID]
        data = (
            f" (its data: {task.data}; docs/guides/benchmarks.md has the columns)"
            if task.data
            else ""
        )
        raise RecipeError(
            f"bench.tasks: {task.name!r}: lm-eval cannot {doing}: {type(cause).__name__}: {said}{data}"
        ) from e


def _numbers(results: Mapping[str, Any], name: str) -> dict[str, float | list[float]]:
    """A document's metrics by one filter, as lm-eval writes them: numbers, and lists of them."""
    found: dict[str, float | list[float]] = {}
    for metric, value in results.items():
        several = value if isinstance(value, list | tuple) else [value]
        if several and all(_is_number(each) for each in several):
            numbers = [float(each) for each in several]
            found[f"{metric},{name}"] = numbers if isinstance(value, list | tuple) else numbers[0]
    return found


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _excerpt(read: Any) -> str:
    said = " ".join(str(read).split())
    return repr(said if len(said) <= 60 else f"{said[:59]}…")
