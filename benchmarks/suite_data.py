"""Lay out data of other shapes as `bench.suite_data` wants it: one folder a data set, with the Hub's rows.

usage: python benchmarks/suite_data.py FROM TO

FROM has the files of ``SHAPES`` (the tests' shared data has); TO gets, for each data set of
`suite: card`, the file that its lm-eval task reads. Where FROM has no such file, as for AIME 2025 and for
MMLU-Pro's five examples a subject, stand-ins of the same shape are written: they let a task run,
and what it scores on them means nothing. TO/STAND-INS names them, and each of their questions says
so. Whoever has the Hub needs none of this (docs/guides/benchmarks.md).
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]
MARK = "[stand-in, not from the data set]"
STAND_INS = "STAND-INS"
LETTERS = "ABCDEFGHIJ"
SUBJECTS = {
    "Algebra": "algebra", "Counting & Probability": "counting_and_probability",
    "Geometry": "geometry", "Intermediate Algebra": "intermediate_algebra",
    "Number Theory": "number_theory", "Prealgebra": "prealgebra", "Precalculus": "precalculus",
}  # fmt: skip
CATEGORIES = (
    "biology", "business", "chemistry", "computer science", "economics", "engineering", "health",
    "history", "law", "math", "other", "philosophy", "physics", "psychology",
)  # fmt: skip
"""MMLU-Pro's, each of which has five examples in its validation set."""


def math_rows(rows: Iterable[Row]) -> Iterator[tuple[str, Row]]:
    """MATH's test set by subject."""
    for row in rows:
        keys = ("problem", "level", "solution", "type")
        yield f"MATH-lighteval/{SUBJECTS[row['type']]}/test.jsonl", {k: row[k] for k in keys}


def aime24_rows(rows: Iterable[Row]) -> Iterator[tuple[str, Row]]:
    """AIME 2024 with the Hub's column names."""
    for row in rows:
        yield "AIME_2024/train.jsonl", {
            "ID": row["id"], "Problem": row["problem"], "Solution": row["reference_solution"],
            "Answer": int(row["expected_answer"]),
        }  # fmt: skip


def same(name: str) -> Callable[[Iterable[Row]], Iterator[tuple[str, Row]]]:
    """Rows that have the Hub's columns already."""
    return lambda rows: ((name, row) for row in rows)


SHAPES: Mapping[str, Callable[[Iterable[Row]], Iterator[tuple[str, Row]]]] = {
    "math/test.jsonl": math_rows,
    "math500/test.jsonl": same("MATH-500/test.jsonl"),
    "aime/aime24.jsonl": aime24_rows,
    "aime/aime25.jsonl": same("aime25/test.jsonl"),
    "gsm8k/test.jsonl": same("gsm8k/main/test.jsonl"),
    "ifeval/input_data.jsonl": same("IFEval/train.jsonl"),
    "mmlu_pro/test_504.jsonl": same("MMLU-Pro/test.jsonl"),
    "mmlu_pro/validation.jsonl": same("MMLU-Pro/validation.jsonl"),
}
"""A file of FROM to what makes the Hub's rows of its rows, each with the file that it belongs in."""


def aime25_stand_ins() -> Iterator[tuple[str, Row]]:
    """Thirty problems with answers between 0 and 999."""
    draw = random.Random(2025)
    for i in range(30):
        a, b, c = (draw.randrange(11, 100) for _ in range(3))
        yield "aime25/test.jsonl", {
            "problem": f"{MARK} Find the remainder when ${a} \\cdot {b} + {c}$ is divided by $1000$.",
            "answer": str((a * b + c) % 1000), "id": f"stand-in-{i}",
        }  # fmt: skip


def mmlu_pro_stand_ins() -> Iterator[tuple[str, Row]]:
    """Five worked examples of each category."""
    draw = random.Random(70)
    for i in range(5 * len(CATEGORIES)):
        a, b, right = draw.randrange(10, 90), draw.randrange(10, 90), draw.randrange(10)
        options = [str(a + b + n - right) for n in range(10)]
        yield "MMLU-Pro/validation.jsonl", {
            "question_id": i, "question": f"{MARK} What is {a} plus {b}?", "options": options,
            "answer": LETTERS[right], "answer_index": right,
            "cot_content": f"A: Let's think step by step. {a} plus {b} is {a + b}. "
                           f"The answer is ({LETTERS[right]}).",
            "category": CATEGORIES[i // 5], "src": "stand-in",
        }  # fmt: skip


def lay_out(source: Path, target: Path) -> list[str]:
    """Write all files that can be made; returns the stand-ins among them."""
    made: dict[str, list[Row]] = {}
    for name, convert in SHAPES.items():
        if (source / name).is_file():
            lines = (source / name).read_text(encoding="utf-8").splitlines()
            for file, row in convert(json.loads(line) for line in lines if line.strip()):
                made.setdefault(file, []).append(row)
    stand_ins = []
    for rows in (list(aime25_stand_ins()), list(mmlu_pro_stand_ins())):
        if (file := rows[0][0]) not in made:
            made[file] = [row for _, row in rows]
            stand_ins.append(file)
    for file, rows in made.items():
        path = target / file
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        path.write_text(text, encoding="utf-8")
    (target / STAND_INS).write_text("".join(f"{file}\n" for file in stand_ins), encoding="utf-8")
    return stand_ins


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path, metavar="FROM")
    parser.add_argument("target", type=Path, metavar="TO")
    args = parser.parse_args()
    if not any((args.source / name).is_file() for name in SHAPES):
        parser.error(f"{args.source} has none of {', '.join(SHAPES)}")
    stand_ins = lay_out(args.source, args.target)
    print(f"wrote {args.target}; stand-ins: {', '.join(stand_ins) or 'none'}")


if __name__ == "__main__":
    main()
