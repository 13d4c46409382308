"""An adapter that has taught tags is asked by the template that lies with it, its base by its own."""

from pathlib import Path

import pytest

from deimos.evaluate.arms import Arm
from deimos.evaluate.models import Models
from deimos.lab import tokenizer as lab_tokenizer
from deimos.models.loading import load_tokenizer
from deimos.models.ref import ModelRef
from deimos.models.taught import teach_tokenizer
from deimos.recipe.runtime import Runtime
from deimos.thinking import Shape, Tags
from deimos.types import Prompt, Sampling

TEMPLATE = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}\n"
)
PROMPT = Prompt.of(
    task="t",
    kind="math",
    messages=[{"role": "user", "content": "What is 1 plus 2?"}],
    reference="3",
)


@pytest.fixture
def models(tmp_path: Path) -> tuple[Models, ModelRef, ModelRef]:
    """A plain base and an adapter that teaches tags; no weights are loaded."""
    folder, adapter = tmp_path / "base", tmp_path / "adapter"
    lab_tokenizer.build(["What is 1 plus 2? The sum of them is 3."] * 3, folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    base = ModelRef(str(folder))
    teach_tokenizer(load_tokenizer(base), Tags()).save_pretrained(str(adapter))
    tuned = ModelRef(str(folder), adapter=str(adapter), taught=Tags())
    return Models(base, Runtime(), None), base, tuned


@pytest.mark.parametrize(
    ("thinking", "end", "shape"),
    [
        (None, "assistant: <think>\n", Shape.OPEN),
        (True, "assistant: <think>\n", Shape.OPEN),
        (False, "assistant: <think>\n\n</think>\n\n", Shape.SHUT),
    ],
)
def test_each_arm_sees_the_prompt_of_its_own_model(models, thinking, end, shape):
    opened, base, tuned = models
    own, taught = (
        opened.render_for(Arm(ref, Sampling(), thinking), PROMPT) for ref in (base, tuned)
    )
    assert (own.shape, own.tags) == (Shape.PLAIN, None)
    assert own.text.endswith("assistant: ")
    assert (taught.shape, taught.tags) == (shape, Tags())
    assert taught.text.endswith(end)
    assert taught.text.startswith(own.text)


def test_only_the_taught_arm_has_a_thought_to_close(models):
    opened, base, tuned = models
    budgets = [opened.think_budget(Arm(ref, Sampling(), think_budget=8)) for ref in (base, tuned)]
    assert budgets[0] is None
    assert budgets[1] is not None
    closing = opened.tokenizer.decode([*budgets[1].before, *budgets[1].close])
    assert closing == "\n</think>\n\n"
