"""From requests to completions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from tests.engines.runs import CLOSE, EOS, OPENED

from deimos.engines.base import Done, Job, Key
from deimos.engines.collect import Request, collect, completion_of
from deimos.engines.echo import EchoEngine
from deimos.thinking import Rendered, Tags
from deimos.types import Completion, Prompt, Sampling

WORDS = {0: "<eos>", 1: "<think>", 2: "</think>"}


class Words:
    """A tokenizer as far as collecting needs one."""

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
        assert not skip_special_tokens
        return " ".join(WORDS.get(i, f"w{i}") for i in ids)


def requests(n: int) -> Iterator[Request]:
    for i in range(n):
        prompt = Prompt.of(
            task="t", kind="math", messages=[{"role": "user", "content": str(i)}], reference="1"
        )
        rendered = Rendered("q <think>", (5, 1), OPENED, Tags())
        yield Request(prompt, rendered, 0, 3, Sampling(max_tokens=20))


def script(job: Job) -> tuple[int, ...]:
    return (10, 11, CLOSE, 20, EOS)


def gather(engine: Any, wanted: Iterable[Request], **kwargs: Any) -> list[Completion]:
    async def main() -> list[Completion]:
        return [c async for c in collect(engine, Words(), {EOS}, wanted, **kwargs)]

    return asyncio.run(main())


def test_completions_are_taken_apart() -> None:
    found = gather(EchoEngine(script), requests(3))
    assert {c.prompt_id for c in found} == {r.prompt.id for r in requests(3)}
    for c in found:
        assert (c.think, c.answer, c.text) == ("w10 w11", " w20", "w10 w11 </think> w20")
        assert (c.think_tokens, c.answer_tokens, c.finish) == (2, 1, "stop")
        assert (c.prompt_ids, c.completion_ids) == ((5, 1), (10, 11, CLOSE, 20, EOS))
        assert (c.seed, c.engine, c.verdict, c.outpaced_by) == (3, "echo/1", None, None)


def test_concurrency_bounds_what_is_in_flight() -> None:
    most = 0

    class Watched(EchoEngine):
        def _admit(self, job: Job) -> None:
            nonlocal most
            super()._admit(job)
            most = max(most, len(self._rows))

    assert len(gather(Watched(script, max_batch=8), requests(10), concurrency=3)) == 10
    assert most == 3
    assert len(gather(Watched(script, max_batch=8), requests(10))) == 10
    assert most == 8


@pytest.mark.parametrize(
    ("said", "kept"),
    [("stop", "stop"), ("length", "length"), ("stopped", "outpaced"), ("error", "error")],
)
def test_how_it_ended(said: Any, kept: str) -> None:
    request = next(requests(1))
    done = Done(Key(request.prompt.id, 0), (10, 11), said, 1.5)
    found = completion_of(done, request, Words(), {EOS}, "x", outpaced_by=4)
    assert (found.finish, found.outpaced_by, found.seconds) == (kept, 4, 1.5)
    assert (found.answer, found.think) == ("", "w10 w11")
    other = completion_of(done, request, Words(), {EOS}, "x", finish="malformed")
    assert other.finish == "malformed"


def test_the_same_candidate_twice_is_refused() -> None:
    twice = [next(requests(1)), next(requests(1))]
    with pytest.raises(ValueError, match="two requests for candidate 0"):
        gather(EchoEngine(script), twice)
