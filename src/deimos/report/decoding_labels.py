"""Which decoding config each number comes from.

``equal`` and ``tight`` are run at two configs, and each number of their one row is the less
flattering one's; so one row may hold numbers of both. Pure: benchmark rows in, wording out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from deimos.report.formatting import join_names
from deimos.store.schema import AnyRow

CONFIGS = {
    "recommended": "the base's recommended sampler",
    "locked": "the locked config",
    "base_locked": "the base's own locked config",
}
TIMED = "locked"
"""The config at which seconds are measured, always."""
MIXED = (
    "In equal and tight each number is the less flattering of two configs, so numbers of one row "
    "may come from different configs (then named beside each), and the rows of tasks need not add "
    "up to the row of all tasks."
)
_DERIVED = ("tokens_per_correct", "auc_oaa", "ock_score", "at_k", "judges")
"""Parts that have a table of their own, where their config stands beside them."""
_PARTS = {
    "accuracy": "accuracy",
    "finished": "accuracy",
    "think_tokens": "think_tokens",
    "total_tokens": "total_tokens",
    "answer_tokens": "total_tokens",
}
"""A row's numbers to the part of its ``config`` that says where they come from."""


def origins(row: AnyRow) -> dict[str, str]:
    """Each number's config, of a row that mixes several; empty where all are of one.

    ``finished`` is of accuracy's config, the answer's length of the total's, and ``seconds`` of
    the one that is timed.
    """
    config = row.get("config")
    if not isinstance(config, Mapping):
        return {}
    found = {number: config[part] for number, part in _PARTS.items() if part in config}
    if any(row.get(name) is not None for name in ("seconds_reduction", "seconds_per_problem")):
        found["seconds"] = TIMED
    return found if len(set(found.values())) > 1 else {}


def clause(row: AnyRow) -> str:
    """Which config the numbers of a compare row are taken from, as the end of a sentence."""
    taken = name_origins(row)
    if row["setting"] == "ship":
        return f"; base at {CONFIGS['recommended']}, tuned at {CONFIGS['locked']}"
    if not taken:
        return ""
    if len(set(taken.values())) == 1:
        name = next(iter(taken.values()))
        return f"; numbers from {CONFIGS.get(name, name)}, the less flattering of the two"
    each = [f"{parts} from {CONFIGS.get(name, name)}" for name, parts in _by_config(taken)]
    return f"; each number from the less flattering of the two configs: {'; '.join(each)}"


def name_origins(row: AnyRow) -> dict[str, str]:
    """Each number's config, by a readable name of the number; empty where none is recorded."""
    config = row.get("config") or {}
    if isinstance(config, str):
        return {"every number": config}
    return {part.replace("_", " "): at for part, at in config.items() if part not in _DERIVED}


def shorten_config(row: AnyRow) -> str:
    """The config of a row's numbers, as short as possible."""
    if row["setting"] == "ship" and not row.get("config"):
        return "recommended → locked"
    taken = name_origins(row)
    if len(set(taken.values())) <= 1:
        return next(iter(taken.values()), "")
    return ", ".join(f"{name} ({parts})" for name, parts in _by_config(taken))


def put_own_finished(full: Sequence[AnyRow], row: AnyRow) -> AnyRow:
    """A bench row whose ``finished`` is that of the config its lengths come from.

    Where the less flattering configs of accuracy and of length differ, the row itself holds the
    accuracy's. ``full`` are the rows of each config.
    """
    config = row.get("config")
    name = config.get("think_tokens") if isinstance(config, Mapping) else None
    same = ("model", "setting", "task", "thinking", "budget")
    for other in full if name else ():
        alike = "accuracy" in other and all(other.get(k) == row.get(k) for k in same)
        if alike and other.get("config") == name:
            return {**row, "finished": other["finished"]}
    return row


def order_configs(names: Iterable[str]) -> list[str]:
    """Config names once each, recommended before locked before others."""
    order = list(CONFIGS)
    found = set(names)
    return [c for c in order if c in found] + sorted(found - set(order))


def _by_config(taken: Mapping[str, str]) -> list[tuple[str, str]]:
    """Each config once, with the numbers that come from it."""
    names = dict.fromkeys(taken.values())
    return [(name, join_names([part for part in taken if taken[part] == name])) for name in names]
