"""The real race over servers that break: what is kept, once each, is what a calm race keeps."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from tests.engines.openai.scripted_server import Fault, ScriptedServer
from tests.engines.openai.test_engine import QUICK, World, engine_over

from deimos.engines.openai.engine import OpenAIEngine
from deimos.lab.weights import lab_path
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.recipe import Sample
from deimos.sample.model import make_decode
from deimos.sample.prompt_race import SEPARATOR, RacePrompt
from deimos.sample.race import Stats, race
from deimos.store.hashing import derive_seed
from deimos.thinking import Tags, render
from deimos.types import Completion, Prompt, Verdict

N = 6
KINDS = ["reset", "half", "garbage", "error", "truncated", "status", "html", "abort", "bad_ids"]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(ModelRef(str(lab_path())))


class Races:
    """Prompts whose candidates' thoughts and answers are known beforehand."""

    def __init__(self, tokenizer: Any, prompts: int = 5) -> None:
        self.tokenizer = tokenizer
        self.world = World(tokenizer)
        rng = random.Random(3)
        self.prompts = [
            Prompt.of(task="t", kind="math", messages=[{"role": "user", "content": f"{i} + 1 ?"}],
                      reference="1")
            for i in range(prompts)
        ]  # fmt: skip
        self.rendered = {
            p.id: render(tokenizer, p.messages, tags=Tags(), thinking=None) for p in self.prompts
        }
        self.whole: dict[tuple[str, int], tuple[int, ...]] = {}
        self.right: dict[tuple[str, int], bool] = {}
        for prompt in self.prompts:
            for index in range(N):
                more = [rng.choice(self.world.words) for _ in range(rng.randrange(3, 40))]
                think = [self.world.words[index], *more]  # its first token tells whose it is
                answer = [rng.choice(self.world.words) for _ in range(rng.randrange(1, 5))]
                self.whole[prompt.id, index] = (
                    *think, self.world.close, *answer, self.world.eos,
                )  # fmt: skip
                self.right[prompt.id, index] = rng.random() < 0.6
        self.seeds = {
            derive_seed(0, p.id, i, SEPARATOR): (p.id, i) for p in self.prompts for i in range(N)
        }

    def script(self, prompt: tuple[int, ...], body: dict[str, Any]) -> Sequence[int]:
        """A new request is known by its seed, one that goes on by what it has said."""
        for prompt_id, rendered in self.rendered.items():
            head, done = rendered.ids, prompt[len(rendered.ids) :]
            if prompt[: len(head)] != head:
                continue
            if not done:
                assert self.seeds[body["seed"]][0] == prompt_id
                return self.whole[self.seeds[body["seed"]]]
            fits = {
                whole for (p, _), whole in self.whole.items()
                if p == prompt_id and whole[: len(done)] == done
            }  # fmt: skip
            return sorted(fits)[0][len(done) :]
        return self.world.words[:4]

    def server(self) -> ScriptedServer:
        return ScriptedServer(self.script, lambda i: self.tokenizer.decode([i]), eos=self.world.eos)

    def race(self, engine: OpenAIEngine, **settings: Any) -> tuple[list[Completion], Stats]:
        kept: list[Completion] = []

        async def gate(prompt: Prompt, completion: Completion) -> Verdict:
            await asyncio.sleep(0)
            return Verdict(self.right[prompt.id, completion.index])

        stats = asyncio.run(
            race(
                [RacePrompt(p, self.rendered[p.id]) for p in self.prompts],
                engine,
                settings=Sample(n=N, sampling={"max_tokens": 100}, **settings),  # type: ignore[arg-type]
                gate=gate,
                keep=kept.append,
                decode=make_decode(self.tokenizer, engine.eos_ids, engine.name),
            )
        )
        return kept, stats

    def check(self, kept: list[Completion]) -> None:
        """Every candidate once; each whole one as scripted; each outpaced one rightly so."""
        names = [(c.prompt_id, c.index) for c in kept]
        assert sorted(names) == sorted(self.whole), "complete, and none doubled"
        pool = dict(zip(names, kept, strict=True))
        for name, c in pool.items():
            whole = self.whole[name]
            assert c.completion_ids == whole[: len(c.completion_ids)]
            if c.finish == "outpaced":
                rival = pool[c.prompt_id, c.outpaced_by or 0]
                assert self.right[rival.prompt_id, rival.index]
                assert c.think_tokens > rival.think_tokens
            else:
                assert c.finish == "stop" and c.completion_ids == whole

    def golds(self, kept: list[Completion]) -> dict[str, tuple[int, int, int]]:
        passed = [c for c in kept if c.verdict and c.verdict.ok]
        return {
            p.id: min((c.think_tokens, c.answer_tokens, c.index) for c in passed if c.prompt_id == p.id)
            for p in self.prompts
            if any(c.prompt_id == p.id for c in passed)
        }  # fmt: skip


def test_a_race_over_two_servers_keeps_what_decoding_everything_keeps(tokenizer: Any) -> None:
    races = Races(tokenizer)
    with races.server() as a, races.server() as b:
        raced, stats = races.race(engine_over(a, b))
        full, _ = races.race(engine_over(a, b), exhaustive=True)
    races.check(raced)
    assert races.golds(raced) == races.golds(full)
    assert stats.completions == len(races.whole)
    assert stats.decoded_tokens == sum(len(c.completion_ids) for c in raced)
    assert not any(c.finish == "outpaced" for c in full)


@pytest.mark.parametrize("seed", range(4))
def test_a_race_over_servers_that_break_loses_and_doubles_nothing(
    tokenizer: Any, seed: int
) -> None:
    races, rng = Races(tokenizer), random.Random(seed)
    with races.server() as a, races.server() as b:
        for server in (a, b):
            server.faults.extend(
                Fault(rng.choice(KINDS), rng.randrange(4)) if rng.random() < 0.5 else Fault("none")
                for _ in range(30)
            )
        at = rng.randrange(10, 100)

        def kill(said: int) -> None:
            if said == at:
                threading.Thread(target=lambda: (a.kill(), a.start())).start()

        a.on_token = kill
        engine = engine_over(a, b, retries=30, concurrency=5)
        kept, stats = races.race(engine)
        full, _ = races.race(engine_over(b, retries=30), exhaustive=True)
    races.check(kept)
    assert races.golds(kept) == races.golds(full)
    assert stats.completions == len(races.whole)


def test_a_race_over_text_keeps_the_same(tokenizer: Any) -> None:
    races = Races(tokenizer)
    with races.server() as server:
        server.ids = False
        kept, _ = races.race(engine_over(server))
        full, _ = races.race(engine_over(server), exhaustive=True)
    assert len({(c.prompt_id, c.index) for c in kept}) == len(kept) == len(races.whole)
    assert races.golds(kept) == races.golds(full)
    for c in full:
        spelled = races.tokenizer.decode(races.whole[c.prompt_id, c.index][:-1])
        assert c.text == spelled and c.finish == "stop"
    assert QUICK["model"] == server.model
