"""Values to rows and back, through real JSON."""

import json
from dataclasses import asdict

import pytest

from deimos.store.schema import RowError, completion_from, completion_row, prompt_from, prompt_row
from deimos.types import Completion, Prompt, Verdict

PROMPT = Prompt.of(
    task="t",
    kind="choice",
    messages=[{"role": "user", "content": "A or B?"}],
    reference={"letter": "A", "options": ["x", "y"]},
)


def completion(verdict):
    return Completion(
        prompt_id=PROMPT.id, index=1, seed=7, think="hm", answer="A", text="hm</think>A",
        prompt_ids=(1, 2), completion_ids=(3, 4), think_tokens=1, answer_tokens=1, finish="stop",
        outpaced_by=None, seconds=0.5, engine="e", verdict=verdict,
    )  # fmt: skip


@pytest.mark.parametrize("verdict", [None, Verdict(None, "timed out"), Verdict(True)])
def test_completions_survive_json_and_have_the_fields_of_the_dataclass(verdict):
    value = completion(verdict)
    row = json.loads(json.dumps(completion_row(value)))
    assert completion_from(row) == value
    fields = json.loads(json.dumps(asdict(value)))
    if verdict:
        del fields["verdict"]["metrics"]  # in rows of lm-eval's tasks alone
    assert row == fields


def test_prompts_survive_json():
    row = json.loads(json.dumps(prompt_row(PROMPT)))
    assert prompt_from(row) == PROMPT
    assert row == json.loads(json.dumps(asdict(PROMPT)))


def test_unknown_fields_are_ignored_and_missing_ones_named():
    row = completion_row(completion(None)) | {"crc32": "00000000"}
    assert completion_from(row) == completion(None)
    del row["finish"]
    with pytest.raises(RowError, match=r"^x\.jsonl has a Completion row without 'finish'$"):
        completion_from(row, "x.jsonl")
