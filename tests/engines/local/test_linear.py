"""Linear layers with weights in oneDNN's order compute what they did, and only those that may."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.engines.runs import EOS, VOCABULARY, generate, make_jobs, run
from torch import nn

from deimos.engines.local import linear
from deimos.engines.local.engine import LocalEngine
from deimos.engines.local.linear import PackedLinear, pack_linear_layers
from deimos.types import Sampling

pytestmark = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="not an x86 processor"
)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 48), (7, 1, 48), (70, 3, 48), (2, 5, 4, 48)])
def test_results_are_the_plain_layers(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(48, 33, bias=bias))
    given = torch.randn(shape)
    exact = torch.nn.functional.linear(
        given.double(), model[0].weight.double(), None if not bias else model[0].bias.double()
    )
    assert pack_linear_layers(model) == 1 and type(model[0]) is PackedLinear
    with torch.inference_mode():
        torch.testing.assert_close(model(given).double(), exact, rtol=1e-5, atol=1e-5)
        part = torch.randn(*shape[:-1], 96)[..., ::2]  # not contiguous, as a slice of positions
        assert torch.equal(model(part), model(part.contiguous()))


def test_a_part_of_the_positions_is_taken() -> None:
    """``logits_to_keep`` hands the head the last position of each row: a view."""
    model = nn.Sequential(nn.Linear(16, 40, bias=False))
    given = torch.randn(5, 9, 16)
    with torch.inference_mode():
        want = model(given)[:, -1:]
        pack_linear_layers(model)
        torch.testing.assert_close(model(given[:, -1:, :]), want)


class Own(nn.Linear):
    """A layer that does something of its own."""


def test_what_is_no_plain_float32_layer_stays_as_it_is() -> None:
    model = nn.ModuleList(
        [nn.Linear(8, 8, dtype=torch.bfloat16), nn.Linear(8, 8, dtype=torch.float64), Own(8, 8),
         nn.Linear(8, 8, device="meta"), nn.Embedding(8, 8)]
    )  # fmt: skip
    kinds = [type(layer) for layer in model]
    assert pack_linear_layers(model) == 0
    assert [type(layer) for layer in model] == kinds


def test_packed_once(make_tiny: Callable[[], Any]) -> None:
    model = make_tiny()
    assert pack_linear_layers(model) == 15  # seven in each of two layers, and the head
    assert pack_linear_layers(model) == 0
    assert model.get_output_embeddings().weight.shape == model.get_input_embeddings().weight.shape


def test_a_shared_embedding_is_not_copied_into_memory_that_is_not_there(
    make_tiny: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_tiny()
    monkeypatch.setattr(linear, "available_ram", lambda: model.lm_head.weight.nbytes)
    assert pack_linear_layers(model) == 14
    assert model.lm_head.weight is model.get_input_embeddings().weight


def test_a_build_without_the_operators_decodes_as_before(
    make_tiny: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "_can_pack", lambda: False)
    assert pack_linear_layers(make_tiny()) == 0


def test_the_engine_packs_and_says_what_generate_says(make_tiny: Callable[[], Any]) -> None:
    model, untouched = make_tiny(), make_tiny()
    jobs = make_jobs(6, Sampling(temperature=0.0, max_tokens=24))
    ours = run(LocalEngine(model, [EOS]), jobs)
    assert type(model.lm_head) is PackedLinear
    assert all(list(ours[job.key].completion_ids) == generate(untouched, job) for job in jobs)


def test_an_adapter_beside_the_weights_still_counts(make_tiny: Callable[[], Any]) -> None:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    torch.manual_seed(3)
    model: Any = get_peft_model(make_tiny(), config).eval()
    ids = torch.randint(0, VOCABULARY, (3, 7))
    with torch.inference_mode():
        want = model(ids).logits
        with model.disable_adapter():
            plain = model(ids).logits
        assert pack_linear_layers(model) == 15 + 2 * 4  # A and B of four layers
        torch.testing.assert_close(model(ids).logits, want, rtol=1e-4, atol=1e-5)
        with model.disable_adapter():
            torch.testing.assert_close(model(ids).logits, plain, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(want, plain, atol=1e-3)
