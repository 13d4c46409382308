"""Every number of a card and a report is found in a record of the run."""

import re

import full_run
import numbers_of_run as numbers
import pytest
import runfolder
from card_reader import read_card

from deimos.report import stage
from deimos.report.card import HEADINGS


@pytest.mark.parametrize("seed", [7, 8])
def test_every_number_of_card_and_page_is_a_records(tmp_path, seed):
    folders = runfolder.write_run(tmp_path, seed=seed)
    recipe = runfolder.recipe()
    stage.run(tmp_path, folders, recipe)
    card = (tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert numbers.unknown_in_card(card, folders, recipe) == []
    assert numbers.unknown_in_page(page, folders, recipe) == []


def test_every_number_of_a_run_with_every_stage_is_a_records(tmp_path):
    """Sweep, routing, derived metrics, judges, repeats and splits stand there too."""
    folders, recipe = full_run.write_full_run(tmp_path)
    card = (tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for text in (card, page):
        for part in ("417 evaluations", "+0.551", "+37.5", "the base is right in some", "95.0%"):
            assert part in text.replace("\\", ""), part
    assert tuple(read_card(card).headings) == HEADINGS
    assert numbers.unknown_in_card(card, folders, recipe) == []
    assert numbers.unknown_in_page(page, folders, recipe) == []


def test_a_number_that_is_no_records_is_found(reported):
    """The walk sees a number that was changed, in nearly every place of the tables."""
    card = reported.text("MODEL_CARD.md")
    known = numbers.known_numbers(reported.folders, reported.recipe) | numbers.lengths(
        reported.folders
    )
    places = list(re.finditer(r"\d+\.\d%", card))
    assert len(places) > 50
    missed = 0
    for place in places:
        value = place[0][:-1]
        changed = f"{float(value) + 0.1:.1f}"
        missed += not numbers.unknown([changed], known)
    assert missed < len(places) / 2
    spoiled = card.replace("n = 120", "n = 98765")
    assert spoiled != card
    assert numbers.unknown_in_card(spoiled, reported.folders, reported.recipe) == ["98765"]


def test_a_trace_that_nobody_wrote_is_found(reported):
    card = reported.text("MODEL_CARD.md").replace("12 + 7 = 19.", "12 + 7 = 20.")
    assert numbers.unknown_in_card(card, reported.folders, reported.recipe) != []


def test_the_exceptions_are_few_and_each_has_a_reason():
    assert len(numbers.EXCEPTIONS) <= 10 and all(numbers.EXCEPTIONS.values())
