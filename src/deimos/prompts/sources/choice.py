"""Multiple choice: ARC (AI2, CC-BY-SA-4.0) and MMLU-Pro (MIT).

Options are listed a line each behind their own labels: letters, in a few ARC rows digits. The
reference is ``{"letter": …, "options": […]}``; whoever guesses is right once in three to ten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from deimos.prompts.dataset import Dataset, Row, text_of
from deimos.prompts.order import once, taken
from deimos.prompts.text import CHOICE, choice_instruction, choice_question, user
from deimos.recipe import RecipeError
from deimos.registry import source
from deimos.types import Prompt

ARC = Dataset(
    "arc", "allenai/ai2_arc", "210d026faf9955653af8916fad021475a3f00453", "CC-BY-SA-4.0",
    splits={"train": "train", "validation": "validation", "test": "test"},
)  # fmt: skip
MMLU_PRO = Dataset(
    "mmlu_pro", "TIGER-Lab/MMLU-Pro", "b189ec765aa7ed75c8acfea42df31fdae71f97be", "MIT",
    splits={"test": "test", "validation": "validation"},
)  # fmt: skip
LETTERS = "ABCDEFGHIJ"
LABELS = (LETTERS, "123456789")
FEWEST, MOST = 3, len(LETTERS)


@source("arc", paths=("path", "dataset"), sizes={"train": 1_118, "validation": 299, "test": 1_170})
def arc(
    *,
    take: int | None,
    seed: int,
    split: str = "train",
    subset: Literal["ARC-Challenge", "ARC-Easy"] = "ARC-Challenge",
    path: str | None = None,
    dataset: str = ARC.hub,
    revision: str | None = None,
    instruction: str = CHOICE,
) -> list[Prompt]:
    """Grade-school science questions with three to five options, in the seed's order, each once.

    ARC-Challenge has 1,119 training rows, one of them twice: 1,118 prompts.

    Args:
        take: how many; None takes all.
        seed: of the order.
        split: ``train``, ``validation`` (files may call it ``dev``) or ``test``.
        subset: the hard questions, or the easy ones.
        path: a local file (``question``, ``choices: {text, label}``, ``answerKey``), or a folder
            with one a split; no Hub then.
        dataset: Hub id, or a local folder laid out like the Hub's.
        revision: Hub commit; a known one unless given.
        instruction: put behind the options, after a blank line; "" leaves it out.

    Raises:
        RecipeError: as ``Dataset.rows``; a row of another shape.
    """
    rows = ARC.rows(split, path=path, dataset=dataset, revision=revision, config=subset)
    task = subset.lower().replace("-", "_")
    prompts = []
    for row in rows:
        choices = row.data.get("choices")
        if not isinstance(choices, Mapping):
            raise RecipeError(f"{row.where}: 'choices' must be an object with 'text' and 'label'")
        labels, texts = list(choices.get("label", ())), list(choices.get("text", ()))
        key = text_of(row, "answerKey")
        prompts.append(
            choice_prompt(
                row, text_of(row, "question"), labels, texts, key,
                task=task, instruction=instruction, licence=ARC.licence,
            )
        )  # fmt: skip
    return taken(once(prompts), take, seed, f"arc {subset} {split}")


@source("mmlu_pro", paths=("path", "dataset"), sizes={"test": 12_032, "validation": 70})
def mmlu_pro(
    *,
    take: int | None,
    seed: int,
    split: str = "test",
    categories: Sequence[str] = (),
    path: str | None = None,
    dataset: str = MMLU_PRO.hub,
    revision: str | None = None,
    instruction: str = CHOICE,
) -> list[Prompt]:
    """Questions of fourteen subjects with three to ten options, in the seed's order, each once.

    Args:
        take: how many; None takes all.
        seed: of the order.
        split: ``test`` or ``validation`` (the 70 questions that few-shot examples come from).
        categories: subjects by the data set's names (``biology``); none named takes all.
        path: a local file (``question``, ``options``, ``answer``, ``category``), or a folder with
            one a split; no Hub then.
        dataset: Hub id, or a local folder laid out like the Hub's.
        revision: Hub commit; a known one unless given.
        instruction: put behind the options, after a blank line; "" leaves it out.

    Raises:
        RecipeError: as ``Dataset.rows``; a row of another shape; a category that no row has.
    """
    rows = list(MMLU_PRO.rows(split, path=path, dataset=dataset, revision=revision))
    known = sorted({str(row.data.get("category")) for row in rows})
    for category in categories:
        if category not in known:
            raise RecipeError(
                f"mmlu_pro: categories has {category!r}: accepted: {', '.join(known)}"
            )
    prompts = []
    for row in rows:
        if categories and row.data.get("category") not in categories:
            continue
        texts = row.data.get("options")
        texts = list(texts) if isinstance(texts, list) else []
        key = text_of(row, "answer")
        letters = list(LETTERS[: len(texts)])
        prompts.append(
            choice_prompt(
                row, text_of(row, "question"), letters, texts, key,
                task="mmlu_pro", instruction=instruction, licence=MMLU_PRO.licence,
            )
        )  # fmt: skip
    return taken(once(prompts), take, seed, f"mmlu_pro {split}")


def choice_prompt(
    row: Row,
    question: str,
    labels: Sequence[str],
    options: Sequence[str],
    key: str,
    *,
    task: str,
    instruction: str,
    licence: str,
) -> Prompt:
    """A multiple-choice row as a prompt.

    Args:
        row: where it comes from; named where it is at fault.
        question: what is asked.
        labels: of the options, in order: A, B, C… or 1, 2, 3…
        options: their texts, as many.
        key: the right option's label.
        task: the prompt's task.
        instruction: put behind the options.
        licence: of the data.

    Raises:
        RecipeError: fewer than three options or more than ten, other labels, a key that is none.
    """
    if not FEWEST <= len(options) <= MOST or not all(isinstance(text, str) for text in options):
        raise RecipeError(
            f"{row.where}: needs {FEWEST} to {MOST} options, texts all, has {len(options)}"
        )
    if not any(list(labels) == list(accepted[: len(options)]) for accepted in LABELS):
        raise RecipeError(f"{row.where}: options are labelled {list(labels)}, not A, B… or 1, 2…")
    if key not in labels:
        raise RecipeError(f"{row.where}: the answer {key!r} is none of {', '.join(labels)}")
    asked = choice_question(question, labels, [text.strip() for text in options])
    return Prompt.of(
        task=task, kind="choice", messages=user(asked, choice_instruction(instruction, labels)),
        reference={"letter": key, "options": [text.strip() for text in options]},
        source=row.origin, licence=licence,
    )  # fmt: skip
