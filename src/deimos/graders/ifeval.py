"""lm-eval's IFEval rules, offline, and with the same verdict every time.

Three things in lm-eval's module stand against that, and each is dealt with here:

- Its import downloads NLTK's sentence model (``punkt_tab``). Where that isn't installed, NLTK's own
  tokenizer is given a model without content, which leaves NLTK's default sentence parameters;
  ``sentences()`` says which is used. It counts for ``number_sentences`` and, hardly ever, for
  ``capital_word_frequency``.
- ``langdetect`` draws at random, and the order in which it lists its languages is that of a folder.
  The seed is fixed and the languages are sorted, once per process.
- A rule with a missing or odd argument draws one at random. Such a reference is an error here. One
  case stands in IFEval itself: a letter rule about ``#`` or ``!``, which lm-eval replaces by some
  letter; here that sign is counted.

Rules are checked one at a time in a process: a lock, because lm-eval's draws are seen by the state
of Python's global random generator.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import random
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from deimos.graders.ifeval_arguments import read_arguments

TASKS = "lm_eval.tasks"
LETTER_RULE = "keywords:letter_frequency"
DEFAULT_SENTENCES = "NLTK's default sentence parameters (its model punkt_tab is not installed)"
MODEL_SENTENCES = "NLTK's sentence model punkt_tab"
_PUNKT_FILES = ("collocations.tab", "sent_starters.txt", "abbrev_types.txt", "ortho_context.tab")
_lock = threading.Lock()


class Following(NamedTuple):
    """Which of its rules an answer follows, in the reference's order."""

    strict: tuple[bool, ...]
    """The answer as it is."""
    loose: tuple[bool, ...]
    """The best of the answer and seven variants: without its first line, its last line, its asterisks."""


def follows(
    answer: str, instruction_id_list: Sequence[str], kwargs: Sequence[Mapping[str, Any]]
) -> Following:
    """Which rules an answer follows, as lm-eval judges it (an empty answer follows none).

    Args:
        answer: what a reader sees; never the thought.
        instruction_id_list: names of rules, e.g. ``punctuation:no_comma``.
        kwargs: the arguments of each; null values count as not given.

    Raises:
        ValueError: an unknown rule, or arguments that leave it open what is asked.
    """
    if len(kwargs) != len(instruction_id_list):
        raise ValueError(f"{len(instruction_id_list)} rules but arguments for {len(kwargs)}")
    with _lock:
        rules = [_rule(name, given) for name, given in zip(instruction_id_list, kwargs)]
        variants = _variants(answer)
        strict = [_followed(rule, answer) for rule in rules]
        loose = [
            kept or any(_followed(rule, variant) for variant in variants)
            for kept, rule in zip(strict, rules)
        ]
    return Following(tuple(strict), tuple(loose))


@cache
def registry() -> ModuleType:
    """lm-eval's module of rules: ``INSTRUCTION_DICT`` (name to class) and ``INSTRUCTION_CONFLICTS``.

    Raises:
        ImportError: lm-eval, langdetect, immutabledict or nltk is not installed.
    """
    # Their absence would show as lm-eval's own failure, or as an attempt to download.
    for module in ("immutabledict", "langdetect", "nltk", "lm_eval"):
        if importlib.util.find_spec(module) is None:
            raise ImportError(f"no module named {module!r}: pip install 'deimos-llm[instruction]'")
    _settle_languages()
    if sentences() == MODEL_SENTENCES:
        found = _import_rules()
        _read_sentence_model(found)
        return found
    import nltk.data

    with tempfile.TemporaryDirectory(prefix="deimos-nltk-") as folder:
        english = Path(folder, "tokenizers", "punkt_tab", "english")
        english.mkdir(parents=True)
        for name in _PUNKT_FILES:
            (english / name).touch()
        nltk.data.path.append(folder)
        try:
            found = _import_rules()
            _read_sentence_model(found)  # NLTK keeps it: the folder may go
        finally:
            nltk.data.path.remove(folder)
    return found


def sentences() -> str:
    """What sentences are counted by on this machine, as a short phrase; loads nothing."""
    places = [*os.environ.get("NLTK_DATA", "").split(os.pathsep), str(Path.home() / "nltk_data")]
    places += [f"{sys.prefix}/{folder}nltk_data" for folder in ("", "share/", "lib/")]
    places += [
        f"/usr/{folder}/nltk_data" for folder in ("share", "local/share", "lib", "local/lib")
    ]
    models = (Path(place, "tokenizers") for place in places if place)
    if any((m / "punkt_tab/english").is_dir() or (m / "punkt_tab.zip").is_file() for m in models):
        return MODEL_SENTENCES
    return DEFAULT_SENTENCES


def _settle_languages() -> None:
    """Build langdetect's factory: seeded, and its languages in an order that no disk decides."""
    from langdetect import detector_factory

    detector_factory.DetectorFactory.seed = 0
    factory = detector_factory.DetectorFactory()
    profiles = sorted(Path(detector_factory.PROFILES_DIRECTORY).iterdir())
    factory.load_json_profile(
        [profile.read_text(encoding="utf-8") for profile in profiles if profile.is_file()]
    )
    detector_factory._factory = factory


def _import_rules() -> ModuleType:
    """The rules without ``lm_eval.tasks`` itself, which would load datasets, pandas and more."""
    name = f"{TASKS}.ifeval.instructions_registry"
    if TASKS in sys.modules:
        return importlib.import_module(name)
    located = importlib.util.find_spec("lm_eval")
    assert located and located.submodule_search_locations
    bare = ModuleType(TASKS)
    bare.__path__ = [str(Path(place, "tasks")) for place in located.submodule_search_locations]
    sys.modules[TASKS] = bare
    try:
        return importlib.import_module(name)
    finally:
        del sys.modules[TASKS]


def _read_sentence_model(rules: ModuleType) -> None:
    """Have NLTK load and keep what it counts sentences and words by, while it is there."""
    utilities = rules.instructions.instructions_util
    utilities.count_sentences("One. Two.")
    utilities.nltk.word_tokenize("One. Two.")


def _rule(name: str, given: Mapping[str, Any]) -> Any:
    """A rule with its arguments; ValueError where it would draw some of them at random."""
    arguments = read_arguments(name, given)
    rule = registry().INSTRUCTION_DICT[name](name)
    sign = _sign(name, arguments)
    before = random.getstate()
    try:
        rule.build_description(**(arguments | ({"letter": "a"} if sign else {})))
    except (TypeError, AttributeError, KeyError) as e:
        raise ValueError(f"rule {name!r} does not take {arguments}: {e}") from e
    if random.getstate() != before:
        raise ValueError(f"rule {name!r} needs {rule.get_instruction_args_keys()}, not {arguments}")
    if sign:
        rule._letter = sign
    return rule


def _sign(name: str, arguments: Mapping[str, Any]) -> str:
    """The sign that a letter rule asks for if it is not a letter from a to z; else empty."""
    letter = arguments.get("letter")
    if name != LETTER_RULE or not isinstance(letter, str) or len(letter.strip()) != 1:
        return ""
    letter = letter.strip().lower()
    return "" if "a" <= letter <= "z" else letter


def _followed(rule: Any, answer: str) -> bool:
    return bool(answer.strip()) and bool(rule.check_following(answer))


def _variants(answer: str) -> list[str]:
    """What lm-eval's loose reading tries besides the answer itself."""
    lines = answer.split("\n")
    cut = ["\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1])]
    texts = [answer, *cut]
    found = dict.fromkeys([*texts, *(text.replace("*", "") for text in texts)])
    return [text for text in found if text != answer]
