"""Which ids end a turn: read off the tokenizer, the generation config and the chat template."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.test_thinking import build

from deimos.models.end_of_turn import eos_ids_of
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef

spec = find_spec("trl")  # finds the package without importing it
assert spec is not None and spec.origin is not None
TEMPLATES = {
    file.stem: file.read_text("utf-8")
    for file in sorted((Path(spec.origin).parent / "chat_templates").glob("*.jinja"))
}
ENDS = {
    "cohere": "<|END_OF_TURN_TOKEN|>",  # Cohere 2 puts <|END_RESPONSE|> before it
    "deepseek": "<｜end▁of▁sentence｜>",
    "diffusion_gemma": "<turn|>",
    "gemma4": "<turn|>",
    "gemma": "<end_of_turn>",
    "glm4moe": "<|user|>",  # GLM ends a turn by beginning the user's
    "gptoss": "<|return|>",
    "llama3": "<|eot_id|>",
    "muse": "<|eot|>",
    "phi3": "<|end|>",
    **dict.fromkeys(("lfm2", "nemotron", "qwen"), "<|im_end|>"),
    **dict.fromkeys(("idefics3", "llava", "smolvlm"), None),  # they show no message that is a text
}
"""By the beginning of a template's name; the longest one that fits counts."""
OTHERS = ("<|end|>", "<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<turn|>", "<|return|>")


def with_template(template: str) -> Any:
    """A tokenizer with the tokens that a template writes, and with those that others end turns with."""
    written = re.findall(r"<[|｜]?[\w/▁]+[|｜]?>|\[/?[A-Z_]+\]", template)
    tokenizer = build(template, single=True, merges=0)
    tokens = sorted({*written, *OTHERS})
    tokenizer.add_special_tokens(
        {"bos_token": "<bos>", "eos_token": "<eos>", "additional_special_tokens": tokens}
    )
    return tokenizer


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_turn_ends_with_what_the_chat_template_writes(name: str, tmp_path: Path) -> None:
    tokenizer = with_template(TEMPLATES[name])
    end = ENDS[max((known for known in ENDS if name.startswith(known)), key=len)]
    ends = tokenizer.convert_ids_to_tokens(sorted(eos_ids_of(tokenizer, ModelRef(str(tmp_path)))))
    assert {*ends} == {"<eos>", *([end] if end else [])}


def test_templates_that_end_with_several_tokens(tmp_path: Path) -> None:
    turns = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    phi = turns + "{% if not add_generation_prompt %}{{ eos_token }}{% endif %}"  # Phi-4-mini's way
    tokenizer = with_template(phi)
    ends = eos_ids_of(tokenizer, ModelRef(str(tmp_path)))
    assert ends == {*tokenizer.convert_tokens_to_ids(["<eos>", "<|end|>"])}


def test_a_template_that_writes_no_such_token_or_refuses_adds_nothing(tmp_path: Path) -> None:
    for template in (
        "{% for m in messages %}{{ m.content }}\n{% endfor %}",
        "{{ raise_exception('no assistants') }}",
        "{{ messages[0].content + 1 }}",
        "nothing",
    ):
        tokenizer = with_template(template)
        ends = eos_ids_of(tokenizer, ModelRef(str(tmp_path)))
        assert tokenizer.convert_ids_to_tokens([*ends]) == ["<eos>"]


def test_the_generation_config_adds_its_own(tmp_path: Path) -> None:
    tokenizer = with_template(TEMPLATES["qwen2_5"])
    before = eos_ids_of(tokenizer, ModelRef(str(tmp_path)))
    for configured in (9, [9]):
        (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": configured}))
        assert eos_ids_of(tokenizer, ModelRef(str(tmp_path))) == before | {9}


def test_the_labs_are_what_they_were() -> None:
    lab = ModelRef(str(Path(__file__).parents[2] / "src/deimos/lab/reasoner"))
    tokenizer = load_tokenizer(lab)
    assert eos_ids_of(tokenizer, lab) == {tokenizer.convert_tokens_to_ids("<|im_end|>")}


def test_the_generation_config_is_the_revisions(tmp_path: Path) -> None:
    """A Hub cache with two revisions of one model, read without a network."""
    model = tmp_path / "hub" / "models--someone--model"
    for revision, eos_id in (("a" * 40, 7), ("b" * 40, 9)):
        folder = model / "snapshots" / revision
        folder.mkdir(parents=True)
        (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": eos_id}))
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("a" * 40)
    program = (
        "from types import SimpleNamespace as Tokenizer\n"
        "from deimos.models.end_of_turn import eos_ids_of\n"
        "from deimos.models.ref import ModelRef\n"
        "bare = Tokenizer(eos_token_id=None, added_tokens_decoder={},\n"
        "                 apply_chat_template=lambda messages, tokenize: '')\n"
        "for revision in (None, 'b' * 40):\n"
        "    print(*eos_ids_of(bare, ModelRef('someone/model', revision)))\n"
    )
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_HUB_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.split() == ["7", "9"], done.stderr
