r"""How questions are put: instructions behind them, options listed, and how to take that off again.

The instructions are ours and stand behind every question of a source, after a blank line; they are
no part of the problem, so decontamination compares prompts without them (``question_of``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from deimos.registry import Source
from deimos.types import Prompt

MATH = "Please reason step by step, and put your final answer within \\boxed{}."
CHOICE = (
    "Please reason step by step, and put the letter of the right option alone within \\boxed{}."
)
CODE = (
    "Please answer with one ```python block that holds the whole solution: the function, and the "
    "imports that it needs."
)


def user(question: str, instruction: str) -> list[dict[str, str]]:
    """One user message: the question, and after a blank line the instruction, if there is one."""
    content = f"{question.strip()}\n\n{instruction}" if instruction else question.strip()
    return [{"role": "user", "content": content}]


def choice_question(question: str, labels: Sequence[str], options: Sequence[str]) -> str:
    """A question with its options below it, a line each: ``A. fog``."""
    listed = [f"{label}. {option}" for label, option in zip(labels, options, strict=True)]
    return "\n".join([question.strip(), "", *listed])


def choice_instruction(instruction: str, labels: Sequence[str]) -> str:
    """The instruction of a choice: where options are numbered, it speaks of numbers."""
    numbered = bool(labels) and labels[0].isdigit()
    return instruction.replace("the letter of", "the number of") if numbered else instruction


def code_answer(code: str) -> str:
    """A program as an answer: one fenced block."""
    return f"```python\n{code.strip()}\n```"


def question_of(source: Source, options: Mapping[str, Any], prompt: Prompt) -> str:
    """What a prompt asks, without the wording that its source puts around every question.

    Args:
        source: whose prompt it is; its ``asked`` decides, if it has one.
        options: the options that it was called with.
        prompt: one of its prompts.
    """
    if source.asked is not None:
        return source.asked(prompt)
    said = "\n\n".join(m["content"] for m in prompt.messages if m["role"] == "user")
    return strip_instruction(said, str(options.get("instruction", _default_instruction(source))))


def strip_instruction(text: str, instruction: str) -> str:
    """A text less the instruction at its end, whether that speaks of letters or of numbers."""
    for form in (instruction, choice_instruction(instruction, "1")):
        if form and text.endswith(form):
            return text[: -len(form)].rstrip()
    return text


def _default_instruction(source: Source) -> str:
    parameter = source.option_names().get("instruction")
    return parameter.default if parameter and isinstance(parameter.default, str) else ""


def last_box(text: str) -> str | None:
    r"""What the last ``\boxed{…}`` (or ``\fbox{…}``) of a text holds, "" where it is empty; None: no box.

    Braces are matched, escaped ones left alone; TeX's brace-less ``\boxed 5`` counts too.
    """
    start = max(text.rfind("\\boxed"), text.rfind("\\fbox"))
    if start < 0:
        return None
    bare = re.compile(r"\\(?:boxed|fbox)\s+([^\s\\${}]+)").match(text, start)
    if bare:
        return bare.group(1)
    depth, opened = 0, None
    for brace in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, start + len("\\fbox")):
        if brace.group() == "{":
            depth, opened = depth + 1, brace.end() if opened is None else opened
        elif brace.group() == "}" and opened is not None:
            depth -= 1
            if depth == 0:
                return text[opened : brace.start()].strip()
    return None


def level_of(data: Mapping[str, Any]) -> str:
    """A row's ``level`` without the word before it ("Level 5" is "5"); "" if it names none."""
    level = data.get("level")
    if isinstance(level, bool) or not isinstance(level, str | int):
        return ""
    named = re.sub(r"^level\s*", "", str(level).strip(), flags=re.IGNORECASE)
    return "" if named == "?" else named
