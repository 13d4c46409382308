"""Suites of lm-eval's own tasks by one word, and what is known of the data sets behind them.

Prompts, examples, stop strings and scoring are lm-eval's YAML, read where lm-eval is installed; here
stand which tasks a word means, which of a task's metrics says right or wrong, how many problems it
has (``deimos plan`` counts them without a network) and the Hub commit of each data set. lm-eval
names no commits, so a data set's owner could change what a score means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deimos.recipe import TaskSettings


@dataclass(frozen=True)
class Benchmark:
    """One of lm-eval's tasks or groups, as a suite has it."""

    name: str
    """As lm-eval calls it."""
    dataset: str
    """Hub id."""
    folder: str
    """Below lm-eval's ``tasks``, where its YAML stands."""
    members: Mapping[str, int]
    """The task, or the group's tasks, each with its number of problems."""
    metric: str | None = None
    """What says right or wrong, with its filter; None: the first of each."""

    @property
    def is_group(self) -> bool:
        """Whether it stands for several tasks."""
        return set(self.members) != {self.name}

    def settings(self) -> TaskSettings:
        """It as an entry of ``bench.tasks``."""
        return TaskSettings(name=self.name, lm_eval=self.name, metric=self.metric)


MATH_HARD = Benchmark(
    "leaderboard_math_hard",
    "DigitalLearningGmbH/MATH-lighteval",
    "leaderboard/math",
    {
        "leaderboard_math_algebra_hard": 307,
        "leaderboard_math_counting_and_prob_hard": 123,
        "leaderboard_math_geometry_hard": 132,
        "leaderboard_math_intermediate_algebra_hard": 280,
        "leaderboard_math_num_theory_hard": 154,
        "leaderboard_math_prealgebra_hard": 193,
        "leaderboard_math_precalculus_hard": 135,
    },
)
MATH_500 = Benchmark(
    "minerva_math500",
    "HuggingFaceH4/MATH-500",
    "minerva_math",
    {"minerva_math500": 500},
    "math_verify",
)
AIME_24 = Benchmark("aime24", "Maxwell-Jia/AIME_2024", "aime", {"aime24": 30})
AIME_25 = Benchmark("aime25", "math-ai/aime25", "aime", {"aime25": 30})
GSM8K_COT = Benchmark(
    "gsm8k_cot", "openai/gsm8k", "gsm8k", {"gsm8k_cot": 1319}, "exact_match,strict-match"
)
MMLU_PRO = Benchmark(
    "mmlu_pro",
    "TIGER-Lab/MMLU-Pro",
    "mmlu_pro",
    {
        "mmlu_pro_biology": 717,
        "mmlu_pro_business": 789,
        "mmlu_pro_chemistry": 1132,
        "mmlu_pro_computer_science": 410,
        "mmlu_pro_economics": 844,
        "mmlu_pro_engineering": 969,
        "mmlu_pro_health": 818,
        "mmlu_pro_history": 381,
        "mmlu_pro_law": 1101,
        "mmlu_pro_math": 1351,
        "mmlu_pro_other": 924,
        "mmlu_pro_philosophy": 499,
        "mmlu_pro_physics": 1299,
        "mmlu_pro_psychology": 798,
    },
)
IFEVAL = Benchmark("ifeval", "google/IFEval", "ifeval", {"ifeval": 541}, "prompt_level_strict_acc")

HARD = (MATH_HARD, MATH_500, AIME_24, AIME_25, MMLU_PRO)
EASY = (GSM8K_COT, IFEVAL)
SUITES: Mapping[str, tuple[Benchmark, ...]] = {
    "card": (MATH_HARD, MATH_500, AIME_24, AIME_25, GSM8K_COT, MMLU_PRO, IFEVAL),
    "hard": HARD,
    "easy": EASY,
}
"""``hard`` and ``easy`` share out ``card``: problems of competitions and exams, and those of a grade
school and of following instructions, which most models get right."""

REVISIONS: Mapping[str, str] = {
    "DigitalLearningGmbH/MATH-lighteval": "0530c78699ea5e8eb5530600900e1f328b48acad",
    "HuggingFaceH4/MATH-500": "6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be",
    "Maxwell-Jia/AIME_2024": "8d88b2876a82a080e2f172cc9b25d0d9d2cb4792",
    "math-ai/aime25": "563bb8404243c5f09de6ec262f2db674fe5bce9b",
    "openai/gsm8k": "740312add88f781978c0658806c59bc2815b9866",
    "TIGER-Lab/MMLU-Pro": "b189ec765aa7ed75c8acfea42df31fdae71f97be",
    "google/IFEval": "966cd89545d6b6acfd7638bc708b98261ca58e84",
}
"""Hub commits of the data sets, for whichever of lm-eval's tasks reads one of them."""

KNOWN: Mapping[str, Benchmark] = {each.name: each for each in SUITES["card"]}
"""Benchmarks by lm-eval's name."""
BY_TASK: Mapping[str, Benchmark] = {task: each for each in KNOWN.values() for task in each.members}
"""The benchmark that a task of lm-eval's belongs to."""


def known_size(task: TaskSettings) -> int | None:
    """How many problems a task has, without lm-eval; None if that is not known.

    Of a suite's tasks all are known, of others what the recipe takes: fewer would be refused.
    """
    benchmark = BY_TASK.get(task.lm_eval or "")
    if benchmark is None:
        return task.take
    size = benchmark.members[task.lm_eval or ""]
    return size if task.take is None else min(size, task.take)
