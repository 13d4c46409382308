"""How to use what was trained: short programs for the model card, from the run's records.

Each renders one question as the run rendered its prompts and decodes at the locked config, as far as
its program can: transformers' ``generate`` has no presence or frequency penalty, so a comment says
what is missing. The switch of thinking goes to ``apply_chat_template`` itself (there,
``chat_template_kwargs`` would be one more variable of the template, which reads none of that name),
and to a server in ``chat_template_kwargs``. Not covered: other engines.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deimos.lab.weights import lab_path
from deimos.models.effort import read_template
from deimos.models.switch import has_switch
from deimos.report.locked import read_locked
from deimos.report.results import RunResults
from deimos.store.names import ADAPTER
from deimos.store.schema import AnyRow

QUESTION = (
    "Nora has 39 stamps. Nora buys 19 more stamps. Nora gives 6 stamps to Ray. "
    "Then Nora sells half of the stamps. How many stamps does Nora have now?"
)
"""A question like the lab's, which any model can be asked."""
PORT = 8000
"""vLLM's own."""
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The values that vLLM's ``--max-lora-rank`` takes."""
_NOT_IN_GENERATE = ("presence_penalty", "frequency_penalty")
_BUDGET = "think_budget"
_IN_BODY = ("top_k", "min_p", "repetition_penalty")
"""vLLM's sampler values that OpenAI's client has no argument for."""


@dataclass(frozen=True)
class QuickStarts:
    """The programs of a card; each None if there is none."""

    on: str | None
    """With thinking on; with whatever the template does by itself if the recipe leaves that to it."""
    off: str | None
    serve: str | None
    """The command of a vLLM server."""
    ask: str | None
    """A client of that server."""
    no_switch: str
    """Why there is no program with thinking off; empty if there is one."""


def quick_starts(run: RunResults) -> QuickStarts:
    """The programs, as text; none if nothing has been trained yet.

    Paths in them are relative to the run folder, where the card lies.
    """
    why = say_no_switch(run)
    if run.folders.get("train") is None:
        return QuickStarts(None, None, None, None, why)
    thinking = run.recipe.model.thinking
    on = None if why else (thinking if thinking is None else True)
    off = None if why else transformers_program(run, False, guard=knows_switch(run) is None)
    return QuickStarts(transformers_program(run, on), off, serve_command(run), client(run), why)


def knows_switch(run: RunResults) -> bool | None:
    """Whether the chat template has the recipe's switch; None if neither records nor template say."""
    if run.taught:
        return True
    if run.plain:
        return False
    if run.counts("route").get("no_switch"):
        return False
    rows = (*run.bench, *run.by_config)
    if run.artifacts.routing() or any(row.get("thinking") is False for row in rows):
        return True
    folder = lab_path() if run.lab else Path(run.base)
    template, key = read_template(folder), run.recipe.model.thinking_key
    if template is None:
        return None
    found = has_switch(template, key)
    # One that cannot be rendered here (it calls what only its own program has) may still have it.
    return (key in template or None) if found is None else found


def say_no_switch(run: RunResults) -> str:
    """Why thinking cannot be turned off, in one sentence; empty if it can, or if that is not known."""
    if run.plain and not run.taught:
        return "This model does not think in tags, so there is no thinking to turn off."
    if knows_switch(run) is False:
        key = run.recipe.model.thinking_key
        return f"This model's chat template does not read {key}: thinking cannot be turned off."
    return ""


def transformers_program(run: RunResults, thinking: bool | None, *, guard: bool = False) -> str:
    """A program for transformers and peft.

    Args:
        run: the run.
        thinking: what the chat template is given as its switch; None leaves it out.
        guard: end with a message if the switch makes no difference to the chat template.
    """
    model = run.recipe.model
    revision = f", revision={quote(model.revision)}" if model.revision else ""
    given = model.template_arguments().with_thinking(thinking)
    arguments = "".join(f"{name}={_literal(value)}, " for name, value in given.items())
    key = model.thinking_key
    check = (
        [
            "",
            "def prompt_of(thinking):",
            '    asked = [{"role": "user", "content": "Hello."}]',
            f"    return tokenizer.apply_chat_template(asked, tokenize=False, {key}=thinking)",
            "",
            "if prompt_of(True) == prompt_of(False):",
            '    raise SystemExit("this chat template has no switch: thinking stays on")',
        ]
        if guard
        else []
    )
    return "\n".join(
        [
            *(["from deimos.lab.weights import lab_path"] if run.lab else []),
            "from peft import PeftModel",
            "from transformers import AutoModelForCausalLM, AutoTokenizer",
            "",
            f"base = {'str(lab_path())' if run.lab else quote(run.base_place)}",
            f"adapter = {quote(adapter_place(run))}  # a folder beside this card",
            "tokenizer = AutoTokenizer.from_pretrained(adapter)  # its chat template opens the thought"
            if run.taught
            else f"tokenizer = AutoTokenizer.from_pretrained(base{revision})",
            *check,
            f"model = AutoModelForCausalLM.from_pretrained(base{revision}, dtype={quote(model.dtype)})",
            "model = PeftModel.from_pretrained(model, adapter).eval()",
            "",
            f"question = {quote(QUESTION)}",
            "prompt = tokenizer.apply_chat_template(",
            '    [{"role": "user", "content": question}],',
            f'    {arguments}add_generation_prompt=True, return_dict=True, return_tensors="pt",',
            ")",
            *_generate(read_locked(run).decoding),
            'print(tokenizer.decode(output[0, prompt["input_ids"].shape[1]:]))',
        ]
    )


def adapter_place(run: RunResults) -> str:
    """The adapter's folder, from where the card lies."""
    return f"{run.folders['train'].name}/{ADAPTER}"


def served_rank(rank: int) -> int | None:
    """The smallest ``--max-lora-rank`` that holds an adapter; None if vLLM serves none so great."""
    return min((accepted for accepted in RANKS if accepted >= rank), default=None)


def serve_command(run: RunResults) -> str | None:
    """The command of a vLLM server with the adapter, called ``tuned``; None if vLLM cannot serve it."""
    model, rank = run.recipe.model, served_rank(run.recipe.train.lora.r)
    if rank is None:
        return None
    if run.lab:
        find = "from deimos.lab.weights import lab_path; print(lab_path())"
        base = f"\"$(python -c '{find}')\""
    else:
        base = shlex.quote(run.base_place)
    words = [
        "--enable-lora",
        *(
            [f"--chat-template {shlex.quote(f'{adapter_place(run)}/chat_template.jinja')}"]
            if run.taught
            else []
        ),
        f"--lora-modules {shlex.quote(f'tuned={adapter_place(run)}')}",
        f"--max-lora-rank {rank}",
        f"--dtype {model.dtype}",
        *([f"--revision {shlex.quote(model.revision)}"] if model.revision else []),
        f"--port {PORT}",
    ]
    return f"vllm serve {base} {' '.join(words)}"


def client(run: RunResults) -> str | None:
    """A program that asks such a server at the locked config, thinking on and off."""
    if served_rank(run.recipe.train.lora.r) is None:
        return None
    decoding = read_locked(run).decoding
    body = [f'"{name}": {decoding[name]}' for name in _IN_BODY if name in decoding]
    names = ("temperature", "top_p", *_NOT_IN_GENERATE, "max_tokens")
    own = [f"{name}={decoding[name]}" for name in names if name in decoding]
    switched = knows_switch(run) or (
        not say_no_switch(run) and run.recipe.model.thinking is not None
    )
    model = run.recipe.model
    given = {name: _literal(value) for name, value in model.template_kwargs.items()}
    given |= {model.thinking_key: "thinking"} if switched else {}
    if given:
        pairs = ", ".join(f'"{name}": {value}' for name, value in given.items())
        body.append(f'"chat_template_kwargs": {{{pairs}}}')
    if (
        run.taught or not run.plain
    ):  # a tag may be a special token, which a server leaves out of its reply
        body.append('"skip_special_tokens": False')
    indent = "    " if switched else ""
    return "\n".join(
        [
            "from openai import OpenAI",
            "",
            f'client = OpenAI(base_url="http://localhost:{PORT}/v1", api_key="EMPTY")',
            f"question = {quote(QUESTION)}",
            *_no_budget(decoding),
            *(["for thinking in (True, False):"] if switched else []),
            f"{indent}reply = client.chat.completions.create(",
            f'{indent}    model="tuned",',
            f'{indent}    messages=[{{"role": "user", "content": question}}],',
            f"{indent}    {', '.join(own)},",
            f"{indent}    extra_body={{{', '.join(body)}}},",
            f"{indent})",
            f"{indent}print(reply.choices[0].message.content)",
        ]
    )


def quote(text: str) -> str:
    """A Python string literal that no name in a recipe can break out of, in plain signs."""
    return json.dumps(text) if text.isascii() and text.isprintable() else ascii(text)


def _literal(value: Any) -> str:
    """A plain value of a recipe as Python writes it."""
    return quote(value) if isinstance(value, str) else repr(value)


def _generate(decoding: AnyRow) -> list[str]:
    """The call of ``generate``; all is spelled out, as a model's own defaults would fill the rest."""
    settings = [
        f"max_new_tokens={decoding['max_tokens']}",
        f"repetition_penalty={decoding['repetition_penalty']}",
    ]
    if decoding["temperature"] == 0:
        settings.append("do_sample=False")
    else:
        names = ("temperature", "top_p", "top_k", "min_p")
        settings += ["do_sample=True", *(f"{name}={decoding[name]}" for name in names)]
    missing = [name for name in _NOT_IN_GENERATE if decoding.get(name)]
    return [
        *(f"# {name} {decoding[name]}: generate has none; vLLM has" for name in missing),
        *_no_budget(decoding),
        f"output = model.generate(**prompt, {', '.join(settings)})",
    ]


def _no_budget(decoding: AnyRow) -> list[str]:
    """What no program here does: close a thought that has become too long."""
    budget = decoding.get(_BUDGET)
    return [f"# {_BUDGET} {budget}: this program closes no thought"] if budget else []
