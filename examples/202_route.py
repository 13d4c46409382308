"""For which tasks does thinking pay? The lab model answers problems with thinking on and off.

Run it: python examples/202_route.py

In a run this is the stage `route`: put `route: {}` into the recipe, or

    deimos run lab --until route --set route={}

and it asks the tuned model, and the base for comparison, the dev prompts of the recipe. Below are its
parts: two arms of one model, decoded and judged by an evaluator, and the table made of the answers.
"""

import asyncio
import tempfile
from pathlib import Path

from deimos.evaluate.arms import Arm
from deimos.evaluate.models import open_models
from deimos.evaluate.outcomes import reduce_completion
from deimos.evaluate.samples import Evaluator
from deimos.graders import Judge
from deimos.lab.source import lab
from deimos.lab.weights import lab_path
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.route.tables import Modes, group_prompts, tabulate
from deimos.thinking import Tags
from deimos.types import Kind, Sampling

KINDS: tuple[Kind, ...] = ("math", "choice", "code")
PROBLEMS = list(lab(take=120, seed=1, kinds=KINDS, steps=(2,)))
GREEDY = Sampling(temperature=0.0, max_tokens=512)
MARGIN = 0.15  # accuracy that the cheaper mode may be short of; 40 problems a task show no finer difference


def main() -> None:
    """Print a line for each task: accuracy and tokens of both modes, and the recommended one."""
    model = ModelRef(str(lab_path()), dtype="float32")
    on, off = (Arm(model, GREEDY, thinking=switch) for switch in (True, False))
    with (
        tempfile.TemporaryDirectory() as folder,
        Judge({kind: kind for kind in KINDS}) as judge,
        open_models({"lab": model}, Runtime(device="cpu"), Tags()) as models,
    ):
        found = asyncio.run(Evaluator(models, judge).run([on, off], PROBLEMS, Path(folder)))
        by_id = {prompt.id: prompt for prompt in PROBLEMS}
        sides = [
            [
                reduce_completion(
                    completion, by_id[completion.prompt_id].task, arm.thinking,
                    models.render(by_id[completion.prompt_id], arm.thinking).shape,
                )
                for completion in found[arm]
            ]
            for arm in (on, off)
        ]  # fmt: skip
    answers = {"lab": Modes(*sides, decoding={})}
    for row in tabulate(answers, group_prompts(PROBLEMS), MARGIN):
        low, high = row["delta_bounds"] or (-1.0, 1.0)
        print(
            f"{row['task']:11} n={row['n']:<3} on {row['on']['accuracy']:.2f} in "
            f"{row['on']['total_tokens_median']:3.0f} tokens, off {row['off']['accuracy']:.2f} in "
            f"{row['off']['total_tokens_median']:2.0f}; on - off {row['delta']:+.2f} "
            f"[{low:+.2f}, {high:+.2f}]: {row['recommended']} ({row['because']})"
        )


if __name__ == "__main__":
    main()
