"""Is another round worth it? Decided by a comparison on dev prompts."""

import pytest

from deimos.bench.gain import decide


@pytest.mark.parametrize(
    ("delta", "ci", "saved", "verdict", "said"),
    [
        (0.02, [-0.05, 0.09], 0.30, "go on", "saved 30.0%"),
        (-0.20, [-0.31, -0.09], 0.50, "worse", "accuracy fell by 20.0% [-31.0%, -9.0%] on 40"),
        (
            -0.03,
            [-0.12, 0.06],
            0.04,
            "little",
            "4.0% of the tokens on 40 dev prompts, less than 5%",
        ),
        (0.00, None, None, "little", "no tokens to save"),
        (-0.03, [-0.06, 0.0], 0.05, "go on", "saved 5.0%"),
    ],
)
def test_a_round_goes_on_unless_accuracy_fell_or_little_was_saved(delta, ci, saved, verdict, said):
    row = {
        "n": 40,
        "accuracy_delta": delta,
        "accuracy_delta_ci": ci,
        "total_tokens_reduction": saved,
    }
    found = decide(row, 0.05)
    assert found.verdict == verdict
    assert said in found.because
