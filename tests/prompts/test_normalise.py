"""Hidden spaces, look-alike letters, and runs of figures: a copy is a copy, other scripts stay themselves."""

import pytest

from deimos.prompts.decontaminate import Index, TestText
from deimos.prompts.normalise import fold, words, words_and_signs
from deimos.recipe import Decontaminate

STORY = (
    "Natalia sold clips to forty eight of her friends in April and then she sold half as many clips "
    "in May how many clips did she sell altogether"
)
RUSSIAN = (
    "Наташа продала клипсы сорока восьми подругам в апреле а потом вдвое меньше в мае и он спросил "
    "сколько клипс она продала всего"
)
GREEK = "Η Ναταλία πούλησε κλιπ σε σαράντα οκτώ φίλες της τον Απρίλιο και τα μισά τον Μάιο πόσα κλιπ πούλησε"
CYRILLIC = str.maketrans("aeopcxyiAEOPCTHKMBX", "аеорсхуіАЕОРСТНКМВХ")
ALPHABET = str.maketrans("oavpAEOTHKMB", "οανρΑΕΟΤΗΚΜΒ")
DATA = "12 15 19 22 31 45 58 61 75 84 93 107 118 121 135"


def index(*texts):
    return Index((TestText("t", text) for text in texts), Decontaminate())


@pytest.mark.parametrize("hidden", "\u200b\u200c\u200d\u2060\ufeff\u00ad")
def test_characters_without_a_width_in_place_of_spaces(hidden):
    tests = index(STORY)
    assert tests.find(STORY.replace(" ", hidden)).rule == "exact"
    assert tests.find(f"Tell me: {STORY.replace(' ', hidden)} Why?") is not None
    assert words_and_signs(STORY.replace(" ", hidden)) == words_and_signs(STORY)
    pairs = " ".join(hidden.join(STORY.split()[at : at + 2]) for at in range(0, 28, 2))
    assert tests.find(pairs) is not None, "two words at a time"


@pytest.mark.parametrize("hidden", "\u200b\u2060\u00ad")
def test_characters_without_a_width_within_words(hidden):
    within = STORY.replace("l", f"l{hidden}")
    everywhere = hidden.join(STORY)
    assert words(within) == words(everywhere) == words(STORY)
    assert words(f"extra{hidden}ordinary") == ["extraordinary"]


@pytest.mark.parametrize(
    "copy",
    [
        STORY.translate(CYRILLIC),
        STORY.translate(ALPHABET),
        STORY.upper().translate(CYRILLIC),
        STORY[:60].translate(CYRILLIC) + STORY[60:],
        STORY.translate(CYRILLIC).translate(ALPHABET),
        STORY.translate(CYRILLIC).replace(" ", "\u200b"),
    ],
)
def test_letters_that_look_like_latin_ones(copy):
    assert copy != STORY
    found = index(STORY).find(copy)
    assert found is not None and found.rule == "exact"


@pytest.mark.parametrize("text", [RUSSIAN, GREEK])
def test_texts_in_other_scripts_stay_themselves(text):
    tests = index(text, STORY)
    assert tests.find(text.upper()).rule == "exact"
    assert not any(word.isascii() for word in words(text))
    assert index(STORY).find(text) is None


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("mаth", "math"),
        ("Тhe mоon", "the moon"),
        ("the сор", "the cop"),
        ("сор и мама", "сор и мама"),
        ("x² + α = π", "x2 + α = π"),
        ("A Жук", "a жук"),
    ],
)
def test_which_words_are_folded(written, read):
    assert fold(written) == read


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"Compute the median of {DATA} now", True),
        (f"A list: {DATA}", True),
        (f"Is {DATA[:-12]} sorted?", False),  # twelve words in a row
        ("Sort 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 please", False),
        ("Sort 10 20 30 40 50 60 70 80 90 100 110 120 130 140 please", False),
        ("Invert the matrix 0 1 0 1 1 0 1 0 0 1 1 0 1 1 0", False),
        ("The numbers 135 121 118 107 93 84 75 61 58 45 31 22 19 15 12", False),
    ],
)
def test_data_in_a_row_is_a_problem_s_own_and_counting_is_not(text, found):
    tests = index(
        f"Find the mean of {DATA} if it exists in this table of the yearly report",
        "The sum of 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 is what",
        "The sum of 10 20 30 40 50 60 70 80 90 100 110 120 130 140 is what",
        "Transpose 0 1 0 1 1 0 1 0 0 1 1 0 1 1 0 twice",
    )
    assert (tests.find(text) is not None) is found
