"""Test problems come from sources, once each, and never from what training has seen."""

import pytest

from deimos.bench.tasks import load_tasks
from deimos.recipe import Recipe, RecipeError, parse
from deimos.registry import source
from deimos.types import Prompt


def prompt(text: str, task: str = "sums", kind: str = "math") -> Prompt:
    return Prompt.of(
        task=task, kind=kind, messages=[{"role": "user", "content": text}], reference="1"
    )


SUMS = [prompt(f"What is {i} plus {i}?") for i in range(6)]


@source("bench_sums")
def bench_sums(
    *, take: int | None, seed: int, twice: bool = False, kind: str = "math"
) -> list[Prompt]:
    found = [prompt(p.messages[0]["content"], kind=kind) for p in SUMS]
    return (found + found[:2] if twice else found)[:take]


def recipe(*tasks: dict, **more: object) -> Recipe:
    return parse({"name": "t", "model": {"id": "m"}, "prompts": {"sources": [{"source": "bench_sums"}]},
                  "bench": {"tasks": list(tasks)}, **more})  # fmt: skip


def task(name: str = "sums", **options: object) -> dict:
    return {"name": name, "source": {"source": "bench_sums", "options": options}}


def test_tasks_bring_their_problems_and_thinking():
    on = {**task("on"), "source": {"source": "bench_sums", "take": 4}}
    first, second = load_tasks(recipe(on, {**task("off", twice=True), "thinking": False}), [])
    assert (first.name, first.thinking, len(first.prompts)) == ("on", True, 4)
    assert (second.thinking, len(second.prompts), second.duplicates) == (False, 6, 2)


@pytest.mark.parametrize("seen", [
    SUMS[3],
    prompt("  what IS\n3 plus 3?", task="other"),  # another task's, other spacing and case
    prompt("What is \uff13 plus 3?"),  # a full-width digit
])  # fmt: skip
def test_problems_that_training_saw_are_refused(seen: Prompt):
    with pytest.raises(
        RecipeError, match=r"1 of 6 problems of 'sums'.*what is 3 plus 3\?.*--allow-contamination"
    ):
        load_tasks(recipe(task()), [seen])
    (allowed,) = load_tasks(recipe(task(), allow_contamination=True), [seen])
    assert allowed.contaminated == 1


LONG = "A farmer keeps 40 sheep on a hill. How many are left on it when 3 run away?"


@source("bench_farm")
def bench_farm(*, take: int | None, seed: int, instruction: str = "Think.") -> list[Prompt]:
    texts = [LONG, "农夫在山上养了40只羊，跑了3只，还剩几只？", "Solve x+1=2"]
    return [prompt(f"{text}\n\n{instruction}" if instruction else text) for text in texts]


@pytest.mark.parametrize(("said", "number"), [
    (f"{LONG}\n\nThink.", 1), (f"{LONG}\n\nAnswer with a number alone.", 1), (LONG, 1),
    (f"Do this task: {LONG} Put the result in a box.", 1), (LONG.replace(" ", "\n\u200b"), 1),
    ("请解答：农夫在山上养了40只羊， 跑了3只，还剩几只？谢谢", 1),
    ("Solve x + 1 = 2\n\nStep by step.", 1), ("Step by step.\n\nSolve x+1=2", 1),
    ("Solve x-1=2\n\nThink.", 0), (LONG.replace("3", "5") + "\n\nThink.", 0), ("Think.", 0),
    (LONG[:40], 0),
])  # fmt: skip
@pytest.mark.parametrize("instruction", ["Think.", "", "Reason step by step."])
def test_the_same_problem_is_refused_whatever_instruction_stands_around_it(
    said: str, number: int, instruction: str
):
    """Decontamination has no part in this: it may be off."""
    tested = {"name": "farm", "source": {
        "source": "bench_farm", "options": {"instruction": instruction}}}  # fmt: skip
    (allowed,) = load_tasks(recipe(tested, allow_contamination=True), [prompt(said)])
    assert allowed.contaminated == number
    if number:
        with pytest.raises(RecipeError, match="1 of 3 problems of 'farm'"):
            load_tasks(recipe(tested), [prompt(said)])


def test_other_training_prompts_are_fine():
    (found,) = load_tasks(recipe(task()), [prompt("What is 3 plus 4?")])
    assert found.contaminated == 0


@pytest.mark.parametrize(("tasks", "message"), [
    ([task("all")], "'all'"),
    ([task("a/b")], "letters, digits"),
    ([task("a"), task("a")], "two tasks are called 'a'"),
    ([task("a", kind="code")], "'a' has code problems but select.graders has no grader"),
])  # fmt: skip
def test_faulty_tasks_are_named(tasks: list, message: str):
    with pytest.raises(RecipeError, match=message):
        load_tasks(recipe(*tasks, select={"graders": {"math": "math"}}), [])


def test_a_source_without_problems_is_refused():
    @source("bench_nothing")
    def nothing(*, take: int | None, seed: int) -> list[Prompt]:
        return []

    with pytest.raises(RecipeError, match="'t' has no problems"):
        load_tasks(recipe({"name": "t", "source": {"source": "bench_nothing"}}), [])
