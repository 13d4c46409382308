"""Multiple choice: ARC (AI2, CC-BY-SA-4.0) and MMLU-Pro (MIT).

Options are listed one a line behind their own labels: letters, in a few ARC rows digits. The
reference is ``{"letter": …, "options": […]}``; a guess is right one time in three to ten.

A row of ARC is ``{"question", "choices": {"text", "label"}, "answerKey"}``; its own option ``subset``
is ``ARC-Challenge`` or ``ARC-Easy``. A row of MMLU-Pro is ``{"question", "options", "answer",
"category"}``; its own option ``categories`` names some of its fourteen subjects, none named takes all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from deimos.prompts.dataset import Dataset, PromptParts, dataset_source
from deimos.prompts.rows import SourceRow, text_of
from deimos.prompts.text import CHOICE, choice_instruction, choice_question, user
from deimos.recipe import RecipeError

Subset = Literal["ARC-Challenge", "ARC-Easy"]

ARC = Dataset(
    "arc", "choice", "allenai/ai2_arc", "210d026faf9955653af8916fad021475a3f00453", "CC-BY-SA-4.0",
    sizes={"train": 1_118, "validation": 299, "test": 1_170},
    part_sizes={
        "subset": {
            "ARC-Challenge": {"train": 1_118, "validation": 299, "test": 1_170},
            "ARC-Easy": {"train": 2_251, "validation": 570, "test": 2_376},
        }
    },
)  # fmt: skip
"""ARC-Easy's sizes are as its card says."""
MMLU_PRO = Dataset(
    "mmlu_pro", "choice", "TIGER-Lab/MMLU-Pro", "b189ec765aa7ed75c8acfea42df31fdae71f97be", "MIT",
    sizes={"test": 12_032, "validation": 70},
)  # fmt: skip
"""Sizes as its card says; the validation questions are the source of few-shot examples."""
LETTERS = "ABCDEFGHIJ"
LABELS = (LETTERS, "123456789")
FEWEST, MOST = 3, len(LETTERS)


def arc_rows(
    read: Callable[..., Iterator[SourceRow]], *, subset: Subset = "ARC-Challenge"
) -> Iterator[SourceRow]:
    """Rows of the hard questions, or of the easy ones."""
    return read(config=subset)


def arc_parts(
    row: SourceRow, *, subset: Subset = "ARC-Challenge", instruction: str = CHOICE
) -> PromptParts:
    """A grade-school science question with three to five options."""
    choices = row.data.get("choices")
    if not isinstance(choices, Mapping):
        raise RecipeError(f"{row.where}: 'choices' must be an object with 'text' and 'label'")
    labels, texts = list(choices.get("label", ())), list(choices.get("text", ()))
    key, task = text_of(row, "answerKey"), subset.lower().replace("-", "_")
    return choice_parts(row, text_of(row, "question"), labels, texts, key, instruction, task)


def mmlu_pro_rows(
    read: Callable[..., Iterator[SourceRow]], *, categories: Sequence[str] = ()
) -> Iterator[SourceRow]:
    """Rows of some subjects; RecipeError for a subject that no row has."""
    rows = list(read())
    known = sorted({str(row.data.get("category")) for row in rows})
    for category in categories:
        if category not in known:
            raise RecipeError(
                f"mmlu_pro: categories has {category!r}: accepted: {', '.join(known)}"
            )
    return (row for row in rows if not categories or row.data.get("category") in categories)


def mmlu_pro_parts(row: SourceRow, *, instruction: str = CHOICE) -> PromptParts:
    """A question of one of fourteen subjects with three to ten options."""
    texts = row.data.get("options")
    texts = list(texts) if isinstance(texts, list) else []
    key, labels = text_of(row, "answer"), LETTERS[: len(texts)]
    return choice_parts(row, text_of(row, "question"), labels, texts, key, instruction)


arc = dataset_source(ARC, arc_parts, rows=arc_rows, unique=True)
mmlu_pro = dataset_source(MMLU_PRO, mmlu_pro_parts, rows=mmlu_pro_rows, unique=True)


def choice_parts(
    row: SourceRow,
    question: str,
    labels: Sequence[str],
    options: Sequence[str],
    key: str,
    instruction: str,
    task: str | None = None,
) -> PromptParts:
    """A multiple-choice question.

    Args:
        row: where it comes from; named if it is at fault.
        question: what is asked.
        labels: of the options, in order: A, B, C… or 1, 2, 3…
        options: their texts, as many.
        key: the right option's label.
        instruction: put after the options.
        task: the prompt's task; the data set's name unless given.

    Raises:
        RecipeError: fewer than three options or more than ten, other labels, a key that is none.
    """
    if not FEWEST <= len(options) <= MOST or not all(isinstance(text, str) for text in options):
        raise RecipeError(
            f"{row.where}: needs {FEWEST}-{MOST} options, all strings, has {len(options)}"
        )
    if not any(list(labels) == list(accepted[: len(options)]) for accepted in LABELS):
        raise RecipeError(f"{row.where}: options are labelled {list(labels)}, not A, B… or 1, 2…")
    if key not in labels:
        raise RecipeError(f"{row.where}: the answer {key!r} is none of {', '.join(labels)}")
    texts = [text.strip() for text in options]
    messages = user(
        choice_question(question, labels, texts), choice_instruction(instruction, labels)
    )
    return PromptParts(messages, {"letter": key, "options": texts}, task)
