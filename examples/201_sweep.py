"""A decoding sweep on the lab model: which settings suit it, found on dev problems in a minute or so.

Run it:        python examples/201_sweep.py
In a recipe:   add `sweep: {}`, or `sweep: {parameters: {temperature: [0, 1], ...}}`; the stage does
               the same for base and tuned after training, and the benchmark uses what it locks
"""

import asyncio
import tempfile
from pathlib import Path

from deimos.evaluate.models import Models
from deimos.evaluate.samples import Evaluator
from deimos.graders.worker.pool import Judge
from deimos.lab.source import lab
from deimos.lab.weights import lab_path
from deimos.models.ref import ModelRef
from deimos.recipe import Bench, SamplingSettings, SweepParameters
from deimos.recipe.runtime import Runtime
from deimos.sweep.answers import ModelAnswers
from deimos.sweep.descent import Rules, descend
from deimos.sweep.lock import locked_model
from deimos.sweep.score import Score
from deimos.sweep.space import space_of
from deimos.sweep.trials import trial_rows
from deimos.thinking import Tags

ITEMS = 32
PARAMETERS = SweepParameters(
    temperature=[0.0, 1.0], repetition_penalty=[1.0, 1.5], max_tokens=[64, 256]
)


def main() -> None:
    # Problems of the train split: a decoding must not be chosen on those that it is tested on.
    problems = list(lab(take=ITEMS, seed=7, split="train", kinds=["math"], steps=[2]))
    model = ModelRef(str(lab_path()), dtype="float32")
    models = Models(model, Runtime(max_batch=32), Tags())
    space = space_of(PARAMETERS, Bench(locked=SamplingSettings(temperature=1.0), budget=256))
    score = Score()  # accuracy; Score(price=2.0): less 2 points for 1,000 tokens
    with tempfile.TemporaryDirectory() as folder, Judge({"math": "math"}) as judge:
        answers = ModelAnswers(
            Evaluator(models, judge), model, "lab", problems, Path(folder), thinking=True, seed=0
        )
        rules = Rules(items=ITEMS, block=16, alpha=0.05, rounds=2, score=score)
        trials = asyncio.run(descend(space, answers, rules))

    print(f"{'parameter':20} {'value':>6} {'items':>6} {'right':>6} {'tokens':>7}  dropped")
    for row in trial_rows("lab", trials, ITEMS):
        value = "" if row["value"] is None else f"{row['value']:g}"
        print(
            f"{row['parameter'] or 'the start':20} {value:>6} {row['items']:>6} "
            f"{row['accuracy']:>6.2f} {row['tokens_mean']:>7.0f}  {row['because'] or '-'}"
        )
    for parameter, because in trials.skipped.items():
        print(f"{parameter:20} skipped: {because}")
    locked = locked_model(trials.whole(ITEMS), score)
    low, high = locked["accuracy_ci"]
    print(
        f"locked: {locked['decoding']}, accuracy {locked['accuracy']:.2f} [{low:.2f}, {high:.2f}], "
        f"n={locked['n']}, {locked['tokens_mean']:.0f} tokens; {len(locked['tied'])} configs are tied"
    )


if __name__ == "__main__":
    main()
