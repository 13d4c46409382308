"""References as prompts are read: their form, and whether any answer could meet them.

The form is its kind's. Whether an answer could meet it says the grader that is to judge
(``registry.Grader.check_reference``): a grader of somebody else's takes what it takes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from deimos import registry
from deimos.recipe import RecipeError, SourceSettings
from deimos.store.json_text import refuse_lost_backslash
from deimos.types import Kind, Prompt


def check_references(
    prompts: Iterable[Prompt], graders: Mapping[Kind, str], block: SourceSettings, key: str
) -> None:
    """Refuse references that the graders could not compare any answer with.

    Args:
        prompts: of one source; kinds without a grader are left out.
        graders: spec by kind.
        block: the source's, to find the place of a fault in its data.
        key: what the source stands under, e.g. ``prompts.sources``.

    Raises:
        RecipeError: one sentence with file and line, or else with the prompt's own words.
    """
    for prompt in prompts:
        try:
            if spec := graders.get(prompt.kind):
                check_reference(prompt.kind, spec, prompt.reference)
        except ValueError as e:
            raise RecipeError(f"{_place(prompt, block, key)}: {e}") from e


def check_reference(kind: Kind, spec: str, reference: Any) -> None:
    """Refuse a reference that a grader could not compare any answer with.

    Args:
        kind: of prompt; a grader of our own needs the kind's form.
        spec: the grader.
        reference: as it was read.

    Raises:
        ValueError: one sentence about what is wrong with it.
    """
    own = registry.BUILTIN["grader"]
    if spec in own or spec in own.values():
        check_form(kind, reference)
    if check := registry.resolve("grader", spec).check_reference:
        check(reference)


def check_form(kind: str, reference: Any) -> Any:
    """A reference of the form its kind needs; ValueError, one sentence, for any other."""
    if kind == "math":
        if isinstance(reference, float) and not math.isfinite(reference):
            raise ValueError(f"a math reference must be a finite number, not {reference}")
        if isinstance(reference, int | float) and not isinstance(reference, bool):
            return str(reference)
        if not isinstance(reference, str):
            raise ValueError(
                f"a math reference must be a text or a number, not {name_type(reference)}"
            )
        if not reference.strip():
            raise ValueError("a math reference must not be blank")
        refuse_lost_backslash(reference)
        return reference.strip()
    needed = {
        "choice": {"letter": (str,), "options": (list,)},
        "instruction": {"instruction_id_list": (list,), "kwargs": (list,)},
        "code": {"tests": (str, list)},
    }[kind]
    ours = f"{'an' if kind == 'instruction' else 'a'} {kind} reference"
    if not isinstance(reference, dict):
        raise ValueError(
            f"{ours} must be an object with {', '.join(needed)}, not {name_type(reference)}"
        )
    for key, forms in needed.items():
        if key not in reference:
            raise ValueError(f"{ours} needs {key!r}")
        if not isinstance(reference[key], forms):
            wanted = " or ".join(_FORMS[form] for form in forms)
            raise ValueError(f"{ours}'s {key!r} must be {wanted}, not {name_type(reference[key])}")
        if not reference[key] or not str(reference[key]).strip():
            raise ValueError(f"{ours}'s {key!r} must not be empty")
    return _checked_choice(reference) if kind == "choice" else reference


_FORMS = {str: "a text", list: "a list"}


def name_type(value: Any) -> str:
    """What a JSON value is, in words."""
    names = {
        type(None): "null",
        bool: "a truth value",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "a number")


def _checked_choice(reference: dict[str, Any]) -> dict[str, Any]:
    options, letter = reference["options"], reference["letter"].strip().upper()
    if not 3 <= len(options) <= 10:
        raise ValueError(f"choice options must be 3 to 10 texts, not {len(options)}")
    for number, option in enumerate(options, 1):
        if not isinstance(option, str):
            raise ValueError(f"choice option {number} must be a text, not {name_type(option)}")
    labels = ("123456789" if letter.isdigit() else "ABCDEFGHIJ")[: len(options)]
    if len(letter) != 1:
        bare = letter.strip("()[].: ")
        meant = f": {bare!r}" if len(bare) == 1 and bare in labels else ""
        raise ValueError(
            f"choice letter {reference['letter']!r} must be one letter alone{meant or f', of {labels[0]} to {labels[-1]}'}"
        )
    if letter not in labels:
        raise ValueError(f"choice letter {reference['letter']!r} is none of {', '.join(labels)}")
    return {"letter": letter, "options": options}


def _place(prompt: Prompt, block: SourceSettings, key: str) -> str:
    """Where a prompt's row stands, or, of a source that cannot say, its source and first words."""
    place = registry.resolve("source", block.source).place
    if place is not None and (found := place(prompt, **block.options)):
        return found
    said = " ".join(prompt.messages[-1]["content"].split())[:60]
    return f"{key}: {prompt.source or prompt.task}: {said!r}"
