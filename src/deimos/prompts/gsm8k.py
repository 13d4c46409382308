r"""GSM8K: grade-school word problems with one whole number as answer.

From a local JSONL of OpenAI's shape (``{"question", "answer"}``), or from the Hub, or a local
folder laid out like it, at a pinned revision. The reference is what stands behind the last
``####``, commas removed; the worked solution is not used.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from deimos.prompts.order import taken
from deimos.recipe import RecipeError
from deimos.registry import source
from deimos.types import Prompt

DATASET = "openai/gsm8k"
REVISION = "740312add88f781978c0658806c59bc2815b9866"
INSTRUCTION = "Please reason step by step, and put your final answer within \\boxed{}."
SPLITS = ("train", "test")


@source("gsm8k")
def gsm8k(
    *,
    take: int | None,
    seed: int,
    split: str = "train",
    path: str | None = None,
    dataset: str = DATASET,
    revision: str = REVISION,
    instruction: str = INSTRUCTION,
) -> list[Prompt]:
    """Prompts of one split, in the seed's order.

    Args:
        take: how many; None takes all.
        seed: of the order.
        split: ``train`` or ``test``; with ``path``, only what the file is said to hold.
        path: a local JSONL file, or a folder with ``<split>.jsonl``; no Hub then.
        dataset: Hub id, or a local folder laid out like the Hub's.
        revision: Hub commit.
        instruction: put behind each question, after a blank line; "" leaves it out.

    Raises:
        RecipeError: unknown split, unreadable file, no Hub to be had, a row of another shape.
    """
    if split not in SPLITS:
        raise RecipeError(f"gsm8k: split = {split!r}: accepted: {', '.join(SPLITS)}")
    if path is not None:
        file = Path(path) / f"{split}.jsonl" if Path(path).is_dir() else Path(path)
        rows, origin = _file_rows(file), f"{file.name}:{split}"
    else:
        rows, origin = _hub_rows(dataset, split, revision), f"{DATASET}@{revision[:12]}:{split}"
    prompts = [
        _prompt(row, f"{origin} row {i}", origin, instruction) for i, row in enumerate(rows, 1)
    ]
    return taken(prompts, take, seed, f"gsm8k {split}")


def _prompt(row: Mapping[str, Any], where: str, origin: str, instruction: str) -> Prompt:
    question, answer = row.get("question"), row.get("answer")
    if not isinstance(question, str) or not isinstance(answer, str):
        raise RecipeError(f"{where}: needs the texts 'question' and 'answer', has {sorted(row)}")
    _, marked, gold = answer.rpartition("#### ")
    gold = gold.strip().replace(",", "")
    if not marked or not gold:
        raise RecipeError(f"{where}: the answer has no '#### ' with a gold behind it")
    content = f"{question.strip()}\n\n{instruction}" if instruction else question.strip()
    return Prompt.of(
        task="gsm8k", kind="math", messages=[{"role": "user", "content": content}],
        reference=gold, source=origin, licence="MIT",
    )  # fmt: skip


def _file_rows(file: Path) -> list[Mapping[str, Any]]:
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as e:
        raise RecipeError(f"gsm8k: path {str(file)!r} cannot be read: {_reason(e)}") from e
    rows: list[Mapping[str, Any]] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                row = json.loads(line)
            except json.JSONDecodeError as e:
                raise RecipeError(f"{file.name} line {number}: not valid JSON: {e.msg}") from e
            if not isinstance(row, dict):
                raise RecipeError(f"{file.name} line {number}: must be an object")
            rows.append(row)
    return rows


def _hub_rows(dataset: str, split: str, revision: str) -> Iterable[Mapping[str, Any]]:
    try:
        from datasets import load_dataset
    except ImportError as e:
        raise RecipeError(
            f"gsm8k: dataset {dataset!r} needs the package datasets: "
            "pip install 'deimos-llm[train]', or give the option path"
        ) from e
    try:
        return load_dataset(dataset, "main", split=split, revision=revision)  # pyright: ignore[reportReturnType]
    except ConnectionError as e:
        raise RecipeError(
            f"gsm8k: dataset {dataset!r} cannot be reached: {_reason(e)}; "
            "without a network, give the option path"
        ) from e
    except (OSError, ValueError) as e:
        raise RecipeError(f"gsm8k: dataset {dataset!r} cannot be loaded: {_reason(e)}") from e


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0]
