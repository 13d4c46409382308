"""What rules and n-grams make of texts."""

import pytest

from deimos.route.features import RULE_NAMES, WINDOW, find_features, read_text


def rules_of(text: str) -> set[str]:
    return {RULE_NAMES[rule] for rule in find_features(text).rules}


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("counted", "Tell it in three short sentences."),
        ("counted", "Schreibe genau vier Sätze."),
        ("counted", "介绍猫，五十个字。"),
        ("bounded", "No more than 40 words."),
        ("bounded", "Не более ста слов."),
        ("forbidden", "Never use the word sky."),
        ("forbidden", "Antworte ohne das Wort Haus."),
        ("forbidden", "コンマを使わずに書いてください。"),
        ("cased", "Answer in lowercase."),
        ("formatted", "Reply as JSON."),
        ("formatted", "Put the title in <<brackets>>."),
        ("bordered", "Finish with the line: Bye."),
        ("keyworded", 'It has the word "moon" in it.'),
        ("frequent", "Mention the moon at least twice."),
        ("repeated", "Say it again word for word."),
        ("each_part", "Each line rhymes."),
        ("quantity", "How many apples are left?"),
        ("formula", "x^2 = 9"),
        ("code", "Write a Python script."),
        ("measured", "It is 5 km away."),
        ("signature", "def f(x):\n    '''Double x.'''"),
        ("options", "Which one?\nA) red\nB) blue"),
        ("asked", "Is it so?"),
        ("personal", "I am tired."),
    ],
)
def test_a_rule_holds(rule, text):
    assert rule in rules_of(text)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("counted", "I have three cats."),
        ("forbidden", "I do not like rain."),
        ("formatted", "Jason and Xavier went home."),  # json is part of a word
        ("cased", "The capital of France"),
        ("code", "He is a classy man."),
        (
            "frequent",
            "I mention it. The rest of that long story is told, and so are others, many times.",
        ),
    ],
)
def test_a_rule_does_not_hold(rule, text):
    assert rule not in rules_of(text)


def test_numbers_are_alike_in_figures_and_words():
    first, second = (find_features(f"Write {n} lines") for n in ("7", "three"))
    assert first.grams == second.grams


def test_order_of_words_counts():
    assert find_features("dog bites man").grams != find_features("man bites dog").grams


def test_of_a_long_text_beginning_and_end_are_read():
    filler = "rain falls on the town " * 4_000
    assert {"cased", "quantity"} <= rules_of(f"Use lowercase. {filler} How many drops are there?")
    assert len(find_features(filler).grams) < WINDOW


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([{"role": "user", "content": "one thing that is long enough to stand alone"}], "one thing that is long enough to stand alone"),
        ([{"role": "system", "content": "a"}, {"role": "user", "content": "b"}], "b"),
        ([{"role": "user", "content": "What is 3 times 4?"}, {"role": "assistant", "content": "12"},
          {"role": "user", "content": "And for 7?"}], "What is 3 times 4?\nAnd for 7?"),
        ([{"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image_url"}, 7]}], "see"),
        ([], ""), (None, ""), ("text", ""), ([None, 3, "x"], ""), ([{"role": "user"}], ""),
        ([{"role": "user", "content": {"text": "x"}}], ""), ({"role": "user"}, ""),
    ],
)  # fmt: skip
def test_whatever_the_client_sends_is_read(messages, text):
    assert read_text(messages) == text


@pytest.mark.parametrize("text", ["", "\ud800", "\x00", "A" * 300_000, "🙂" * 5_000, "١٢٣"])
def test_odd_texts_have_features(text):
    find_features(text)
