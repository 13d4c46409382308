"""Test problems are found among training prompts however they are dressed, and templates are not."""

import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deimos.prompts.decontaminate import TEMPLATE, Index, TestText, words
from deimos.prompts.sources.gsm8k import gsm8k
from deimos.prompts.sources.math import math
from deimos.prompts.text import question_of
from deimos.recipe import Decontaminate, RecipeError

DATA = Path(__file__).parents[3] / "shared" / "data"
real = pytest.mark.skipif(not DATA.is_dir(), reason="no real data here (../shared/data)")
SETTINGS = Decontaminate()
STORY = (
    "A farmer keeps 40 sheep on a hill behind the old mill. Every morning two of them jump over the "
    "wall, and every evening his daughter brings one of them back. After how many days does he have "
    "to look for the other half of his flock in the valley below the village?"
)
SHORT = "How many different letters are there in the long word lighthouse, counting each one once?"
TINY = "What is 7 times 8?"


def index(*texts, **settings):
    return Index((TestText("t", text) for text in texts), Decontaminate(**settings))


TESTS = index(STORY, SHORT, TINY)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (STORY, "exact"),
        (STORY.upper().replace(" ", "\n  ").replace(",", " ;"), "exact"),
        ("ｗｈａｔ  is **7** times 8 ?!", "exact"),  # full-width letters, marks
        (f"Once upon a time. {STORY} Explain your answer to a child.", "13-gram"),
        (STORY[:90], "13-gram"),
        (SHORT.replace("lighthouse", "greenhouse"), "8-gram"),
        (STORY.replace("farmer", "miller").replace("his daughter", "a neighbour"), "13-gram"),
    ],
)
def test_planted_copies_are_found(text, rule):
    found = TESTS.find(text)
    assert found is not None and found.rule == rule, found
    assert set(found.matched.split()) <= set(words(text)), "the words that were matched are its own"
    assert found.test in (STORY[:200], SHORT, TINY) and found.task == "t"


def test_near_duplicates_are_found_where_no_long_run_is_whole():
    said = STORY.split()
    changed = " ".join(f"un{word}" if at % 16 == 8 else word for at, word in enumerate(said))
    assert index(STORY, ngram=20, near_duplicates=None).find(changed) is None
    found = index(STORY, ngram=20, near_duplicates=0.6).find(changed)
    assert found is not None and found.rule == "near-duplicate"


@pytest.mark.parametrize(
    "text",
    [
        "What is 7 times 9?",
        "A farmer keeps 40 hens on a hill. How many letters are there in his name?",
        "",
        "?!",
        "On a hill behind the old mill stands a tree, and nobody knows who planted it or why.",
    ],
)
def test_others_are_not(text):
    assert TESTS.find(text) is None


def test_runs_that_many_problems_share_are_a_template():
    lead = "Let m and n be relatively prime positive integers such that the fraction is in lowest terms."
    few = [f"{lead} Find the {w} one." for w in ("first", "second", "third")]
    many = [f"{lead} Find the number of {chr(97 + n) * 5} there." for n in range(TEMPLATE + 1)]
    prompt = f"{lead} How often does the clock in the hall strike on a Sunday in winter?"
    assert index(*few).find(prompt) is not None
    assert index(*many).find(prompt) is None
    assert index(*many).find(many[3]) is not None, "a copy is a copy, template or not"


def test_figures_in_a_row_are_no_text():
    figures = " ".join(map(str, range(1, 21)))
    assert index(f"Sort the list {figures} please.").find(f"The sum of {figures} is what?") is None


LEAD = "Let m and n be two coprime integers"
OWN = "whose harmonic mean exceeds forty while neither of them divides the other one's square root sum"


@pytest.mark.parametrize("lead", [
    LEAD,  # eight words
    f"Now once more {LEAD}",
    "3 1 4 1 5 9 are numbers",  # more figures than words
    "Set x 2 7 1 8 2 8",
])  # fmt: skip
def test_a_long_run_counts_whatever_it_begins_with(lead):
    """Of the run's first eight words, none is the test problem's own."""
    template = not any(map(str.isdigit, lead.split()))
    others = [f"{lead} {word} 5 {word} 6 of it" for word in words(SHORT)] if template else []
    tests = index(f"{lead} {OWN} and so on {STORY}", *others)
    run = " ".join([*lead.split()[-8:], *OWN.split()[:5]])
    found = tests.find(f"A tale of two mills. {run}? That is all that anybody asks of you here.")
    assert found is not None and (found.rule, found.matched.split()) == ("13-gram", words(run))


def test_a_template_and_the_word_after_it_are_no_overlap():
    lead = "Let m and n be relatively prime positive integers such that m over n is"
    tests = index(*(f"{lead} the {word} of {STORY}" for word in words(SHORT)))
    assert (
        tests.find(f"{lead} the height of a tower in metres that nobody measured before.") is None
    )


CHINESE = (
    "小明的果园里有四十棵苹果树，每棵树平均结了一百二十个苹果。他把其中三分之一送给了邻居，又把剩下的"
    "苹果平均装进八十个箱子，每个箱子卖二十五元。请问小明一共可以收入多少元？"
)
JAPANESE = (
    "太郎くんは毎朝七時に家を出て、歩いて学校に向かいます。弟の次郎くんはその十分後に自転車で同じ道を追いかけ、"
    "学校の手前三百メートルの地点で太郎くんに追いつきました。家から学校までの道のりは何メートルですか。"
)
THAI = "ชาวนาคนหนึ่งมีแกะสี่สิบตัวอยู่บนเนินเขาหลังโรงสีเก่าทุกเช้าแกะสองตัวกระโดดข้ามกำแพงและทุกเย็นลูกสาวของเขาพากลับมาหนึ่งตัว"


@pytest.mark.parametrize("text", [CHINESE, JAPANESE, THAI])
def test_scripts_without_spaces_are_compared_by_characters(text):
    tests = index(STORY, text, "今日は何曜日ですか")
    middle = text[12:44]
    assert tests.find(" ".join(text)).rule == "exact"
    for copy in (
        f"Read this. {text} Answer briefly.",
        f"问题：{text}请回答。",
        f"まず{middle}とします。",
    ):
        found = tests.find(copy)
        assert found is not None and found.rule == "20-gram" and found.test == text[:200], copy
        assert set(found.matched.split()) <= set(words(text))
    changed = "".join("犬" if at % 14 == 9 else c for at, c in enumerate(text))
    assert tests.find(changed) is not None
    assert tests.find(f"{changed[:8]}。{STORY[:40]}") is None


@pytest.mark.parametrize("other", [
    "小红的书店里有三十本数学书，每本书卖十五元。她上午卖出一半，下午又卖出剩下的三分之一。请问一共多少元？",
    "太郎くんは毎朝りんごを三個食べます。一週間で何個のりんごを食べますか。",
    "小明", "請問", "7",
])  # fmt: skip
def test_other_problems_in_scripts_without_spaces_are_not_found(other):
    assert index(CHINESE, JAPANESE, STORY).find(other) is None


SHORT_CHINESE = "鸡兔同笼，共有35个头，94只脚，问鸡和兔各有几只？"


def test_short_texts_in_scripts_without_spaces_are_found_within_others():
    tests = index(SHORT_CHINESE, CHINESE)
    for copy in (SHORT_CHINESE.replace("，", " "), SHORT_CHINESE.replace("94", "90")):
        found = tests.find(f"请解答：{copy}谢谢")
        assert found is not None and found.test == SHORT_CHINESE


@pytest.mark.parametrize(
    "between",
    [
        "\u00ad",
        "\u200b",
        "\u200d",
        "\u2060",
        "\ufeff",
        "\ufe0f",
        "\u034f",
        "\u3164",
        "\u0336",
        "\U000e0041",
    ],
)
@pytest.mark.parametrize("text", [STORY, SHORT, TINY, CHINESE])
def test_characters_that_nobody_sees_hide_nothing(text, between):
    hidden = between.join(text)
    found = index(STORY, SHORT, TINY, CHINESE).find(hidden)
    assert found is not None and found.rule == "exact"
    assert index(text).find("co" + between + "py of a te" + between + "xt") is None


def test_accents_are_compared_however_they_are_written():
    text = "Le chêne a été abattu, où est passée la forêt ?"
    assert (
        words(text) == words(unicodedata.normalize("NFD", text)) != words("Le chene a ete abattu")
    )


def test_a_test_set_inside_another_counts_once():
    same = [TestText("all", STORY), TestText("part", STORY.upper()), TestText("empty", " … ")]
    assert len(Index(same, SETTINGS)) == 1


def test_without_datasketch_it_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasketch", None)
    with pytest.raises(RecipeError, match=r"deimos-llm\[decontaminate\].*near_duplicates to null"):
        index(STORY)
    assert index(STORY, near_duplicates=None).find(STORY) is not None
    assert index().find(STORY) is None, "nothing to compare with needs no package"


@given(st.text(max_size=300))
def test_any_text_is_found_in_itself_and_can_be_asked(text):
    found = index(text).find(text)
    assert (found is not None) == bool(words(text))
    TESTS.find(text)


@real
def test_the_one_problem_that_stands_in_maths_train_and_test_is_found():
    train = math(take=None, seed=0, path=str(DATA / "math"))
    test = math(take=None, seed=0, split="test", path=str(DATA / "math"))
    verbatim = {p.messages[0]["content"] for p in train} & {p.messages[0]["content"] for p in test}
    assert len(verbatim) == 1
    tests = Index((TestText("math", question_of(math, {}, p)) for p in test), SETTINGS)
    found = [(p, tests.find(question_of(math, {}, p))) for p in train]
    exact = {
        p.messages[0]["content"] for p, overlap in found if overlap and overlap.rule == "exact"
    }
    assert verbatim < exact, "and others that differ in spacing, or in a sign"
    share = sum(overlap is not None for _, overlap in found) / len(found)
    assert 0.02 < share < 0.2, "MATH's two halves have many problems with other figures in common"


@real
def test_gsm8ks_halves_hardly_overlap():
    test = gsm8k(take=None, seed=0, split="test", path=str(DATA / "gsm8k"))
    tests = Index((TestText("gsm8k", question_of(gsm8k, {}, p)) for p in test), SETTINGS)
    train = gsm8k(take=None, seed=0, path=str(DATA / "gsm8k"))
    assert sum(tests.find(question_of(gsm8k, {}, p)) is not None for p in train) <= 10
