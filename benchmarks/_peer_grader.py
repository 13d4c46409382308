"""One other project's math check over many answers, in that project's own environment.

Not a benchmark: `beside_others.py` starts it as `PYTHON _peer_grader.py NAME` and writes JSON lines
`[reference, answer]` to it; it writes `[verdict, processor seconds]` a line. A verdict is true, false, or
null if the peer raises or runs out of its own time. It imports nothing of Deimos.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
import time
from collections.abc import Callable

Check = Callable[[str, str], bool]


def math_verify() -> Check:
    """math-verify with its defaults, the reference in a box, as its README does."""
    from math_verify import parse, verify

    def check(reference: str, answer: str) -> bool:
        gold = parse("\\boxed{" + reference + "}", raise_on_error=True)
        return verify(gold, parse(answer, raise_on_error=True), raise_on_error=True)

    return check


def minerva() -> Check:
    """lm-eval's minerva_math: its normalisation, then equal text or sympy's difference is 0.

    It reads only its own few-shot sentence, so an answer with a box is given to it in that sentence.
    """
    utils = importlib.import_module("lm_eval.tasks.minerva_math.utils")

    def check(reference: str, answer: str) -> bool:
        if box := utils.last_boxed_only_string(answer):
            inner = utils.remove_boxed(box)
            answer = f"Final Answer: The final answer is ${inner}$. I hope it is correct."
        given = utils.normalize_final_answer(utils.get_unnormalized_answer(answer))
        return bool(utils.is_equiv(given, utils.normalize_final_answer(reference)))

    return check


def hendrycks() -> Check:
    """lm-eval's hendrycks_math: equal text after normalisation, from the box or between dollars."""
    utils = importlib.import_module("lm_eval.tasks.hendrycks_math.utils")

    def check(reference: str, answer: str) -> bool:
        dollars = [i for i, sign in enumerate(answer) if sign == "$"]
        if box := utils.last_boxed_only_string(answer):
            answer = utils.remove_boxed(box)
        elif len(dollars) > 1:
            answer = answer[dollars[0] + 1 : dollars[-1]]
        return bool(utils.is_equiv(answer, reference))

    return check


def lighteval() -> Check:
    """Lighteval's metric for MATH: expressions and LaTeX, the box first, five digits."""
    # By name: this file is read by checkers in environments without it.
    load = importlib.import_module
    metrics = load("lighteval.metrics.dynamic_metrics")
    extraction = load("lighteval.metrics.utils.extractive_match_utils")
    response = load("lighteval.models.model_output").ModelResponse
    doc_of = load("lighteval.tasks.requests").Doc
    english = load("lighteval.utils.language").Language.ENGLISH
    metric = metrics.MultilingualExtractiveMatchMetric(
        language=english,
        fallback_mode="first_match",
        precision=5,
        gold_extraction_target=(extraction.LatexExtractionConfig(),),
        pred_extraction_target=(
            extraction.ExprExtractionConfig(),
            extraction.LatexExtractionConfig(boxed_match_priority=0),
        ),
        aggregation_function=max,
    )

    def check(reference: str, answer: str) -> bool:
        doc = doc_of(query="", choices=["\\boxed{" + reference + "}"], gold_index=0)
        return metric.compute(doc, response(text=[answer])) == 1.0

    return check


PEERS = {
    "math-verify": math_verify,
    "minerva": minerva,
    "hendrycks": hendrycks,
    "lighteval": lighteval,
}


def main() -> None:
    """Judge every line; the first, simple one is not timed."""
    logging.disable(logging.CRITICAL)
    check, out = PEERS[sys.argv[1]](), sys.stdout
    sys.stdout = sys.stderr  # what the peer prints is no verdict
    check("1", "The answer is $\\boxed{1}$.")
    for line in sys.stdin:
        reference, answer = json.loads(line)
        began = time.process_time()
        try:
            verdict = bool(check(reference, answer))
        except Exception:  # an alarm, or anything that sympy raises
            verdict = None
        out.write(json.dumps([verdict, time.process_time() - began]) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
