"""Hidden spaces, look-alike letters, and runs of figures: a copy is a copy, other scripts stay themselves."""

import unicodedata

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


@pytest.mark.parametrize("text", [RUSSIAN, GREEK])
@pytest.mark.parametrize(
    "frame",
    [
        "Please solve this problem carefully. {} Explain each step.",
        "{} Explain each step of your solution in English, please, and give the answer in a box at the end.",
        "Q: {}\nA:",
    ],
)
def test_texts_in_other_scripts_are_found_in_an_english_frame(text, frame):
    assert index(text).find(frame.format(text)) is not None


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


@pytest.mark.parametrize(
    "entity",
    ["&nbsp;", "&#160;", "&#xA0;", "&ensp;", "&thinsp;", "&amp;nbsp;", "&#32;", "&emsp;", "&nbsp", "&#8203;", "&ZeroWidthSpace;"],
)  # fmt: skip
def test_html_entities_in_place_of_spaces(entity):
    assert index(STORY).find(STORY.replace(" ", entity)).rule == "exact"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("salt &amp; pepper", "salt & pepper"),
        ("is 3 &lt; 5 &lt;= x", "is 3 < 5 <= x"),
        ("caf&eacute; cr&egrave;me", "cafe creme"),
        ("extra&shy;ordinary wo&#8203;rd", "extraordinary word"),
        ("3 &times; 4 &minus; 2", "3 × 4 − 2"),
        ("Tom&#39;s &quot;fish&quot;", 'Tom\'s "fish"'),
        ("R&D and AT&T, 1&2", "R&D and AT&T, 1&2"),
    ],
)
def test_html_entities_are_what_they_stand_for(written, read):
    assert words_and_signs(written) == words_and_signs(read)


ACCENTED = (
    "Zoë et Élodie ont acheté à Málaga vingt pâtés pour la fête de l'été où señor Müller a mangé "
    "déjà la moitié du gâteau combien en reste-t-il après le goûter de Łukasz et Søren"
)
PLAIN = (
    "Zoe et Elodie ont achete a Malaga vingt pates pour la fete de l'ete ou senor Muller a mange "
    "deja la moitie du gateau combien en reste-t-il apres le gouter de Lukasz et Soren"
)


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_accents_of_latin_letters_hide_no_copy(form):
    dressed = unicodedata.normalize(form, ACCENTED)
    for test, copy in ((ACCENTED, dressed), (PLAIN, dressed), (dressed, PLAIN)):
        found = index(test).find(copy.upper())
        assert found is not None and found.rule == "exact"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Ångström", "angstrom"), ("Đặng Thị Ngọc", "dang thi ngoc"), ("İstanbul", "istanbul"), ("smørrebrød", "smorrebrod"),
        ("œuvre", "oeuvre"), ("Čapek", "capek"), ("Straße", "strasse"), ("cafe\u0301", "cafe"), ("n\u0303", "n"),
    ],
)  # fmt: skip
def test_plain_letters_for_accented_ones(written, read):
    assert fold(written) == read


@pytest.mark.parametrize("text", ["йод и ёж", "αέρα", "がぎぐ", "한국어"])
def test_accents_of_other_scripts_stay(text):
    assert fold(text) == text
