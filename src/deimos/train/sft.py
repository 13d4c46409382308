"""TRL's ``SFTTrainer`` with a PEFT LoRA, driven by ``recipe.Train``.

TRL's own processing of data is switched off: rows come as ``input_ids`` and ``labels``, without
preparation, ``max_length`` (TRL would cut rows), packing or template. TRL's collator pads on the
right, labels with -100. Its usage ping and its draft model card are switched off too. One device, one
process: training over several GPUs is not covered. The adapter is the state after the last step; the
best checkpoint is not searched for.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import trl
from datasets import Dataset
from peft import LoraConfig
from torch.utils.data import Sampler
from transformers import PrinterCallback, TrainerCallback
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from deimos import recipe
from deimos.recipe import RecipeError
from deimos.runs.artifacts import adapter_path
from deimos.store.names import CHECKPOINTS, METRICS
from deimos.train import checkpoints
from deimos.train.label_loss import put_label_loss
from deimos.train.metrics import Metrics
from deimos.train.targets import check_targets
from deimos.train.tokens import Example, check_vocabulary, step_order

ReportStep = Callable[[str, int, int, str], None]
"""Called with a label, steps done, steps in all and a note."""


class TrainingDiverged(ValueError):
    """The loss or its gradient is not a finite number: change the recipe's training block."""


@dataclass(frozen=True, slots=True)
class Precision:
    """Number formats of a training; the adapter and its optimizer are float32 in any case."""

    weights: str
    """Of the frozen model: float32 or bfloat16."""
    autocast: bool
    """Matrix products in bfloat16."""
    note: str
    """What was done, for the record."""


def device_of(wanted: str) -> str:
    """``cpu`` or ``cuda`` for the runtime's ``device``.

    Raises:
        RecipeError: cuda is asked for and not there.
    """
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise RecipeError("runtime.device = 'cuda': PyTorch sees no CUDA device here; use cpu")
    return wanted


def precision_of(dtype: str, device: str) -> Precision:
    """How ``train.dtype`` is carried out on a device.

    A CPU without bfloat16 arithmetic would emulate it many times slower and no closer to what a
    GPU computes, so it trains in float32; the note says so.
    """
    if dtype == "float32":
        return Precision("float32", False, "float32")
    if device == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return Precision("float32", False, "float32 (this CPU has no bfloat16 arithmetic)")
    return Precision("bfloat16", True, "bfloat16 weights and products, float32 adapter")


def total_steps(examples: int, settings: recipe.Train) -> int:
    """Optimizer steps of the whole training; an epoch's last step may hold fewer examples."""
    per_epoch = math.ceil(examples / (settings.batch_size * settings.accumulation))
    return math.ceil(settings.epochs * per_epoch)


def train(
    load: Callable[[], Any],
    tokenizer: Any,
    examples: Sequence[Example],
    settings: recipe.Train,
    out: Path,
    *,
    precision: Precision,
    device: str,
    micro_batch: int | None = None,
    report: ReportStep | None = None,
) -> int:
    """Train to the last step, from the newest checkpoint if there is one; writes ``adapter/``.

    Args:
        load: makes the model, in ``precision.weights`` on ``device``; not called if the last
            checkpoint is of the last step.
        tokenizer: only its padding id is used.
        examples: what to train on, each once an epoch.
        settings: the recipe's training block.
        out: gets ``adapter/``, ``metrics.jsonl`` and, while training, ``checkpoints/``.
        precision: see ``precision_of``.
        device: cpu or cuda.
        micro_batch: the runtime's ``train_micro_batch``.
        report: called after every step.

    Returns:
        The step that training resumed from; 0 if it began.
    """
    batches = settings.batches(micro_batch)
    saved = out / CHECKPOINTS
    last = checkpoints.find_newest(saved)
    resumed = checkpoints.step_of(last) if last else 0
    if last is None or resumed < total_steps(len(examples), settings):
        model = load()
        check_vocabulary(examples, model.get_input_embeddings().weight.shape[0])
        trainer = TokenTrainer(
            model=model,
            args=_config(settings, saved, batches, precision, device),
            peft_config=_lora(settings.lora, model),
            processing_class=tokenizer,
            data_collator=DataCollatorForLanguageModeling(pad_token_id=_pad_id(tokenizer)),
            train_dataset=_dataset(examples),
            order=StepOrder(examples, math.prod(batches), settings.seed),
            callbacks=[_Watch(Metrics(out / METRICS, resumed), report)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train(resume_from_checkpoint=str(last) if last else None)
        last = checkpoints.find_newest(saved)
    assert last is not None, "the trainer saves after its last step"
    checkpoints.install(last, adapter_path(out))
    shutil.rmtree(saved)
    return resumed


class StepOrder(Sampler[int]):
    """Every example once an epoch, shuffled for each; within an optimizer step by length."""

    def __init__(self, examples: Sequence[Example], per_step: int, seed: int) -> None:
        self._lengths = [len(example.input_ids) for example in examples]
        self._per_step = per_step
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, whose order comes next (the trainer's data loader calls)."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        # A generator of its own: the order must not depend on other uses of random numbers.
        noise = torch.Generator().manual_seed(self._seed * 1_000_003 + self._epoch)
        order = torch.randperm(len(self), generator=noise).tolist()
        return iter(step_order(self._lengths, self._per_step, order))


class TokenTrainer(trl.SFTTrainer):
    """``SFTTrainer`` with our order of examples, our loss head on CPUs and sealed checkpoints."""

    def __init__(self, *, order: StepOrder, **kwargs: Any) -> None:
        self._order = order
        super().__init__(**kwargs)
        if self.args.use_cpu:  # elsewhere TRL's own head scores labels only
            adapted: Any = self.model
            put_label_loss(adapted.get_base_model())

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return self._order

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        output_dir = self.args.output_dir
        assert output_dir is not None
        checkpoints.seal(Path(output_dir) / f"checkpoint-{self.state.global_step}")

    def floating_point_ops(self, inputs: Any) -> int:
        """Not counted: walking all modules for it takes time in every pass."""
        return 0

    def _send_telemetry(self) -> None:
        """Nothing leaves the machine."""

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """No draft card: the report stage writes one from measured numbers."""


class _Watch(TrainerCallback):
    """Writes metrics, reports progress, and stops a training that has diverged."""

    def __init__(self, metrics: Metrics, report: ReportStep | None) -> None:
        self._metrics = metrics
        self._report = report

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._metrics.start()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if "loss" not in logs:  # the summary at the end
            return
        if not (math.isfinite(logs["loss"]) and math.isfinite(logs.get("grad_norm") or 0.0)):
            raise TrainingDiverged(
                f"training diverged at step {state.global_step} (loss {logs['loss']}): "
                f"lower train.learning_rate ({args.learning_rate})"
            )
        self._metrics.append(state.global_step, logs)
        if self._report:
            self._report("train", state.global_step, state.max_steps, f"loss {logs['loss']:.3f}")


def _config(
    settings: recipe.Train,
    saved: Path,
    batches: tuple[int, int],
    precision: Precision,
    device: str,
) -> trl.SFTConfig:
    config = trl.SFTConfig(
        output_dir=str(saved),
        per_device_train_batch_size=batches[0],
        gradient_accumulation_steps=batches[1],
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.scheduler,
        warmup_steps=settings.warmup_ratio,  # below 1 it is a share of all steps
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        seed=settings.seed,
        bf16=precision.autocast,
        use_cpu=device == "cpu",
        # Recomputing activations changes no number; memory is what a GPU is short of.
        gradient_checkpointing=device == "cuda",
        dataloader_pin_memory=device == "cuda",
        max_length=None,
        packing=settings.packing,
        dataset_kwargs={"skip_prepare_dataset": True},
        save_strategy="steps",
        save_steps=settings.save_steps,
        save_total_limit=2,
        logging_steps=1,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="none",
    )
    if config.n_gpu > 1:
        config._n_gpu = 1  # else Trainer wraps the model in DataParallel, which TRL refuses
    return config


_ADAPTED = (torch.nn.Linear, torch.nn.Embedding, torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)
"""Modules on which PEFT can put a LoRA adapter."""


def _lora(settings: recipe.Lora, model: Any) -> LoraConfig:
    """The adapter's shape.

    Raises:
        RecipeError: a target that no adapter can be put on, or only one that cannot be merged.
    """
    named = [(name, each) for name, each in model.named_modules() if isinstance(each, _ADAPTED)]
    first, last = model.get_input_embeddings(), model.get_output_embeddings()
    pair = (first, last) if last is not None and first.weight is last.weight else ()
    tied = [name for name, module in named if any(module is one for one in pair)]
    heads = [name for name, module in named if module is last]
    check_targets(settings.target_modules, [name for name, _ in named], tied, heads)
    return LoraConfig(
        r=settings.r,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(settings.target_modules),
        bias="none",
        task_type="CAUSAL_LM",
    )


def _dataset(examples: Sequence[Example]) -> Dataset:
    return Dataset.from_dict(
        {
            "input_ids": [list(example.input_ids) for example in examples],
            "labels": [list(example.labels) for example in examples],
        }
    )


def _pad_id(tokenizer: Any) -> int:
    """Any id is fine: padding is masked, on the right, and has no label."""
    return next((i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id) if i is not None), 0)
