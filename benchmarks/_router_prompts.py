"""Prompts of known kinds for the router: what its recogniser is fitted on, and what it is tried on.

Fitted on: GSM8K's and MATH's train splits, MBPP's train and validation splits, ``ifeval_like``, the
lab's problems, and ``data/router_fit.txt`` (written for Deimos). Tried on: IFEval, GSM8K test, MATH
test, HumanEval, MBPP's test split, and ``data/requests.jsonl`` (200 made by hand). No prompt of the
second is among the first.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent / "data"
WORDS = [
    "lamp",
    "river",
    "apple",
    "window",
    "garden",
    "cloud",
    "train",
    "bread",
    "silver",
    "music",
    "winter",
    "market",
    "paper",
    "forest",
    "bridge",
    "candle",
    "honey",
    "ocean",
    "mirror",
    "pencil",
    "tiger",
    "castle",
    "island",
    "button",
    "camera",
    "dragon",
    "engine",
    "feather",
    "ladder",
]
LISTS = {
    "w": WORDS,
    "tech": [
        "Python",
        "Java",
        "Kotlin",
        "C++",
        "Rust",
        "SQL",
        "Linux",
        "HTML",
        "Docker",
        "JavaScript",
    ],
    "lang": [
        "Punjabi",
        "Marathi",
        "Korean",
        "French",
        "Swahili",
        "Thai",
        "Bengali",
        "Russian",
        "Spanish",
        "Kannada",
    ],
}
"""What the slots of ``router_fit.txt`` are filled with, besides numbers."""


class Asked(NamedTuple):
    """One prompt, and the kind that it is."""

    text: str
    kind: str
    source: str


def _rows(path: Path) -> list[dict[str, str]]:
    if path.suffix == ".gz":
        text = gzip.decompress(path.read_bytes()).decode()
    else:
        text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _mbpp(data: Path, wanted: range) -> list[str]:
    """MBPP's problems alone, and with their tests, as most harnesses put them."""
    found = []
    for row in _rows(data / "mbpp/mbpp.jsonl"):
        if int(row["task_id"]) in wanted:
            tests = "\n".join(row["test_list"])
            found += [row["text"], f"{row['text']}\nYour code should pass these tests:\n{tests}"]
    return found


def _complete(data: Path, wanted: range, rng: random.Random) -> list[str]:
    """MBPP's problems as functions to complete: the first line and a docstring, with or without a test."""
    found = []
    for row in _rows(data / "mbpp/mbpp.jsonl"):
        head = next((line for line in row["code"].splitlines() if line.startswith("def ")), "")
        if int(row["task_id"]) in wanted and head:
            quotes = rng.choice(('"""', "'''"))
            test = (
                row["test_list"][0]
                .removeprefix("assert ")
                .replace("==", rng.choice(("=>", "➞", "==")))
            )
            lines = [head.strip(), f"    {quotes}", f"    {row['text']}"]
            lines += rng.choice(([], [f"    >>> {test}"], ["    Examples:", f"    {test}"]))
            found.append("\n".join([*lines, f"    {quotes}", ""]))
    return found


def list_fit(data: Path, seed: int = 0) -> list[Asked]:
    """What the recogniser is fitted on.

    Args:
        data: the folder of public data sets.
        seed: of what is drawn.
    """
    from deimos.lab.source import lab
    from deimos.prompts.sources.ifeval_like import ifeval_like, tasks

    rng = random.Random(seed)
    found = [
        Asked(p.messages[-1]["content"], "format", "ifeval_like")
        for p in ifeval_like(take=2500, seed=seed)
    ]
    found += [Asked(task.text, "chat", "ifeval_like tasks") for task in tasks()]
    problems = [row["question"] for row in _rows(data / "gsm8k/train.jsonl")]
    problems = rng.sample(problems, 1500)
    problems += rng.sample([row["problem"] for row in _rows(data / "math/train.jsonl.gz")], 2000)
    found += [Asked(text, "reasoning", "train splits") for text in problems]
    found += [Asked(text, "reasoning", "mbpp train") for text in _mbpp(data, range(511, 975))]
    found += [
        Asked(text, "reasoning", "mbpp train") for text in _complete(data, range(511, 975), rng)
    ]
    lines = _read_lines()
    answers = lines.pop("answers")["rule"]
    for text in [*rng.sample(problems, 700), *rng.sample(_mbpp(data, range(511, 975)), 200)]:
        found.append(Asked(f"{text} {_fill(rng.choice(answers), rng)}", "reasoning", "answers"))
    kinds = {
        "math": "reasoning",
        "code": "reasoning",
        "choice": "knowledge",
        "instruction": "format",
    }
    for prompt in lab(take=400, seed=seed):
        found.append(Asked(prompt.messages[-1]["content"], kinds[str(prompt.kind)], "lab"))
    for language, own in lines.items():
        found += _fill_language(language, own, [task.text for task in tasks()], rng, answers)
    return list({each.text: each for each in found}.values())


def _read_lines() -> dict[str, dict[str, list[str]]]:
    """``router_fit.txt`` by language and by the word before the bar."""
    found: dict[str, dict[str, list[str]]] = {}
    language = ""
    for line in (HERE / "router_fit.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith("["):
            language = line[1:-1]
            continue
        what, _, text = line.partition("|")
        found.setdefault(language, {}).setdefault(what, []).append(text.replace("\\n", "\n"))
    return found


def _fill_language(
    language: str,
    own: dict[str, list[str]],
    english: list[str],
    rng: random.Random,
    answers: list[str],
) -> Iterator[Asked]:
    """Prompts of one language: rules behind (or before) tasks and questions, and whole requests."""
    plain = [*english, *own.get("topic", []) * 4] if language == "en" else own.get("task", [])
    talk = [*own.get("chat", []), *own.get("knowledge", [])]
    for _ in range(2500 if language == "en" else 150):
        rules = [_fill(rule, rng) for rule in rng.sample(own["rule"], rng.choice((1, 1, 1, 2, 3)))]
        task = _fill(rng.choice(plain if rng.random() < 0.75 else talk), rng)
        parts = [task, *rules] if rng.random() < 0.8 else [*rules, task]
        yield Asked(rng.choice((" ", " ", "\n")).join(parts), "format", f"fit {language}")
    for topic in own.get("topic", []) * 2:
        yield Asked(_fill(topic, rng), "chat", f"fit {language}")
    if language != "en":
        for task in plain:
            yield Asked(task, "chat", f"fit {language}")
    for kind in ("format", "reasoning", "chat", "knowledge"):
        for line in own.get(kind, []):
            for _ in range(8 if "{" in line else 2):
                yield Asked(_fill(line, rng), kind, f"fit {language}")


def _fill(line: str, rng: random.Random) -> str:
    """A line with its numbers and words drawn; small numbers are spelt out now and then."""
    spelt = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

    def draw(slot: re.Match[str]) -> str:
        if slot[1] in LISTS:
            return rng.choice(LISTS[slot[1]])
        if slot[1] == "n":
            number = rng.randint(2, 10)
            return spelt[number - 2] if line.isascii() and rng.random() < 0.3 else str(number)
        return str(rng.randint(11, 400))

    return re.sub(r"\{([nmw]|tech|lang)\}", draw, line)


def list_tests(data: Path) -> dict[str, list[Asked]]:
    """What the recogniser is tried on, by name; IFEval's as the seed 0 orders them."""
    ifeval = [row["prompt"] for row in _rows(data / "ifeval/input_data.jsonl")]
    random.Random(0).shuffle(ifeval)
    sets = {
        "GSM8K test": ("reasoning", [r["question"] for r in _rows(data / "gsm8k/test.jsonl")]),
        "MATH test": ("reasoning", [r["problem"] for r in _rows(data / "math/test.jsonl")]),
        "HumanEval": (
            "reasoning",
            [r["prompt"] for r in _rows(data / "humaneval/HumanEval.jsonl")],
        ),
        "MBPP test": ("reasoning", _mbpp(data, range(11, 511))),
        "IFEval": ("format", ifeval),
    }
    tests = {name: [Asked(t, kind, name) for t in texts] for name, (kind, texts) in sets.items()}
    made = _rows(HERE / "requests.jsonl")
    tests["made by hand"] = [Asked(r["text"], r["kind"], r["group"]) for r in made]
    return tests
