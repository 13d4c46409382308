"""``metrics.jsonl``: one row per optimizer step, each step once, also after interruptions.

Row: ``step epoch loss grad_norm learning_rate tokens seconds``. ``loss`` is the mean negative
log-likelihood (nats) of the step's supervised tokens, ``tokens`` counts all tokens seen so far
(prompts too, padding not), ``seconds`` the time spent training so far, lost work excluded.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from deimos.runs.artifacts import metrics_in
from deimos.store import journal


class Metrics:
    """Appends rows to those of an earlier session.

    Args:
        path: the file.
        resumed_step: the step that training resumes from; rows of later steps are removed, as those
            steps are about to be repeated.
    """

    def __init__(self, path: Path, resumed_step: int) -> None:
        self._path = path
        kept = [row for row in metrics_in(path) if row["step"] <= resumed_step]
        journal.write_rows(path, kept)
        self._tokens = kept[-1]["tokens"] if kept else 0
        self._seconds = kept[-1]["seconds"] if kept else 0.0
        self._since = time.monotonic()

    def start(self) -> None:
        """Start the clock: time for loading the model does not count."""
        self._since = time.monotonic()

    def append(self, step: int, logs: Mapping[str, Any]) -> None:
        """Write the row of a step; it is on disk on return.

        Args:
            step: optimizer steps so far.
            logs: what the trainer logs; ``num_tokens`` counts this session's tokens.
        """
        row = {
            "step": step,
            "epoch": logs["epoch"],
            "loss": logs["loss"],
            "grad_norm": logs.get("grad_norm"),
            "learning_rate": logs["learning_rate"],
            "tokens": self._tokens + int(logs["num_tokens"]),
            "seconds": round(self._seconds + time.monotonic() - self._since, 3),
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, float | int]:
    """Counts for the stage's record.

    ``train_loss_first`` and ``train_loss_last`` are means over the first and the last tenth of
    the steps (at least one): the loss of a single step depends on which examples were in it.
    """
    tenth = max(1, len(rows) // 10)
    return {
        "steps": rows[-1]["step"],
        "tokens": rows[-1]["tokens"],
        "train_loss_first": fmean(row["loss"] for row in rows[:tenth]),
        "train_loss_last": fmean(row["loss"] for row in rows[-tenth:]),
        "seconds": rows[-1]["seconds"],
    }
