"""One candidate that is made of another one: what it is made with, and how it can end.

Every decoding on the way is a step that is written down, so that a search which is run again decodes
nothing twice. The model is always asked with the plain prompt: what it answers follows a thought that
stands there already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from deimos.engines.base import Done, Key
from deimos.engines.collect import RETRIES, Request, put_before
from deimos.recipe import Proposer, Sample, Select
from deimos.sample.model import Decode
from deimos.sample.prompt_race import SEPARATOR, Bound, RacePrompt
from deimos.sample.proposers.jobs import JobQueue
from deimos.sample.proposers.steps import Steps
from deimos.sample.race import Gate
from deimos.store.hashing import derive_seed
from deimos.store.schema import StepRow
from deimos.types import Completion, Prompt, Verdict


class DecodingFailed(RuntimeError):
    """An engine ended a step in an error at every try."""


@dataclass(frozen=True)
class Tools:
    """What candidates are made with."""

    settings: Sample
    select: Select
    jobs: JobQueue
    """Of the sampled model."""
    tokenizer: Any
    decode: Decode
    gate: Gate
    steps: Steps
    before: tuple[int, ...]
    """Put in before a closing tag: the end of a line."""
    close: tuple[int, ...]
    """The closing tag, and what stands behind it; empty in the plain grammar."""

    def text(self, ids: Sequence[int]) -> str:
        """Ids as text, tags included."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=False)

    def encode(self, text: str) -> tuple[int, ...]:
        """Text as ids, nothing added."""
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])


@dataclass(frozen=True)
class Attempt:
    """One candidate to be made."""

    tools: Tools
    entry: RacePrompt
    source: Completion
    """What it is made of: the shortest candidate that was sampled and passed."""
    index: int
    proposer: Proposer
    key: str
    """Names it and what it is made of; see ``StepRow.key``."""
    bound: Bound

    @property
    def prompt(self) -> Prompt:
        """What is answered."""
        return self.entry.prompt

    def step_seed(self, step: int) -> int:
        """The seed of one of its decodings."""
        name = SEPARATOR.join((self.prompt.id, str(self.index)))
        return derive_seed(self.tools.settings.seed, name, step, SEPARATOR)

    async def answer(self, begun: tuple[int, ...], step: int) -> Completion:
        """The completion that begins with these ids and goes on as the model does.

        Raises:
            DecodingFailed: the engine failed at every try.
        """
        tools, request = self.tools, self._request(begun, self.step_seed(step))
        row = tools.steps.find(self.key, step)
        if row is None:
            done = await tools.jobs.decode(request.answer_job())
            if done.finish == "error":
                raise DecodingFailed(done.error)
            row = self._step(step, "model", done)
            tools.steps.write(row)
        ended = Done(request.key, row.ids, row.finish, row.seconds, text=row.text)  # pyright: ignore[reportArgumentType]
        return tools.decode(put_before(ended, begun, tools.tokenizer), request)

    def _step(self, step: int, by: str, done: Done) -> StepRow:
        tokens = len(done.completion_ids) or len(self.tools.encode(done.text or ""))
        return StepRow(
            self.key, self.prompt.id, self.index, step, by, done.completion_ids, done.text,
            tokens, done.finish, done.seconds,
        )  # fmt: skip

    def has_room(self, begun: Sequence[int]) -> bool:
        """Whether the token budget leaves room for an answer behind these ids."""
        return len(begun) < self.tools.settings.sampling.max_tokens

    async def judge(self, completion: Completion) -> Verdict:
        """What filters 1 to 3 say of it."""
        return await RETRIES.ask(lambda: self.tools.gate(self.prompt, completion))

    def is_beaten(self, think_tokens: int) -> bool:
        """Whether a thought of this length can no longer be kept."""
        return self.bound.is_beaten(self.index, think_tokens)

    def is_over_budget(self, completion: Completion) -> bool:
        """Whether its thought is longer than the recipe lets any be."""
        budget = self.tools.settings.think_budget
        return budget is not None and completion.think_tokens > budget

    def unfinished(self, ids: tuple[int, ...]) -> Completion:
        """A completion of these ids, to which nothing more is decoded."""
        done = Done(Key(self.prompt.id, self.index), ids, "stopped", 0.0)
        return self.tools.decode(done, self._request((), self.step_seed(0)))

    def outpace(self, ids: tuple[int, ...]) -> Completion:
        """It ends here, because its thought is longer than that of the winner so far."""
        winner = self.bound.winner
        assert winner, "only a winner beats"
        return replace(self.unfinished(ids), finish="outpaced", outpaced_by=winner.index)

    def fail(
        self, because: str, stage: str = "structure", last: Completion | None = None
    ) -> Completion:
        """It did not come about; ``last``: what was decoded last on the way."""
        verdict = Verdict(False, because, stage)
        return replace(last or self.unfinished(()), finish="malformed", verdict=verdict)

    def _request(self, begun: tuple[int, ...], seed: int) -> Request:
        sampling = self.tools.settings.sampling.value()
        return Request(
            self.prompt, self.entry.rendered, self.index, seed, sampling,
            begun=begun, proposer=self.proposer.name,
        )  # fmt: skip
