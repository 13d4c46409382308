"""Training prompts against test problems: which of them has training no business to see?

Compared are words (``normalise.py``): compatibility forms and case folded, punctuation, white space
and characters without a width gone; and of prompts only what they ask, without a source's own
wording (``text.question_of``). In scripts without spaces (Chinese, Japanese, Thai …) every character
counts as a word, and runs are half as long again. A prompt overlaps with a test problem by the first
of these rules that finds something:

- ``exact``: all words are the same (signs are no words: ``x+1`` and ``x-1`` are the same here). For
  texts of fewer than 8 words this is the only rule.
- ``13-gram``: 13 words in a row stand in both (``20-gram`` where the test problem is mostly written
  in characters).
- ``8-gram``: where one of the two has fewer than 26 words (twice 13: a single changed word may leave
  no 13-gram whole), 8 words in a row stand in both, and such runs cover 60% of the shorter text
  (``12-gram`` in characters).
- ``near-duplicate``: the sets of three words in a row are alike, by MinHash first (datasketch) and
  then counted: Jaccard similarity of at least 0.5 (one word in twelve replaced: 0.6).

Runs of words that stand in more than five test problems are a template ("find m + n, where m and n
are relatively prime …") and don't count (GPT-3 had ten), nor do runs more than half of which are
numbers: figures in a row. Both are asked of the whole run: 13 words that begin with a template, or
with figures, count if at least four of them stand in no template; 13 words that are mostly numbers count
too if these are a problem's own data: several different ones that do not just count up. What was found is shown with the words that were. Not covered:
paraphrases, translations, the same problem with other numbers in few words.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from sys import intern
from typing import Any, NamedTuple

from deimos.prompts.normalise import has_ignorable, is_spaceless, words
from deimos.recipe import Decontaminate, RecipeError

TEMPLATE = 5
"""A run of words in more test problems than this is no problem's own."""
OWN = 4
"""So many words of a long run must stand in no template: whatever follows one often is the same."""
DATA = 6
"""So many different numbers make a run of figures the data of one problem."""
COVER = 0.6
"""Share of the shorter text that its 8-grams must cover."""
SHINGLE = 3
BANDS, ROWS = 24, 3
"""MinHash: of pairs with a similarity of 0.5, 96 in 100 are looked at; of 0.6, 997 in 1,000."""


class TestText(NamedTuple):
    """What one test problem asks."""

    __test__ = False  # no test class, whatever pytest makes of the name

    task: str
    """Name of the test task."""
    text: str


@dataclass(frozen=True)
class Overlap:
    """A prompt's words that stand in a test problem."""

    rule: str
    """exact, 13-gram, 8-gram or near-duplicate (the figures as the recipe has them)."""
    task: str
    """Name of the test task."""
    matched: str
    """The words that stand in both, as normalised."""
    test: str
    """The test problem, from its beginning."""


class Index:
    """Test problems, to be asked whether a text overlaps with one of them.

    Memory: about 10 KB a test problem of 60 words.

    Args:
        tests: what the test problems ask.
        settings: lengths of the runs of words, the similarity.

    Raises:
        RecipeError: near-duplicates are asked for and datasketch is not installed.
    """

    def __init__(self, tests: Iterable[TestText], settings: Decontaminate) -> None:
        self._short = settings.short_ngram
        self._tests: list[tuple[TestText, tuple[str, ...]]] = []
        self._exact: dict[str, int] = {}
        for test in tests:
            said = tuple(map(intern, words(test.text)))
            if said and " ".join(said) not in self._exact:  # test sets lie inside each other
                self._exact[" ".join(said)] = len(self._tests)
                self._tests.append((test, said))
        in_words: dict[int, tuple[str, ...]] = {}
        in_characters: dict[int, tuple[str, ...]] = {}
        for number, (_, said) in enumerate(self._tests):
            (in_characters if _spaceless(said) else in_words)[number] = said
        # Two words of Chinese are about three characters.
        self._runs = (
            _Runs(in_words, settings.ngram, settings.short_ngram),
            _Runs(in_characters, settings.ngram * 3 // 2 + 1, settings.short_ngram * 3 // 2),
        )
        near = settings.near_duplicates
        self._near = None if near is None or not self._tests else _Near(self._tests, near)

    def __len__(self) -> int:
        """How many test problems there are to compare with."""
        return len(self._tests)

    def find(self, text: str) -> Overlap | None:
        """The overlap of a text with some test problem; None: there is none."""
        found = self._find(tuple(words(text)))
        if found is None and has_ignorable(text):
            found = self._find(tuple(words(text, parted=True)))
        return found

    def _find(self, said: tuple[str, ...]) -> Overlap | None:
        if (same := self._exact.get(" ".join(said))) is not None:
            return self._overlap("exact", same, said)
        if len(said) < self._short:
            return None
        for part in self._runs:
            if found := part.find(said):
                return self._overlap(*found)
        return self._alike(said)

    def _alike(self, said: tuple[str, ...]) -> Overlap | None:
        number = self._near.find(said) if self._near else None
        if number is None:
            return None
        theirs = set(self._tests[number][1])
        return self._overlap("near-duplicate", number, tuple(w for w in said if w in theirs))

    def _overlap(self, rule: str, number: int, matched: Sequence[str]) -> Overlap:
        test, _ = self._tests[number]
        return Overlap(rule, test.task, " ".join(matched), test.text[:200])


class _Runs:
    """Runs of words of some test problems: long ones, and short ones for short texts.

    Indexed are the short runs; a long run that counts has one that is no template.
    """

    def __init__(self, tests: dict[int, tuple[str, ...]], long: int, short: int) -> None:
        self._tests, self._long, self._short = tests, long, short
        self._places: dict[int, int | list[int]] = {}
        for number, said in tests.items():
            self._add(number, said)

    def find(self, said: tuple[str, ...]) -> tuple[str, int, Sequence[str]] | None:
        """Rule, number of the test problem, and the words that stand in both."""
        if not self._tests:
            return None
        hits, templates = self._hits(said)
        return self._long_run(said, hits, templates) or self._short_runs(said, hits)

    def _add(self, number: int, said: tuple[str, ...]) -> None:
        for run in {hash(run) for run in runs(said, self._short)}:
            before = self._places.get(run)
            if before is None:
                self._places[run] = number
            elif isinstance(before, int):
                self._places[run] = [before, number]
            elif len(before) <= TEMPLATE:
                before.append(number)

    def _hits(self, said: tuple[str, ...]) -> tuple[dict[int, list[int]], set[int]]:
        """Where in the text short runs of each test problem begin, and where templates begin."""
        found: dict[int, list[int]] = {}
        templates: set[int] = set()
        for start, run in enumerate(runs(said, self._short)):
            numbers = self._places.get(hash(run))
            if numbers is None:
                continue
            if isinstance(numbers, list) and len(numbers) > TEMPLATE:
                templates.add(start)
                continue
            for number in [numbers] if isinstance(numbers, int) else numbers:
                found.setdefault(number, []).append(start)
        return found, templates

    def _long_run(
        self, said: tuple[str, ...], hits: dict[int, list[int]], templates: set[int]
    ) -> tuple[str, int, Sequence[str]] | None:
        inner = max(self._long - self._short, 0) + 1  # short runs in a long one
        for number, starts in hits.items():
            theirs = _placed(self._tests[number], self._long)
            for start in sorted({s - back for s in starts for back in range(inner) if s >= back}):
                run = said[start : start + self._long]
                if len(run) < self._long or run not in theirs or not _tells(run):
                    continue
                if self._own_words(start, templates) < OWN:
                    continue
                end = start + self._long
                while said[end - self._long + 1 : end + 1] in theirs and end < len(said):
                    end += 1
                return f"{self._long}-gram", number, said[start:end]
        return None

    def _own_words(self, start: int, templates: set[int]) -> int:
        """How many words of the long run that begins at ``start`` stand in no template."""
        if not templates:
            return self._long
        end = start + self._long
        covered = {
            at
            for first in range(start, end - self._short + 1)
            if first in templates
            for at in range(first, first + self._short)
        }
        return self._long - len(covered)

    def _short_runs(
        self, said: tuple[str, ...], hits: dict[int, list[int]]
    ) -> tuple[str, int, Sequence[str]] | None:
        for number, hit in hits.items():
            shorter, longer = sorted((said, self._tests[number]), key=len)
            if len(shorter) >= 2 * self._long:
                continue
            if not any(_worded(said[start : start + self._short]) for start in hit):
                continue
            known = _placed(longer, self._short)
            starts = [at for at, run in enumerate(runs(shorter, self._short)) if run in known]
            covered = {at for start in starts for at in range(start, start + self._short)}
            if len(covered) >= COVER * len(shorter):
                matched = [shorter[at] for at in sorted(covered)]
                return f"{self._short}-gram", number, matched
        return None


class _Near:
    """Near-duplicates among test problems: MinHash proposes, counting decides."""

    def __init__(self, tests: Sequence[tuple[TestText, tuple[str, ...]]], least: float) -> None:
        try:
            from datasketch import MinHash, MinHashLSH
        except ImportError as e:
            raise RecipeError(
                "prompts.decontaminate needs the package datasketch: pip install "
                "'deimos-llm[decontaminate]', or set prompts.decontaminate.near_duplicates to null"
            ) from e
        self._tests, self._least = tests, least
        self._empty = MinHash(num_perm=BANDS * ROWS, hashfunc=zlib.crc32)
        self._index = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
        for number, (_, said) in enumerate(tests):
            if mine := _shingles(said):
                self._index.insert(number, self._sketch(mine), check_duplication=False)

    def find(self, said: tuple[str, ...]) -> int | None:
        """The most similar test problem that is similar enough."""
        mine, best, found = _shingles(said), self._least, None
        for key in self._index.query(self._sketch(mine)) if mine else ():
            number = int(str(key))
            theirs = _shingles(self._tests[number][1])
            alike = len(mine & theirs) / len(mine | theirs)
            if alike > best or (alike == best and (found is None or number < found)):
                best, found = alike, number
        return found

    def _sketch(self, shingles: set[tuple[str, ...]]) -> Any:
        sketch = self._empty.copy()
        sketch.update_batch([" ".join(run).encode() for run in shingles])
        return sketch


def runs(said: tuple[str, ...], length: int) -> Iterator[tuple[str, ...]]:
    """All runs of so many words, in order."""
    return zip(*(said[at:] for at in range(length)))


def _placed(said: tuple[str, ...], length: int) -> set[tuple[str, ...]]:
    return set(runs(said, length))


def _shingles(said: tuple[str, ...]) -> set[tuple[str, ...]]:
    if not any(map(str.isdigit, said)):
        return _placed(said, SHINGLE)
    return {run for run in runs(said, SHINGLE) if _worded(run)}


def _worded(run: tuple[str, ...]) -> bool:
    """Whether half of the words have a letter: figures in a row are no text."""
    return 2 * sum(map(str.isdigit, run)) <= len(run)


def _tells(run: tuple[str, ...]) -> bool:
    """Whether a long run is text, or data: numbers enough that are different and no even steps."""
    if _worded(run):
        return True
    numbers = [int(word) for word in run if word.isdecimal()]
    steps = [after - before for before, after in pairwise(numbers)]
    even = max(map(steps.count, steps), default=0) * 2 >= len(steps)
    return len(set(numbers)) >= DATA and not even


def _spaceless(said: tuple[str, ...]) -> bool:
    """Whether most words are characters of scripts without spaces."""
    return 2 * sum(map(is_spaceless, said)) > len(said)
