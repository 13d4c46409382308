"""Metrics that others define, more judges, and repeats: tables of what benchmark rows hold of them.

A derived metric is a formula over accuracy and tokens of the same rows (``derived`` names them); its
coefficients are printed. Rows of before there were such fields give a sentence, no table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from deimos.report import baselines, decoding_labels, judges
from deimos.report.charts import ReportSection, TextTable, name_task
from deimos.report.formatting import (
    NOT_MEASURED,
    change,
    change_interval,
    in_percent,
    interval,
    number,
    percent,
    points,
)
from deimos.report.results import RunResults
from deimos.store.schema import AnyRow

Form = Callable[[float | None], str]
_REPEATED = ("avg_at_k", "pass_at_k", "maj_at_k")


def efficiency_metrics(run: RunResults) -> ReportSection:
    """Tokens per correct answer, AUC_OAA, OckScore and AES, with intervals."""
    rows = [r for r in run.bench if any(r.get(n) is not None for n in _LEVELS)]
    if not rows:
        return ReportSection(
            (f"Tokens per correct answer, AUC_OAA, OckScore, AES: {NOT_MEASURED}.",)
        )
    compare = [
        row for row in run.compare if row.get("aes") or "tokens_per_correct_reduction" in row
    ]
    return ReportSection(
        (_explain(rows),),
        tuple(
            t for t in (_level_table(rows), _change_table(compare), _aes_table(compare)) if t.rows
        ),
    )


def accuracy_metrics(run: RunResults) -> ReportSection:
    """What several samples of a problem say, and what other judges say of math answers."""
    repeats = [row for row in run.bench if any(row.get(n) is not None for n in _REPEATED)]
    judged = [row for row in run.bench if row.get("second_accuracy")]
    deltas = [row for row in run.compare if row.get("second_accuracy_delta")]
    sentences = []
    if judged:
        sentences.append(
            "Math answers have three judges, all of the same answers: the recipe's grader (ours), "
            "math-verify alone, and a plain match of text or number."
        )
    else:
        sentences.append(f"Other judges' verdicts on math answers: {NOT_MEASURED}.")
    if repeats:
        sentences.append(
            "avg@k is the mean of k samples, pass@k the chance that one of k is right, maj@k the "
            "answer that most of k give."
        )
    tables = (_judge_table(judged), _judge_delta_table(deltas), _repeat_table(repeats))
    return ReportSection(tuple(sentences), tuple(table for table in tables if table.rows))


_LEVELS: Mapping[str, tuple[str, Form]] = {
    "tokens_per_correct": ("tokens per correct answer", lambda v: number(v, 1)),
    "auc_oaa": ("AUC_OAA", lambda v: number(v, 3)),
    "ock_score": ("OckScore", lambda v: number(v, 3)),
}
_CHANGES: Mapping[str, tuple[str, Form, Callable[[Any], str]]] = {
    "tokens_per_correct_reduction": ("tokens per correct answer, change", change, change_interval),
    "auc_oaa_delta": ("AUC_OAA", lambda v: _signed(v), lambda ci: interval(ci, _signed)),
    "ock_score_delta": ("OckScore", lambda v: _signed(v), lambda ci: interval(ci, _signed)),
}


def _explain(rows: Sequence[AnyRow]) -> str:
    first = rows[0]
    coefficients = first.get("ock_score_coefficients") or {}
    said = ", ".join(f"{name} {value:g}" for name, value in coefficients.items())
    most = first.get("auc_oaa_most")
    return (
        "Derived metrics: formulas over accuracy and tokens of the same rows. AUC_OAA is the share "
        "of answers that are right with fewer think tokens than a threshold"
        f"{f', on average over thresholds up to {number(most)}' if most else ''}; OckScore is "
        f"accuracy less a logarithm of tokens{f' ({said})' if said else ''}; AES weighs the change in "
        "tokens (α) and a gain (β) or loss (γ) of accuracy."
    )


def _level_table(rows: Sequence[AnyRow]) -> TextTable:
    columns = ("setting · task", "model", "n", *(title for title, _ in _LEVELS.values()))
    return TextTable(
        "Derived metrics of each model",
        columns,
        [
            (
                _place(row),
                baselines.name_of(row["model"]),
                number(row["n"]),
                *(
                    _with_config(row, name, f"{form(row.get(name))} {_ci(row, name, form)}".strip())
                    for name, (_, form) in _LEVELS.items()
                ),
            )
            for row in rows
        ],
    )


def _change_table(rows: Sequence[AnyRow]) -> TextTable:
    columns = ("setting · task", "against", "n", *(title for title, _, _ in _CHANGES.values()))
    return TextTable(
        "Derived metrics, tuned against base",
        columns,
        [
            (
                _place(row),
                baselines.name_of(baselines.name_compared(row)),
                number(row["n"]),
                *(
                    _with_config(
                        row, name, f"{form(row.get(name))} {ends(row.get(f'{name}_ci'))}".strip()
                    )
                    for name, (_, form, ends) in _CHANGES.items()
                ),
            )
            for row in rows
        ],
    )


def _aes_table(rows: Sequence[AnyRow]) -> TextTable:
    columns = ("setting · task", "against", "n", "α", "β", "γ", "AES", "coefficients from")
    return TextTable("AES under published coefficients", columns, list(_aes_rows(rows)))


def _aes_rows(rows: Sequence[AnyRow]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        for each in row.get("aes") or ():
            yield (
                _place(row),
                baselines.name_of(baselines.name_compared(row)),
                number(row["n"]),
                *(f"{each[name]:g}" for name in ("alpha", "beta", "gamma")),
                f"{_signed(each.get('value'))} {interval(each.get('ci'), _signed)}".strip()
                + (f" ({each['config']})" if each.get("config") else ""),
                str(each.get("source", "")),
            )


def _judge_table(rows: Sequence[AnyRow]) -> TextTable:
    found = [
        (
            _place(row),
            baselines.name_of(row["model"]),
            *(
                _judged(row["second_accuracy"].get(judge), "accuracy", in_percent)
                for judge in judges.NAMES
            ),
            _judges_config(row),
        )
        for row in rows
    ]
    columns = ("setting · task", "model", *judges.NAMES.values(), "numbers from")
    return TextTable("Accuracy by three judges", columns, found)


def _judge_delta_table(rows: Sequence[AnyRow]) -> TextTable:
    found = [
        (
            _place(row),
            baselines.name_of(baselines.name_compared(row)),
            *(
                _judged(row["second_accuracy_delta"].get(j), "accuracy_delta", points)
                for j in judges.NAMES
            ),
            percent(row["second_accuracy_delta"].get("differ"), 1),
            _judges_config(row),
        )
        for row in rows
    ]
    columns = (
        "setting · task",
        "against",
        *judges.NAMES.values(),
        "answers on which judges differ",
        "numbers from",
    )
    return TextTable("Difference in accuracy by three judges, points", columns, found)


def _judges_config(row: AnyRow) -> str:
    config = row.get("config")
    if isinstance(config, Mapping):
        return str(config.get("judges") or config.get("accuracy") or "")
    return str(config or decoding_labels.shorten_config(row))


def _repeat_table(rows: Sequence[AnyRow]) -> TextTable:
    found = [
        (
            _place(row),
            baselines.name_of(row["model"]),
            number(row.get("k")),
            *(
                f"{in_percent(row.get(name))} {_ci(row, name, in_percent)}".strip()
                for name in _REPEATED
            ),
        )
        for row in rows
    ]
    columns = ("setting · task", "model", "k", "avg@k", "pass@k", "maj@k")
    return TextTable("Several samples of a problem", columns, found)


def _judged(found: Mapping[str, Any] | None, name: str, form: Form) -> str:
    if not found:
        return NOT_MEASURED
    n = f", n = {number(found['n'])}" if found.get("n") is not None else ""
    return f"{form(found.get(name))} {_ci(found, name, form)}".strip() + n


def _signed(value: float | None) -> str:
    """A signed number: -0.04 is −0.040."""
    if value is None:
        return NOT_MEASURED
    return ("+" if round(value, 3) > 0 else "") + number(value, 3)


def _ci(row: Mapping[str, Any], name: str, form: Form) -> str:
    return interval(row.get(f"{name}_ci"), form)


def _place(row: AnyRow) -> str:
    return f"{row['setting']} · {name_task(row)}"


def _with_config(row: AnyRow, name: str, text: str) -> str:
    """The number with the config it comes from, in a row whose numbers come from several."""
    config = row.get("config")
    part = name.removesuffix("_reduction").removesuffix("_delta")
    if not isinstance(config, Mapping) or part not in config:
        return text
    return f"{text} ({config[part]})"


def split_section(run: RunResults) -> ReportSection:
    """Tuned against base by the base's own difficulty, and by level where the data has levels."""
    rows = run.artifacts.splits()
    if not rows:
        return ReportSection((f"By the base's own difficulty and by level: {NOT_MEASURED}.",))
    columns = (
        "setting · task", "split", "config", "n", "accuracy, difference", "think tokens, change",
        "total tokens, change",
    )  # fmt: skip
    found = [
        (
            _place(row),
            _part_of(row),
            str(row.get("config") or ""),
            number(row["n"]),
            f"{points(row['accuracy_delta'])} {_ci(row, 'accuracy_delta', points)}".strip(),
            *(
                f"{change(row.get(name))} {change_interval(row.get(f'{name}_ci'))}".strip()
                for name in ("think_tokens_reduction", "total_tokens_reduction")
            ),
        )
        for row in rows
    ]
    return ReportSection((_warn_of_choice(rows),), (TextTable("", columns, found),))


def _part_of(row: AnyRow) -> str:
    if row["split"] == "difficulty":
        chosen = row.get("selected_by") or {}
        once = {"all": "right", "none": "wrong"}.get(row["value"])
        if chosen.get("samples") == 1 and once:
            return f"the base is {once} in its one answer at {chosen['config']}"
        return f"the base is right in {row['value']} of its samples"
    return f"{row['split']} {row['value']}"


def _warn_of_choice(rows: Sequence[AnyRow]) -> str:
    """Whether the samples that chose a problem's difficulty are also those that are compared."""
    chosen = [row.get("selected_by") or {} for row in rows if row["split"] == "difficulty"]
    said = "Accuracy in points, tuned − base, with 95% intervals."
    if any(each.get("held_out") is False for each in chosen):
        return (
            f"{said} In some rows the samples that are compared have also chosen the difficulty: "
            "there the base looks worse on problems it got right, and better on those it got wrong, "
            "than it is."
        )
    return f"{said} Difficulty was chosen by other samples than those compared." if chosen else said
