"""The recipe's ``sample.proposers``: the ways in which the candidates of a prompt come about.

Each makes ``n`` candidates of every prompt, and all of them run one race. ``plain``, ``instruction``
and ``few_shot`` sample from the prompt as it is asked; ``rewrite`` and ``prune`` start from the
shortest of those that passed.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from deimos.recipe.errors import describe_fault, show_value
from deimos.recipe.section import Count, Section, Text
from deimos.types import Sampling

OWN = "own"
"""``few_shot.exemplars``: the run's own shortest golds of other prompts."""
INSTRUCTIONS = {
    "fragments": (
        "Think in short fragments: only the calculations, one to a line, without whole sentences. "
        "Then give the answer."
    ),
    "difficulty": (
        "Think only as much as this problem needs: a line or two if it is easy, more only for the "
        "steps that are hard. Leave out whatever does not change the answer. Then give the answer."
    ),
}
"""Instructions that ``instruction.text`` can name."""
REWRITE = (
    "Rewrite this reasoning as compact fragments: only the facts and calculations that lead to the "
    "answer, in order, one to a line, no whole sentences, nothing restated. Every number that is used "
    "must still be derived. Write the fragments and nothing else."
)


class PlainProposer(Section):
    """Samples from the prompt as it is."""

    kind: Literal["plain"] = "plain"
    name: Text = "plain"
    """How rows and tables call it; unique in the list."""
    n: Count = 8
    """Candidates of every prompt."""


class InstructionProposer(Section):
    """Samples with an instruction behind what the user says; the training prompt goes without it."""

    kind: Literal["instruction"]
    name: Text = "instruction"
    n: Count = 1
    text: Text = "fragments"
    """The instruction, or the name of one: ``fragments`` or ``difficulty``."""

    @property
    def instruction(self) -> str:
        """What is added to the last user message."""
        return INSTRUCTIONS.get(self.text, self.text)

    @model_validator(mode="after")
    def _says_something(self) -> InstructionProposer:
        _require_text(self.text, self.name)
        near = difflib.get_close_matches(self.text.lower(), INSTRUCTIONS, n=1, cutoff=0.75)
        if near and self.text not in INSTRUCTIONS:
            raise ValueError(
                f"sample.proposers {self.name!r}: text = {show_value(self.text)}: did you mean "
                f"{near[0]!r}? An instruction of your own is a sentence"
            )
        return self


class FewShotProposer(Section):
    """Samples with worked examples before the question; the training prompt goes without them."""

    kind: Literal["few_shot"]
    name: Text = "few_shot"
    n: Count = 1
    exemplars: Text = OWN
    """A JSONL file with a ``question``, ``think`` (may be left out) and ``answer`` a line; or ``own``:
    the run's own shortest golds of other prompts of the same kind."""
    shots: Count = 4
    """Exemplars before each question: the first ones, or of ``own`` the shortest."""


class TeacherSampling(Section):
    """How a teacher's tokens are drawn."""

    temperature: float = Field(default=0.7, ge=0)
    top_p: float = Field(default=0.95, gt=0, le=1)
    max_tokens: int = Field(default=1024, ge=1)

    def value(self) -> Sampling:
        """The plain dataclass that engines take."""
        return Sampling(**self.model_dump())


class TeacherSettings(Section):
    """Who rewrites: a model that an engine loads, or one behind an OpenAI-compatible server."""

    path: Text | None = None
    """Local folder or Hub id."""
    revision: str | None = None
    """Hub commit of ``path``."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    engine: Text = "local"
    """Registered name, ``pkg:attr`` or ``./file.py:attr``, of what loads ``path``."""
    engine_options: dict[str, Any] = {}
    """Passed to the engine's factory."""
    url: Text | None = None
    """Base URL up to and with ``/v1`` of a server with chat completions."""
    name: Text | None = None
    """The name under which the server serves the teacher."""
    api_key_env: str | None = None
    """The environment variable with the server's key."""

    @model_validator(mode="after")
    def _one_place(self) -> TeacherSettings:
        if (self.path is None) == (self.url is None):
            raise ValueError(
                "sample.proposers: a rewrite's teacher needs either path (a model that is loaded) or "
                "url and name (a server); leave teacher out for the model itself"
            )
        if (self.url is None) != (self.name is None):
            raise ValueError(
                f"sample.proposers: teacher.url = {show_value(self.url)} and teacher.name = "
                f"{show_value(self.name)}: give both"
            )
        where = "url" if self.url else "path"
        fields = type(self).model_fields
        beside = ("revision", "dtype", "engine", "engine_options") if self.url else ("api_key_env",)
        # By value, as a resolved recipe names every key.
        if idle := [name for name in beside if getattr(self, name) != fields[name].default]:
            raise ValueError(
                f"sample.proposers: teacher.{idle[0]} does nothing beside teacher.{where}: leave it out"
            )
        return self


class RewriteProposer(Section):
    """A teacher rewrites the shortest passing trace; the model must answer right behind it."""

    kind: Literal["rewrite"]
    name: Text = "rewrite"
    n: Count = 1
    teacher: TeacherSettings | None = None
    """null: the model itself."""
    text: Text = REWRITE
    """What the teacher is asked; the question and the reasoning follow it."""
    sampling: TeacherSampling = TeacherSampling()

    @model_validator(mode="after")
    def _asks_something(self) -> RewriteProposer:
        _require_text(self.text, self.name)
        if self.text in INSTRUCTIONS:
            raise ValueError(
                f"sample.proposers {self.name!r}: text = {self.text!r} names an instruction of kind "
                "instruction: say here what the teacher is asked to do, or leave it out"
            )
        return self


class PruneProposer(Section):
    """Closes the shortest passing thought at the first sentence from which the model answers right."""

    kind: Literal["prune"]
    name: Text = "prune"
    n: Count = 1


def _require_text(text: str, name: str) -> None:
    if not text.strip():
        raise ValueError(f"sample.proposers {name!r}: text must say something")


Proposer = PlainProposer | InstructionProposer | FewShotProposer | RewriteProposer | PruneProposer
KINDS: dict[str, type[Proposer]] = {
    "plain": PlainProposer, "instruction": InstructionProposer, "few_shot": FewShotProposer,
    "rewrite": RewriteProposer, "prune": PruneProposer,
}  # fmt: skip


def read_proposers(value: Any) -> list[Proposer] | None:
    """The proposers of a recipe; each is read by its kind, so that a fault names only what is meant.

    Raises:
        ValueError: no list, an unknown kind, or a fault in one of them; one sentence.
    """
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(
            f"sample.proposers = {show_value(value)}: must be a list with at least one proposer, like "
            "[{kind: plain, n: 8}], or left out"
        )
    return [_read_one(at, item) for at, item in enumerate(value)]


def _read_one(at: int, item: Any) -> Proposer:
    place = f"sample.proposers.{at}"
    if isinstance(item, Section):
        item = item.model_dump()
    if not isinstance(item, dict) or "kind" not in item:
        raise ValueError(
            f"{place} = {show_value(item)}: must be a section with a kind, one of {', '.join(KINDS)}"
        )
    kind = item["kind"]
    if not isinstance(kind, str) or kind not in KINDS:
        near = difflib.get_close_matches(str(kind), KINDS, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(
            f"{place}.kind = {show_value(kind)}: must be one of {', '.join(KINDS)}{hint}"
        )
    try:
        return KINDS[kind].model_validate(item)
    except ValidationError as e:
        raise ValueError(describe_fault(KINDS[kind], e, place)) from e


def stage_of(proposer: Proposer) -> int:
    """When its candidates can start: 0 at once, 1 once all prompts have raced, 2 from a winner."""
    if isinstance(proposer, RewriteProposer | PruneProposer):
        return 2
    return int(isinstance(proposer, FewShotProposer) and proposer.exemplars == OWN)


def order_candidates(proposers: Sequence[Proposer]) -> list[Proposer]:
    """Each candidate's proposer, by index: in the recipe's order, those that start later last."""
    ordered = sorted(proposers, key=stage_of)
    return [proposer for proposer in ordered for _ in range(proposer.n)]


def check_proposers(proposers: Sequence[Proposer], temperature: float) -> None:
    """Refuse proposers that cannot be told apart, or have nothing to start from.

    Raises:
        ValueError: one sentence.
    """
    names = [proposer.name for proposer in proposers]
    if odd := [name for name in names if not name.strip() or not name.isprintable()]:
        raise ValueError(
            f"sample.proposers: name = {show_value(odd[0])}: must be a text on one line that is not blank"
        )
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(
            f"sample.proposers: two are called {twice[0]!r}: give each a name of its own"
        )
    later = [p for p in proposers if stage_of(p)]
    if len(later) == len(proposers):
        raise ValueError(
            f"sample.proposers: {later[0].name!r} starts from candidates that passed, and nothing "
            "makes any: add a proposer of kind plain, instruction, or few_shot with a file"
        )
    if prune := [p.name for p in proposers if isinstance(p, PruneProposer) and temperature == 0]:
        raise ValueError(
            f"sample.sampling.temperature = 0: {prune[0]!r} (prune) asks for two independent answers, "
            "which greedy decoding cannot give: set it above 0"
        )
