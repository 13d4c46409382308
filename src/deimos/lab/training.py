"""Training the lab model from nothing: tokenizer, data, one AdamW run.

Plain PyTorch, because this is pretraining on generated text, not the fine-tuning that
``train/`` does. Not covered: data parallelism, resuming (it takes about an hour on two cores).
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from deimos.lab import problems, tokenizer, traces

if TYPE_CHECKING:
    import torch

ANSWER_ONLY_SHARE = 0.05
"""Share of examples with thinking off: the answer straight away, so that the switch means something."""


@dataclass(frozen=True)
class Phase:
    """A stretch of training with its own learning-rate cycle."""

    tokens: int
    """Tokens seen in it, prompts included."""
    learning_rate: float
    drills: float = 0.0
    """Share of examples that are only about finding a number's letter among options: in whole
    problems that is two tokens of 150, too few to be learnt in passing."""


@dataclass(frozen=True)
class Config:
    """Shape and schedule; the defaults made the packaged weights."""

    hidden: int = 192
    layers: int = 6
    heads: int = 6
    kv_heads: int = 2
    head_dim: int = 32
    intermediate: int = 512
    phases: tuple[Phase, ...] = (Phase(8_000_000, 2e-3), Phase(2_500_000, 1e-3, drills=0.4))
    batch_tokens: int = 4_096
    warmup: float = 0.03
    weight_decay: float = 0.05
    seed: int = 0

    @property
    def tokens(self) -> int:
        """Tokens seen in all."""
        return sum(phase.tokens for phase in self.phases)


class Example(NamedTuple):
    """What the model is taught: a user's text, a thought ("": thinking off), an answer."""

    text: str
    thought: str
    answer: str
    problem: problems.Problem | None
    """None for drills."""


Encode = Callable[[Example], tuple[list[int], int]]
"""Example to its ids and the length of the prompt among them."""
Report = Callable[[int, int, str], None]
"""Told tokens done, tokens in all, and a note, now and then."""


def train(folder: Path, config: Config, report: Report) -> None:
    """Make the lab model in ``folder``: tokenizer, bf16 weights, ``training.json``."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    tokenizer.build(_corpus(config.seed), folder)
    model, encode = _fresh(folder, config)
    started, loss = time.monotonic(), math.nan
    for number in range(len(config.phases)):
        loss = _train_phase(model, encode, config, number, report)
        _save(model, folder)
    facts = {"config": asdict(config), "loss": loss, "seconds": time.monotonic() - started}
    (folder / "training.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _train_phase(model: Any, encode: Encode, config: Config, number: int, report: Report) -> float:
    """One learning-rate cycle; returns the loss, smoothed over about 50 steps."""
    import torch

    phase, before = config.phases[number], sum(p.tokens for p in config.phases[:number])
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=phase.learning_rate, betas=(0.9, 0.95),
        weight_decay=config.weight_decay,
    )  # fmt: skip
    started, seen, step, smooth = time.monotonic(), 0, 0, math.nan
    for ids, labels in batches(config, number, encode):
        for group in optimizer.param_groups:
            group["lr"] = phase.learning_rate * _schedule(seen / phase.tokens, config.warmup)
        with torch.autocast("cpu", torch.bfloat16):  # 1.8x the speed of float32 on AVX-512 bf16
            loss = _loss(model, ids, labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seen, step = seen + int((ids >= 0).sum()), step + 1
        smooth = loss.item() if math.isnan(smooth) else 0.98 * smooth + 0.02 * loss.item()
        if step % 50 == 0:
            speed = seen / (time.monotonic() - started)
            report(before + seen, config.tokens, f"loss {smooth:.4f}, {speed:.0f} tokens/s")
        if seen >= phase.tokens:
            break
    return smooth


def examples(seed: int, drills: float = 0.0) -> Iterator[Example]:
    """Endless examples of the base split, and a share of drills."""
    rng = random.Random(seed)
    while True:
        if drills and rng.random() < drills:
            yield _drill(rng)
            continue
        problem = problems.draw(rng, "base", rng.choice(("math", "choice")))
        off = rng.random() < ANSWER_ONLY_SHARE
        thought = "" if off else traces.thought(problem, rng, traces.level(rng))
        yield Example(problem.text, thought, traces.answer(problem), problem)


def _drill(rng: random.Random) -> Example:
    """Find a number among options; no two end in the same digit, as in the problems."""
    numbers = [
        10 * rng.randint(0, 9) + digit for digit in rng.sample(range(10), rng.choice((3, 4, 5)))
    ]
    at = rng.randrange(len(numbers))
    lines = [f"{number} ({'ABCDE'[i]})" for i, number in enumerate(numbers)]
    text = "\n".join([f"Which option is {numbers[at]}?", *lines])
    letter = "ABCDE"[at]
    return Example(text, f"{numbers[at]} ({letter}).", f"The answer is \\boxed{{{letter}}}.", None)


def batches(
    config: Config, number: int, encode: Encode
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """A phase's batches of about ``batch_tokens`` tokens, like lengths together, in random order.

    Yields ids and labels, both [rows, length], int64; padding is -1 in ids and -100 in labels,
    and prompts are -100 in labels: only what the model writes is learnt.
    """
    import torch

    rng = random.Random(config.seed + 1 + 10 * number)
    stream = examples(config.seed + 2 + 10 * number, config.phases[number].drills)
    while True:
        pool = sorted((encode(next(stream)) for _ in range(4096)), key=lambda x: len(x[0]))
        # Few distinct shapes: each new one costs the CPU kernels a slow set-up and memory.
        groups: list[list[tuple[list[int], int]]] = []
        while pool:
            width = _padded(len(pool[-1][0]))
            groups.append(pool[-(config.batch_tokens // width) :])
            del pool[-(config.batch_tokens // width) :]
        rng.shuffle(groups)
        for group in groups:
            width = _padded(max(len(ids) for ids, _ in group))
            ids = torch.full((len(group), width), -1)
            labels = torch.full((len(group), width), -100)
            for row, (tokens, prompt) in enumerate(group):
                ids[row, : len(tokens)] = torch.tensor(tokens)
                labels[row, prompt : len(tokens)] = torch.tensor(tokens[prompt:])
            yield ids, labels


def _padded(length: int) -> int:
    return -(-length // 32) * 32


def _corpus(seed: int) -> Iterator[str]:
    stream = examples(seed)
    for _ in range(6000):
        example = next(stream)
        yield f"{example.text}\n{example.thought}\n{example.answer}"


def _fresh(folder: Path, config: Config) -> tuple[Any, Encode]:
    from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

    tok = AutoTokenizer.from_pretrained(folder)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=-(-len(tok) // 32) * 32,
            hidden_size=config.hidden,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.kv_heads,
            head_dim=config.head_dim,
            intermediate_size=config.intermediate,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tok.eos_token_id,
            pad_token_id=tok.pad_token_id,
        )
    )

    def encode(example: Example) -> tuple[list[int], int]:
        thought, answer = example.thought, example.answer
        prompt = tok.apply_chat_template(
            [{"role": "user", "content": example.text}],
            tokenize=False, add_generation_prompt=True, enable_thinking=bool(thought),
        )  # fmt: skip
        completion = f"<think>\n{thought}\n</think>\n\n{answer}" if thought else answer
        head, tail = tok(prompt)["input_ids"], tok(f"{completion}<|im_end|>")["input_ids"]
        return head + tail, len(head)

    return model, encode


def _loss(model: Any, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy over the labelled tokens; only their rows reach the output layer."""
    import torch

    # Rows are padded on the right, where causal attention keeps padding out of what is learnt.
    hidden = model.model(input_ids=ids.clamp(min=0), use_cache=False).last_hidden_state[:, :-1]
    targets = labels[:, 1:]
    learnt = targets != -100
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[learnt]), targets[learnt])


def _schedule(progress: float, warmup: float) -> float:
    """Linear warm-up, then cosine to a hundredth."""
    if progress < warmup:
        return max(progress, 1e-3) / warmup
    return 0.01 + 0.99 * 0.5 * (
        1 + math.cos(math.pi * min(1.0, (progress - warmup) / (1 - warmup)))
    )


def _save(model: Any, folder: Path) -> None:
    """Write the weights as bf16 (half the size; loaded as float32 they cost no accuracy we could see)."""
    import copy

    import torch

    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(folder)
