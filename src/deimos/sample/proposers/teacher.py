"""Who rewrites traces: the sampled model itself, another one that is loaded, or one behind a server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

from deimos import engines
from deimos.chat_template import Conversation, TemplateArguments
from deimos.engines.base import Job, Key
from deimos.lab.weights import resolve_model
from deimos.models.ref import ModelRef
from deimos.recipe import Recipe, RecipeError, RewriteProposer, TeacherSettings
from deimos.recipe.runtime import Runtime
from deimos.sample.proposers.jobs import JobQueue
from deimos.thinking import Tags, render
from deimos.types import Sampling


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What a teacher wrote."""

    text: str
    """Without its own thought."""
    tokens: int
    finish: str
    """``stop``, ``length`` or ``error``."""
    ids: tuple[int, ...] = ()
    """Empty of a server that sends text."""
    seconds: float = 0.0
    error: str = ""


class Teacher(Protocol):
    """Rewrites; any number at a time."""

    async def write(self, key: Key, messages: Conversation, seed: int) -> Rewritten:
        """The teacher's answer; ``key`` names the candidate that it is for."""
        ...


@dataclass(frozen=True)
class EngineTeacher:
    """A model that an engine has loaded."""

    jobs: JobQueue
    tokenizer: Any
    sampling: Sampling
    template: TemplateArguments | None = None

    async def write(self, key: Key, messages: Conversation, seed: int) -> Rewritten:
        """See ``Teacher.write``."""
        # Plain: nothing is cut while it decodes. A template with a switch is asked not to think.
        rendered = render(
            self.tokenizer, messages, tags=None, thinking=False, template=self.template
        )
        done = await self.jobs.decode(Job(key, rendered.ids, self.sampling, seed, rendered.think))
        ids, text = done.completion_ids, done.text
        if text is None:
            spoken = ids[:-1] if done.finish == "stop" else ids
            text = self.tokenizer.decode(spoken, skip_special_tokens=False)
        tokens = len(ids) or len(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        return Rewritten(leave_thought(text), tokens, done.finish, ids, done.seconds, done.error)


class ServerTeacher:
    """A model behind an OpenAI-compatible server.

    Args:
        client: the ``ChatClient`` of it.
        sampling: how its tokens are drawn.
    """

    def __init__(self, client: Any, sampling: Sampling) -> None:
        self._client, self._sampling = client, sampling

    async def write(self, key: Key, messages: Conversation, seed: int) -> Rewritten:
        """See ``Teacher.write``."""
        answer = await self._client.ask(messages, self._sampling, seed)
        return Rewritten(leave_thought(answer.text), answer.tokens, answer.finish)


def leave_thought(text: str) -> str:
    """A teacher's text without its own thought, if it thinks in the usual tags, and without a fence."""
    tags = Tags()
    _, closed, behind = text.rpartition(tags.close)
    text = (behind if closed else "" if tags.open in text else text).strip()
    lines = text.split("\n")
    if len(lines) > 2 and lines[0].startswith("```") and lines[-1].strip() == "```":
        text = "\n".join(lines[1:-1]).strip()
    return text


@dataclass(frozen=True)
class SampledModel:
    """The model whose traces are rewritten, which may be its own teacher."""

    jobs: JobQueue
    tokenizer: Any
    ref: ModelRef
    template: TemplateArguments


async def meet_teachers(recipe: Recipe) -> None:
    """Find out whether those who rewrite are there, before anything is sampled for them.

    A server is asked for one token, of a model that is loaded only the tokenizer is read.

    Raises:
        RecipeError: one is not there; names the proposer.
    """
    for proposer in recipe.sample.proposers or []:
        if not isinstance(proposer, RewriteProposer) or (named := proposer.teacher) is None:
            continue
        if named.path is not None:
            from deimos.models.loading import load_tokenizer

            try:
                load_tokenizer(ModelRef(resolve_model(named.path), named.revision, named.dtype))
            except RecipeError as e:
                raise RecipeError(f"sample.proposers {proposer.name!r}: teacher.path: {e}") from e
        else:
            async with open_server(proposer, named) as client:
                await client.meet()


@contextlib.asynccontextmanager
async def open_server(proposer: RewriteProposer, named: TeacherSettings) -> AsyncIterator[Any]:
    """The ``ChatClient`` of a teacher behind a server."""
    from deimos.engines.openai.chat import ChatClient

    where = f"sample.proposers {proposer.name!r}: teacher.url"
    client = ChatClient(named.url or "", named.name or "", named.api_key_env, where)
    try:
        yield client
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def open_teacher(
    proposer: RewriteProposer, sampled: SampledModel, runtime: Runtime
) -> AsyncIterator[Teacher]:
    """Open who rewrites for a proposer.

    Args:
        proposer: names the teacher; without one it is the sampled model.
        sampled: a teacher that is the same is not loaded twice.
        runtime: of the run; the teacher's engine takes its place in it.

    Raises:
        RecipeError: no such model, engine or server.
    """
    named, sampling, ref = proposer.teacher, proposer.sampling.value(), sampled.ref
    path = resolve_model(named.path) if named and named.path else ""
    if named is None or (
        path == ref.path and named.engine == runtime.engine
        and named.revision in (None, ref.revision) and named.dtype == ref.dtype
    ):  # fmt: skip
        yield EngineTeacher(sampled.jobs, sampled.tokenizer, sampling, sampled.template)
    elif named.url is not None:
        async with open_server(proposer, named) as client:
            yield ServerTeacher(client, sampling)
    else:
        from deimos.models.loading import load_tokenizer

        ref = ModelRef(path, named.revision, named.dtype)
        options = {"engine": named.engine, "engine_options": named.engine_options}
        engine = engines.open(ref, runtime.model_copy(update=options))
        async with JobQueue(engine) as jobs:
            yield EngineTeacher(jobs, load_tokenizer(ref), sampling)
