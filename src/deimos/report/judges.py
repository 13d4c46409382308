"""What other judges of the math answers would have said, and why a number has no interval.

Pure: benchmark rows in, wording out. A published gain may be its grader's; so the headline has the
difference by three judges of the same answers beside it.
"""

from __future__ import annotations

from collections.abc import Mapping

from deimos.evaluate.stats import LEAST_FOR_T
from deimos.report.decoding_labels import CONFIGS
from deimos.report.formatting import percent, plural, points
from deimos.store.schema import AnyRow

NAMES = {
    "ours": "our grader",
    "math_verify": "math-verify alone",
    "plain": "plain string match",
}


def compare_judges(row: AnyRow) -> str:
    """The difference in accuracy by each judge, in brackets; empty without second opinions."""
    second = row.get("second_accuracy_delta")
    if not second:
        return ""
    known = [
        (name, second[judge]["accuracy_delta"])
        for judge, name in NAMES.items()
        if (second.get(judge) or {}).get("accuracy_delta") is not None
    ]
    if not known:
        return ""
    said = [f"{points(delta)} by {name}" for name, delta in known]
    said[0] = said[0].replace(" by ", " points by ", 1)
    part = "" if second["ours"]["n"] == row["n"] else "on mathematics "
    return (
        f" ({part}{', '.join(said)}{_name_config(row)}; they differ on "
        f"{percent(second['differ'])} of answers)"
    )


def _name_config(row: AnyRow) -> str:
    """At which config the judges' difference is the less flattering, if it is not the accuracy's."""
    config = row.get("config")
    if not isinstance(config, Mapping) or config.get("judges") in (None, config.get("accuracy")):
        return ""
    name = config["judges"]
    return f", at {CONFIGS.get(name, name)}"


def explain_no_seconds_interval(row: AnyRow) -> str:
    """Why a reduction in seconds stands without an interval; empty if it has one, or none was due."""
    if row.get("seconds_reduction") is None or row.get("seconds_reduction_ci") is not None:
        return ""
    timed = row.get("timed")
    if not timed:
        return ""
    if timed < LEAST_FOR_T:
        return f"no interval: {plural(timed, 'problem')} timed, and it takes {LEAST_FOR_T}"
    return "no interval: the times vary too much"


def explain_no_reduction(row: AnyRow, name: str) -> str:
    """What the medians are if the base's is 0, which cannot be reduced; empty otherwise."""
    base, tuned = row.get(f"{name}_medians") or (None, None)
    if row.get(f"{name}_reduction") is not None or base != 0 or tuned is None:
        return ""
    return (
        f"no reduction: half of the base's have 0 tokens; the tuned model's median is {tuned:,.0f}"
    )
