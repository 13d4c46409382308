"""lm-eval's generative tasks on our engines, keeping what lm-eval throws away.

lm-eval supplies prompts, extraction and metrics; this adapter decodes through an ``Engine`` and
keeps each completion (thought, counts, finish, seconds) beside the answer that lm-eval sees.
Three things differ from lm-eval's own backends, on purpose: an unfinished thought is an empty
answer (they grade the thought); ``until`` stops apply to the answer alone (a blank line in a
thought ends nothing); sampler and budget are ours (a task's ``max_gen_toks`` and temperature are
not used: 256 tokens cut most thoughts). Not covered: likelihood tasks, prefilled answers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from lm_eval.api.model import LM

from deimos.bench.sampling import seed_of
from deimos.engines.base import Engine, Key
from deimos.engines.collect import Request, collect
from deimos.rows import completion_row
from deimos.thinking import Rendered, Tags, render
from deimos.types import Completion, Prompt, Sampling


@dataclass(frozen=True)
class Setup:
    """How one model is asked."""

    engine: Engine
    tokenizer: Any
    eos_ids: Collection[int]
    sampling: Sampling
    tags: Tags | None = None
    thinking: bool | None = None
    seed: int = 0


class ItemKey(NamedTuple):
    """Names one request of lm-eval's."""

    task: str
    doc_id: int
    repeat: int
    """Which of the document's samples, from 0."""


class EngineLM(LM):
    """A model as lm-eval sees one; ``completions`` is the side table."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self._setup = setup
        self._rendered: dict[str, tuple[Rendered, list[dict[str, str]]]] = {}
        self.completions: dict[ItemKey, Completion] = {}
        """Every completion, by the request it answers."""

    @property
    def tokenizer_name(self) -> str:
        """For lm-eval's cache keys."""
        return str(getattr(self._setup.tokenizer, "name_or_path", ""))

    def chat_template(self, chat_template: bool | str = False) -> str:
        """The template as lm-eval records it."""
        return str(self._setup.tokenizer.chat_template)

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Render a conversation, and remember how its completions are to be read.

        Raises:
            NotImplementedError: a task that prefills the answer.
        """
        if not add_generation_prompt:
            raise NotImplementedError(
                "tasks that prefill the answer (gen_prefix) are not supported"
            )
        setup = self._setup
        rendered = render(setup.tokenizer, chat_history, tags=setup.tags, thinking=setup.thinking)
        self._rendered[rendered.text] = (rendered, chat_history)
        return rendered.text

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """Answer lm-eval's requests; thoughts stay in ``completions``.

        Raises:
            ValueError: a context that did not come through ``apply_chat_template``.
            RuntimeError: the engine failed on a request.
        """
        seen: Counter[tuple[str, int]] = Counter()
        asked: dict[ItemKey, Request] = {}
        for instance in requests:
            document = (str(instance.task_name), int(instance.doc_id))
            asked[ItemKey(*document, seen[document])] = self._request(instance, seen[document])
            seen[document] += 1
        by_key = {request.key: item for item, request in asked.items()}
        for completion in asyncio.run(self._decode(asked.values())):
            if completion.finish == "error":
                raise RuntimeError(f"the engine failed on a request of {requests[0].task_name}")
            self.completions[by_key[Key(completion.prompt_id, completion.index)]] = completion
        return [
            stopped(self.completions[item].answer, stops_of(instance))
            for item, instance in zip(asked, requests, strict=True)
        ]

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        """Refused: a model that thinks has no likelihood of an answer without its thought."""
        raise NotImplementedError("likelihood tasks are not supported: choose the generative form")

    def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
        """Refused, as ``loglikelihood``."""
        raise NotImplementedError("perplexity tasks are not supported")

    def _request(self, instance: Any, index: int) -> Request:
        context = instance.args[0]
        if context not in self._rendered:
            raise ValueError(f"{instance.task_name}: run lm-eval with apply_chat_template=True")
        rendered, messages = self._rendered[context]
        # The document is part of the id: two documents may ask the same.
        name = f"lm_eval/{instance.task_name}/{instance.doc_id}"
        prompt = Prompt.of(task=name, kind="math", messages=messages, reference=None)
        seed = seed_of(self._setup.seed, prompt.id, index)
        return Request(prompt, rendered, index, seed, self._setup.sampling)

    async def _decode(self, requests: Iterable[Request]) -> list[Completion]:
        setup = self._setup
        decoding = collect(setup.engine, setup.tokenizer, setup.eos_ids, requests)
        async with contextlib.aclosing(decoding):  # pyright: ignore[reportArgumentType]
            return [completion async for completion in decoding]


def stops_of(instance: Any) -> list[str]:
    """A request's ``until`` strings."""
    until = (instance.args[1] or {}).get("until") or []
    return [until] if isinstance(until, str) else list(until)


def stopped(answer: str, stops: Sequence[str]) -> str:
    """The answer up to its first stop; leading blank lines are no stop."""
    cuts = [at for stop in stops if stop and (at := answer.find(stop)) >= 0]
    return answer[: min(cuts)] if cuts else answer


class Evaluation(NamedTuple):
    """What ``evaluate`` gives."""

    metrics: dict[str, dict[str, Any]]
    """Task to lm-eval's own metrics."""
    rows: list[dict[str, Any]]
    """One a completion: its fields, and ``task doc_id target filter metrics``."""


def evaluate(
    tasks: Sequence[str | dict[str, Any]], setup: Setup, *, limit: int | None = None
) -> Evaluation:
    """Run lm-eval tasks (names, or task configs) on an engine.

    Args:
        tasks: names that lm-eval knows, or its task configs; ``dataset_path: json`` with
            ``data_files`` needs no network.
        setup: engine, tokenizer and sampler.
        limit: first documents of each task only.

    Raises:
        ValueError: lm-eval evaluated nothing.
    """
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.tasks import TaskManager

    # Reading the index of all of lm-eval's tasks takes long; only names need it.
    manager = TaskManager(include_defaults=any(isinstance(task, str) for task in tasks))
    model = EngineLM(setup)
    found: Any = simple_evaluate(
        model=model, task_manager=manager, tasks=list(tasks), limit=limit,
        apply_chat_template=True, bootstrap_iters=0,
        log_samples=True, random_seed=setup.seed, numpy_random_seed=setup.seed,
        torch_random_seed=setup.seed, fewshot_random_seed=setup.seed,
    )  # fmt: skip
    if found is None:
        raise ValueError("lm-eval gave no results")
    return Evaluation(dict(found["results"]), _rows(model, found["samples"]))


def _rows(model: EngineLM, samples: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Completions with the metrics of their document, one row for each of lm-eval's filters."""
    logged = {}
    for task, items in samples.items():
        for item in items:
            logged.setdefault((task, item["doc_id"]), []).append(item)
    return [
        {
            **completion_row(completion),
            "task": key.task,
            "doc_id": key.doc_id,
            "target": item["target"],
            "filter": item["filter"],
            "metrics": {name: item[name] for name in item["metrics"]},
        }
        for key, completion in model.completions.items()
        for item in logged.get((key.task, key.doc_id), [])
    ]
