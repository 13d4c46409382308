"""Ways to name a letter: other languages, quotes, frames, the option behind it; and what names none."""

import pytest

from deimos.graders.choice import choice

OPTIONS = ["red", "green", "blue", "black"]
IN_OTHER_LANGUAGES = [
    "Antwort: B",
    "Die Antwort ist B.",
    "Die richtige Antwort lautet (B).",
    "La respuesta es B.",
    "La respuesta correcta es la B",
    "La respuesta es la opción B.",
    "La réponse est B.",
    "Réponse : B",
    "La bonne réponse est (B).",
    "La risposta corretta è B.",
    "A resposta é B.",
    "A resposta correta é a B",
    "Resposta: **B**",
    "Ответ: B",
    "Правильный ответ — B.",
    "答案：B",
    "答案是B。",
    "所以答案是B",
    "正确答案是 (B)",
    "故选B。",
    "选B",
    "正解はBです。",
    "答えは B です",
    "정답은 B입니다.",
    "정답: B",
    "답은 B",
    "Antwoord: B",
    "Svar: B",
    "Rätt svar är B.",
    "Odpowiedź: B",
    "Prawidłowa odpowiedź to B.",
    "Cevap: B",
    "Jawaban: B",
    "Jawabannya adalah B",
    "Đáp án: B",
    "Đáp án đúng là B",
    "الإجابة: B",
    "الإجابة الصحيحة هي B",
    "उत्तर: B",
    "คำตอบคือ B",
    "Die Antwort ist „B“.",
    "La respuesta es: B) green",
    "Wir sehen, dass A nicht passt. Antwort: B",
    "Antwort: Option B",
]
FORMS = [
    "<answer>green</answer>",
    'The answer is "green"',
    "The answer is B (green).",
    "The answer is (B) (green).",
    "Answer: B (green)",
    'The answer is "B"',
    "The answer is “B”.",
    "The answer is 'B'.",
    "The answer is «B».",
    "The answer is 「B」",
    '"B"',
    "'B'",
    "“B”",
    "<answer>B</answer>",
    "<answer>(B)</answer>",
    "<answer>\nB. green\n</answer>",
    "<answer>\\boxed{B}</answer>",
    "<final_answer>B</final_answer>",
    "So it is green.\n<answer> B </answer>",
    "<answer>B",
    "B\n\nExplanation: green mixes best.",
    "(B)\nBecause.",
    "B. green\n\nA is wrong because red is not.",
    "**B**\n\nReason",
    '"B. green"',
    "The answer should be B.",
    "The answer has to be B.",
    "The answer must be B",
    "B is the answer.",
    "I choose B.",
    "I'd go with B.",
    "The answer is B green.",
    "The answer is B (not A).",
    "The answer is B (A is wrong).",
    'The answer is "B. green"',
    "The answer is B (second option).",
    '\\boxed{"B"}',
    "The answer is B - green.",
    'The answer is option "B".',
    'Option "B" is correct',
    "Answer - B",
    "A. red\nB. green\nC. blue\nD. black\n\nThe answer is B.",
    "The answer is `B`",
    "Final Answer: B (green)",
    "[B]",
    "<choice>B</choice>",
    "<ANSWER>B</ANSWER>",
    "The answer is B (I think).",
    "B (green)",
    "**B (green)**",
    "(B) green",
    "Answer：B",
    "Final answer - (B)",
    "ANSWER: B",
    "The correct answer is: **B**",
    "Correct option: B",
    "Correct choice: (B)",
    "The best answer would be B",
    "Hence, option B.\nOption B.",
    "B - green",
    "B – green.",
    "[B] green",
    "[[B]]",
    '{"answer": "B"}',
    "{'answer': 'B'}",
    "<ans>B</ans>",
    "<result>(B)</result>",
    "\\boxed{\\text{B (green)}}",
    "\\boxed{B - green}",
    "<answer>B (green)</answer>",
    "<answer>B - green</answer>",
    "B\n\nExplanation:\nA. red is too warm.\nB. green mixes.\nC. blue is cold.",
    "B.\nExplanation: A is wrong, C would be black.",
    "Option B\n\nReason.",
    "**B. green**\n\nBecause A is red.",
    "B\n\nThe answer is not A.",
    "(B) green\n\nblah",
    "Answer: (B)\n\nA. red: no",
    'answer: "B"',
    'The answer is: "B".',
    'The answer is "(B)".',
    "La réponse est « B ».",
    "Die Antwort ist „B“ (green).",
    "答案：“B”",
    "答案是（B）",
    "答案：B（green）",
    "答案: B. green",
    "답: (B)",
    "Réponse finale : B",
    "Réponse: B) green",
    "Respuesta final: B",
    "Respuesta: (B) green",
    "The answer is B: green",
    "The answer is B, green.",
]
NOT_SAID_IN_OTHER_LANGUAGES = [
    "Antwort: C",
    "Die Antwort ist nicht B.",
    "Antwort: B oder C",
    "Antwort: B, C",
    "La respuesta no es B.",
    "La réponse n'est pas B.",
    "答案不是B",
    "如果答案是B",
    "是否答案是B",
    "答案是B吗",
    "答案是B或C",
    "答えはBではない",
    "정답은 B가 아니다",
    "Wenn die Antwort B ist",
    "Si la respuesta es B, entonces",
    "Если ответ B",
    "Ist die Antwort B?",
    "Antwort: B?",
    "La respuesta es un triángulo",
    "Antwort: grün",
    "正解はBですか？",
    "答案可能是B",
    "La respuesta es B o C",
    "La respuesta es B y C",
    "Nicht die Antwort: B ist falsch",
]
NOT_SAID = [
    "The answer is B (red).",
    "The answer is C (not B).",
    "The answer is B (or C).",
    "<answer>C</answer>",
    "<answer>B</answer> <answer>C</answer>",
    "<answer>B or C</answer>",
    "<answer>B, C</answer>",
    "B\n\nWait, actually C.",
    "B\n\nThe answer is C.",
    "The answer should not be B.",
    "The answer might be B.",
    "The answer could be B.",
    '"A" or "B"',
    'The answer is "A" or "B"',
    "A. red\nB. green\nC. blue",
    "The answer is B (red) green",
    "B is not the answer.",
    "B\n\nActually, B is wrong.",
    "If I choose B, it fails.",
    "I would not choose B.",
    "The answer is B?",
    'The answer is not "B"',
    "green",
    "green?",
    "green or blue",
    "A\nB\nC\nD",
    "B\nC",
    "Options: A (red), B (green)",
    "B (red)",
    'It is not true that the answer is "B".',
    "<answer>not B</answer>",
    "\\boxed{A - B}",
    "\\boxed{B - A}",
    "A. red\nB. green\nC. blue\nD. black",
    "A\nred\nB\ngreen\nC\nblue",
    '{"answer": "C"}',
    '{"answer": "B", "alternative": "the answer is C"}',
    "<answer>B</answer>\nThe answer is C.",
    "B - red",
    "B (red)\n\nBecause",
    "[B] red",
    "\\boxed{B (red)}",
    "<answer>B or maybe C</answer>",
    "答案：“C”",
    "答案不是“B”",
    'The answer is not "B".',
    "B or C",
    "B?",
    "Antwort: B?",
    "B\n\nNo, the answer is C.",
    "Is it B?\n\nNo.",
]


def verdict(answer, letter="B", options=OPTIONS):
    return choice(answer, {"letter": letter, "options": options}).ok


@pytest.mark.parametrize("answer", [*IN_OTHER_LANGUAGES, *FORMS])
def test_the_letter_is_named(answer):
    assert verdict(answer) is True
    assert verdict(answer, "D") is False


@pytest.mark.parametrize("answer", [*NOT_SAID_IN_OTHER_LANGUAGES, *NOT_SAID])
def test_no_letter_or_another_one_or_two(answer):
    assert verdict(answer) is False


@pytest.mark.parametrize(
    "answer", ["Antwort: 2", "La respuesta es 2.", "<answer>2</answer>", '"2"', "2 (20)", "答案是2"]
)
def test_digits_in_the_same_forms(answer):
    assert verdict(answer, "2", ["10", "20", "30"]) is True


@pytest.mark.parametrize("answer", ["Antwort: 2,5", "Antwort: 20", "The answer is 2 (30)"])
def test_digits_that_are_no_label_or_another_option(answer):
    assert verdict(answer, "2", ["10", "20", "30"]) is False


def test_a_long_option_behind_its_letter():
    long = "a mixture of two colours that " + "really " * 25 + "shines"
    assert verdict(f"The answer is B ({long}).", options=["red", long, "blue"]) is True
    assert verdict(f"The answer is B ({long}).", options=["red", "blue", long]) is False


def test_hostile_texts_are_scanned_at_once():
    for piece in ("<answer>", "Antwort ist ", "B (", 'answer is "B ', "答案是B (", "B is not "):
        assert verdict(piece * (100_000 // len(piece))) in (True, False)


@pytest.mark.parametrize(
    ("answer", "options"),
    [
        ('(B) "Great Hero"', ['"Monk"', '"Great Hero"', '"Ascetic"']),
        ("(B) (– 4, –2)", ["(2, 2)", "(– 4, –2)", "(0, 3)"]),
        ("B. 37°21'", ["38°00'", "37°21'", "36°45'"]),
        ("(B) (a)", ["both", "(a)", "none"]),
        ("B) passing “the torch.”", ["a war", "passing “the torch.”", "a peace"]),
        ("(B) (5/2)Nk ln (V)", ["(3/2)Nk ln (V)", "(5/2)Nk ln (V)", "Nk"]),
        ('"B (green)"', ["red", "green", "blue"]),
    ],
)
def test_an_options_own_quotes_and_brackets_are_its_words(answer, options):
    assert verdict(answer, options=options) is True
    assert verdict(answer, options=[options[1], options[0], options[2]]) is False


@pytest.mark.parametrize("answer", ["Respuesta: A o B", "Risposta: A o B", "Resposta: A ou B"])
def test_a_letter_is_no_article(answer):
    assert verdict(answer) is False and verdict(answer, "A") is False
