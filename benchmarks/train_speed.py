"""Training tokens a second on a CPU: the train stage's loss head beside plain TRL's, same config.

usage: python benchmarks/train_speed.py --model DIR [--data ../shared/data/gsm8k/train.jsonl]
           [--steps 5] [--rounds 2] [--exact 3] [--batch-size 2] [--accumulation 4]
           [--threads N] [--out docs/results/terse.md]

Both are TRL's SFTTrainer with the same LoRA, data, order, seeds and number formats; they differ in
the loss head only (train/label_loss.py). Examples are GSM8K's questions as the chat template renders
them, with the data set's own answers as completions, those whose completion is about as long as the
prompt. In each round both start from the same weights, in alternating order; a step's time is compared
with the same step's of the other, without the first. `--exact` steps of both in float32 compare the loss.
The last line is one JSON object {"ratio", "ratio_ci", "n", "tokens_per_second", "loss_difference", …}.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import transformers
import trl
from _pages import ROOT, write_section
from scipy.stats import t as student
from transformers import PrinterCallback, TrainerCallback
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from deimos import recipe
from deimos.models.end_of_turn import eos_ids_of
from deimos.models.loading import load_model, load_tokenizer
from deimos.models.ref import ModelRef
from deimos.thinking import render
from deimos.train import sft
from deimos.train.tokens import IGNORED, Example

SPREAD = 1.25
"""Completions from 1/SPREAD to SPREAD times as long as their prompts."""
HEADS = ("ours", "trl")


class PlainTrainer(sft.TokenTrainer):
    """TRL's trainer with its own loss head, and our order of examples, so that steps can be compared."""

    def __init__(self, **kwargs: Any) -> None:
        install, sft.put_label_loss = sft.put_label_loss, lambda model: False
        try:
            super().__init__(**kwargs)
        finally:
            sft.put_label_loss = install


class StepClock(TrainerCallback):
    """Seconds, the process's CPU seconds and the loss of every optimizer step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.cpu: list[float] = []
        self.losses: list[float] = []

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock."""
        self._began, self._spent = time.perf_counter(), time.process_time()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Note the step's time."""
        self.seconds.append(time.perf_counter() - self._began)
        self.cpu.append(time.process_time() - self._spent)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Note the step's loss."""
        if "loss" in logs:
            self.losses.append(logs["loss"])


def make_examples(data: Path, tokenizer: Any, eos: int, count: int) -> list[Example]:
    """Questions as prompts and the data set's answers as completions, of about the same length."""
    found: list[Example] = []
    for line in data.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        ask = [{"role": "user", "content": row["question"]}]
        prompt = render(tokenizer, ask, tags=None, thinking=None).ids
        answer = (*tokenizer(row["answer"], add_special_tokens=False)["input_ids"], eos)
        if 1 / SPREAD <= len(answer) / len(prompt) <= SPREAD:
            labels = (IGNORED,) * len(prompt) + answer
            found.append(Example(str(len(found)), prompt + answer, labels))
        if len(found) == count:
            return found
    raise SystemExit(f"{data}: only {len(found)} of {count} examples are of such lengths")


def train(
    head: str, model: Any, tokenizer: Any, examples: list[Example], settings: recipe.Train,
    precision: sft.Precision, steps: int,
) -> StepClock:  # fmt: skip
    """Train a fresh adapter for some steps."""
    clock, make = StepClock(), sft.TokenTrainer if head == "ours" else PlainTrainer
    with TemporaryDirectory() as place:
        batches = settings.batches(None)
        config = sft._config(settings, Path(place), batches, precision, "cpu")
        config.max_steps, config.save_strategy = steps, "no"
        trainer = make(
            model=model,
            args=config,
            peft_config=sft._lora(settings.lora, model),
            processing_class=tokenizer,
            data_collator=DataCollatorForLanguageModeling(pad_token_id=sft._pad_id(tokenizer)),
            train_dataset=sft._dataset(examples),
            order=sft.StepOrder(examples, math.prod(batches), settings.seed),
            callbacks=[clock],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return clock


def pair_steps(clocks: dict[str, list[StepClock]], field: str) -> list[tuple[float, float]]:
    """What the same step took with our head and with TRL's, without each round's first."""
    rounds = zip(clocks["ours"], clocks["trl"], strict=True)
    each = (zip(getattr(a, field), getattr(b, field), strict=True) for a, b in rounds)
    return [pair for steps in each for pair in list(steps)[1:]]


def interval(pairs: list[tuple[float, float]]) -> tuple[float, list[float]]:
    """Geometric mean of how much longer TRL's took, with Student's 95% interval."""
    logs = [math.log(trls / ours) for ours, trls in pairs]
    mean = statistics.fmean(logs)
    if len(logs) < 2:
        return math.exp(mean), [math.nan, math.nan]
    half = student.ppf(0.975, len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), [math.exp(mean - half), math.exp(mean + half)]


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """All rounds; returns what the page says."""
    settings = recipe.Train(batch_size=args.batch_size, accumulation=args.accumulation)
    precision = sft.precision_of(settings.dtype, "cpu")
    ref = ModelRef(str(args.model), dtype=precision.weights)
    tokenizer = load_tokenizer(ref)
    eos = tokenizer.eos_token_id
    assert eos in eos_ids_of(tokenizer, ref), "the tokenizer's end of turn"
    per_step = settings.batch_size * settings.accumulation
    examples = make_examples(args.data, tokenizer, eos, per_step * max(args.steps, args.exact))
    clocks: dict[str, list[StepClock]] = {head: [] for head in HEADS}
    for turn in range(args.rounds):
        for head in HEADS if turn % 2 == 0 else HEADS[::-1]:
            model = load_model(ref, "cpu")
            clocks[head].append(
                train(head, model, tokenizer, examples, settings, precision, args.steps)
            )
            del model
            gc.collect()
            print(
                json.dumps({"round": turn + 1, "head": head, **vars(clocks[head][-1])}), flush=True
            )
    exact = {}
    for head in HEADS:
        model = load_model(ModelRef(str(args.model), dtype="float32"), "cpu")
        narrow = sft.Precision("float32", False, "float32")
        exact[head] = train(head, model, tokenizer, examples, settings, narrow, args.exact).losses
        del model
        gc.collect()
    pairs = pair_steps(clocks, "seconds")
    ratio, ratio_ci = interval(pairs)
    cpu_ratio, cpu_ratio_ci = interval(pair_steps(clocks, "cpu"))
    order = list(sft.StepOrder(examples, per_step, settings.seed))
    timed = [examples[i] for i in order[per_step : per_step * args.steps]]
    tokens = sum(len(one.input_ids) for one in timed) * args.rounds
    labels = sum(one.supervised for one in timed) * args.rounds
    return {
        "ratio": ratio, "ratio_ci": ratio_ci, "n": len(pairs),
        "cpu_ratio": cpu_ratio, "cpu_ratio_ci": cpu_ratio_ci,
        "tokens_per_second": {
            "ours": tokens / sum(ours for ours, _ in pairs),
            "trl": tokens / sum(trls for _, trls in pairs),
        },
        "loss_difference": {
            "float32": difference(exact["ours"], exact["trl"]),
            settings.dtype: max(difference(a.losses, b.losses)
                                for a, b in zip(clocks["ours"], clocks["trl"], strict=True)),
        },
        "losses": {head: clocks[head][0].losses for head in HEADS},
        "label_share": labels / tokens, "tokens_a_step": tokens / len(pairs),
        "precision": precision.note, "exact_steps": args.exact,
    }  # fmt: skip


def difference(one: list[float], other: list[float]) -> float:
    """The largest relative difference between two loss curves."""
    return max(abs(a - b) / abs(b) for a, b in zip(one, other, strict=True))


def page(found: dict[str, Any], args: argparse.Namespace) -> str:
    """The section of the results page."""
    speed, (low, high) = found["tokens_per_second"], found["ratio_ci"]
    cpu, (cpu_low, cpu_high) = found["cpu_ratio"], found["cpu_ratio_ci"]
    losses = "; ".join(
        f"{' → '.join(f'{loss:.4f}' for loss in found['losses'][head])} ({name})"
        for head, name in (("ours", "train stage"), ("trl", "plain TRL"))
    )
    return "\n".join(
        [
            "## Training on two cores", "",
            f"`python benchmarks/train_speed.py --model {args.model.name} --steps {args.steps} "
            f"--rounds {args.rounds} --exact {args.exact} --batch-size {args.batch_size} "
            f"--accumulation {args.accumulation}`: the train stage beside plain TRL, the same config "
            f"(r=64 on seven targets, {args.batch_size} x {args.accumulation} sequences a step, "
            f"{found['precision']}), GSM8K examples of which {found['label_share']:.0%} of the tokens "
            f"are completion, {found['tokens_a_step']:.0f} tokens a step; "
            f"{torch.get_num_threads()} threads, torch {torch.__version__}, transformers "
            f"{transformers.__version__}, trl {trl.__version__}.", "",
            "| | train stage | plain TRL | ratio [95%] | n |", "|---|---|---|---|---|",
            f"| tokens a second | {speed['ours']:.1f} | {speed['trl']:.1f} | {found['ratio']:.2f} "
            f"[{low:.2f}, {high:.2f}] | {found['n']} pairs of steps |",
            f"| the same by the process's CPU seconds | | | {cpu:.2f} [{cpu_low:.2f}, {cpu_high:.2f}] "
            f"| {found['n']} |", "",
            f"Loss, largest relative difference of a step: {found['loss_difference']['float32']:.1e} in "
            f"float32 ({found['exact_steps']} steps), {found['loss_difference']['bfloat16']:.1e} as "
            f"timed ({args.rounds} x {args.steps} steps). Round 1: {losses}.",
        ]
    )  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/gsm8k/train.jsonl")
    for name, value in (("steps", 5), ("rounds", 2), ("exact", 3), ("batch-size", 2),
                        ("accumulation", 4)):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    found = measure(args)
    text = page(found, args)
    print(text)
    if args.out:
        write_section("training speed", text, args.out)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
