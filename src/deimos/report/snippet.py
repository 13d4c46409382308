"""How to use what was trained: a short program for the model card, from the recipe.

The program loads the base and the adapter with transformers and peft, renders one question as the
run rendered its prompts, and decodes at the locked config. Not covered: other engines.
"""

from __future__ import annotations

import json

from deimos.recipe import SamplingSettings
from deimos.report.results import RunResults
from deimos.store.names import ADAPTER

QUESTION = (
    "Nora has 39 stamps. Nora buys 19 more stamps. Nora gives 6 stamps to Ray. "
    "Then Nora sells half of the stamps. How many stamps does Nora have now?"
)
"""A question like the lab's, which any model can be asked."""
_NOT_IN_GENERATE = ("presence_penalty", "frequency_penalty")


def snippet(run: RunResults) -> str | None:
    """The program, as text; None if nothing has been trained yet.

    Paths in it are relative to the run folder, where the card lies.
    """
    train = run.folders.get("train")
    if train is None:
        return None
    model = run.recipe.model
    revision = f", revision={_quoted(model.revision)}" if model.revision else ""
    thinking = "" if model.thinking is None else f"enable_thinking={model.thinking}, "
    return "\n".join(
        [
            *_imports(run),
            "",
            f"base = {'str(lab_path())' if run.lab else _quoted(model.id)}",
            f"adapter = {_quoted(f'{train.name}/{ADAPTER}')}  # a folder beside this card",
            f"tokenizer = AutoTokenizer.from_pretrained(base{revision})",
            f"model = AutoModelForCausalLM.from_pretrained(base{revision}, dtype={_quoted(model.dtype)})",
            "model = PeftModel.from_pretrained(model, adapter).eval()",
            "",
            f"question = {_quoted(QUESTION)}",
            "prompt = tokenizer.apply_chat_template(",
            '    [{"role": "user", "content": question}],',
            f'    {thinking}add_generation_prompt=True, return_dict=True, return_tensors="pt",',
            ")",
            *_decoding(run.recipe.bench.locked, run.recipe.bench.budget),
            'print(tokenizer.decode(output[0, prompt["input_ids"].shape[1]:]))',
        ]
    )


def _imports(run: RunResults) -> list[str]:
    own = ["from deimos.lab.weights import lab_path"] if run.lab else []
    return [
        *own,
        "from peft import PeftModel",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
    ]


def _decoding(locked: SamplingSettings, budget: int) -> list[str]:
    """The call of ``generate``; all is spelled out, as a model's own defaults would fill the rest."""
    settings = [f"max_new_tokens={budget}", f"repetition_penalty={locked.repetition_penalty}"]
    if locked.temperature == 0:
        settings.append("do_sample=False")
    else:
        names = ("temperature", "top_p", "top_k", "min_p")
        settings += ["do_sample=True", *(f"{name}={getattr(locked, name)}" for name in names)]
    missing = [name for name in _NOT_IN_GENERATE if getattr(locked, name)]
    return [
        *(f"# {name} {getattr(locked, name)}: generate has none; vLLM has" for name in missing),
        f"output = model.generate(**prompt, {', '.join(settings)})",
    ]


def _quoted(text: str) -> str:
    """A Python string literal; JSON's is one, and no name in a recipe can break out of it."""
    return json.dumps(text, ensure_ascii=False)
