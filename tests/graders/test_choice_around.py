"""What stands around a letter: claims the text calls errors, takes back, doubles or makes of another question."""

import pytest

from deimos.graders.choice import choice

PLANTS = ["Photosynthesis", "Cellular respiration", "Fermentation", "Osmosis"]
VITAMINS = ["vitamin A", "vitamin B", "vitamin C", "vitamin D"]
SYMBOLS = ["vitamin (A)", "vitamin (B)", "field (C)", "field (D)"]
PRICES = ["$5", "$10", "$20", "$40"]

CALLED_AN_ERROR = [
    "A common mistake is to think the answer is B.",
    "A frequent error is saying the answer is B.",
    "The trap is to believe that the answer is B.",
    "It is a mistake to say the answer is B.",
    "Students wrongly say that the answer is B.",
    "One mistake people make is to assume that the answer is B.",
    "The misconception that the answer is B is old.",
    "The error would be to conclude that the correct answer is B.",
    "A classic trap: the answer is B.",
    "Common mistake:\nThe answer is B.",
    "Beginners mistakenly conclude that the answer is B.",
    "It is an error to claim that the answer is B.",
    "A typical mistake: B is correct.",
    "The answer is B, a common misconception.",
    "The answer is B, which is wrong.",
    "The final answer is B. But this contradicts the condition.",
    "The answer is B, a typical mistake.",
    "The answer is B (a common error).",
    "The answer is B, one of the classic traps.",
    "The answer is B, but that is a mistake.",
    "The answer is B. This is a common mistake.",
    "The answer is B, which is incorrect because plants do it.",
    "The answer is B; however, this violates the premise.",
    "The answer is B, but it does not fit the data.",
    "The answer is B. Yet this makes no sense.",
    "The answer is B, or so many believe.",
    "The answer is B, as most people think.",
    "The answer is B. However, this cannot be right.",
    "So it is B, a common mistake.",
    "Option B is correct, a common misconception.",
    "B is correct, but this contradicts the premise.",
    "I choose B, which is wrong.",
    "\\boxed{B}, a common misconception.",
    "Answer: (B) is what most people would pick.",
    "The answer is B (Cellular respiration), a common mistake.",
    "The answer is B. Cellular respiration. But this contradicts the text.",
]
REPLACED = [
    "The answer is B.\n\nCorrected answer: D",
    "The answer is B.\n\nEdit: D",
    "The answer is B, but it could be D.",
    "Answer: (B) is what most people would pick, but it's (D).",
    "The answer is B... or D?",
    "The answer is B.\n\nRevised answer: D",
    "The answer is B.\n\n**Correction:** D",
    "The answer is B.\n\nUpdate: (D)",
    "\\boxed{B}\n\nEdit: D",
    "B\n\nEdit: D",
    "The answer is B.\n\nNew answer: D.",
    "The answer is B.\n\nCorrected answer: \\boxed{D}",
    "The answer is B, but it might also be D.",
    "The answer is B. It could be D.",
    "The answer is B, or it could be D.",
    "The answer is B, but the correct answer could be D.",
    "The answer is B, but it's actually D.",
    "The answer is B, but D could be right.",
    "The answer is B, otherwise D.",
    "The answer is B, or maybe even D.",
    "The answer is B; alternatively, D.",
    "\\boxed{B} or D.",
    "Option B is correct, or perhaps D.",
]
TWO = [
    "The answer is B and also D.",
    "The answer is B as well as D.",
    "The answer is B; D is also correct.",
    "The answer is B, together with D.",
    "The answer is B plus D.",
    "The answer is (B), along with (D).",
    "The answer is B. D is equally correct.",
    "The answer is B. D is correct, too.",
    "The answer is B. Also D.",
    "The answer is B, and so is D.",
    "The answer is B because it releases energy, whatever plants do. D would also be correct.",
    "So it is B, as well as D.",
    "The answer is B (Cellular respiration) and also D.",
    "\\boxed{B}\nD also fits.",
    "The answer is B, and D are both correct.",
]
ANOTHER_CASE = [
    "If the question asked about plants, the answer would be B.",
    "Had the question asked about plants, the answer would be B.",
    "For question 3 the answer is B; for this one I cannot say.",
    "Unless the question has a typo, where the answer would be B, it is D.",
    "In the other version of this quiz the correct answer is B.",
    "Example: the answer is B.",
    "If they had asked about animals, the answer would be B.",
    "Were the question about animals, the answer would be B.",
    "If the cell were an animal's, then the answer would be B.",
    "The answer would be B if the question asked about animals.",
    "Otherwise the answer would be B.",
    "If it were about animals instead, the correct option would be B.",
    "In a different question the answer is B.",
    "On the previous quiz, the answer was C; in another version the answer is B.",
    "For example: the answer is B.",
    "An example:\nThe answer is B.",
    "Format: the answer is B.",
    "Example: B is correct.",
    "For problem 2, the answer is B, but for this question I don't know.",
    "The answer is B for someone else. I can't tell.",
]
STANDS = [
    "Without a mistake, the answer is B.",
    "The error is in option A, so the answer is B.",
    "There is no error in B: the answer is B.",
    "A common mistake is to choose A, but the answer is B.",
    "A common mistake is to think the answer is A. The answer is B.",
    "The answer is B. A common mistake is to choose A.",
    "The answer is B. It is a common mistake to choose A.",
    "The answer is B, and A is wrong.",
    "The answer is B, and A, C and D are wrong.",
    "The answer is B. Also, A and C are wrong.",
    "The answer is B. A, C and D are wrong.",
    "The answer is B, but A is close.",
    "The answer is B, but C is a common distractor.",
    "The answer is B, since A and C are not possible.",
    "The answer is B, which releases energy.",
    "The answer is B, a process by which cells release energy.",
    "The answer is B, not C or D.",
    "The answer is B rather than D.",
    "The answer is B. It could be D at first sight, but D has no oxygen.",
    "At first it could be D, but the answer is B.",
    "The answer is B. D is also true, but it is not what is asked.",
    "The answer is B. But this does not mean that D is useless.",
    "The answer is B. However, D is often chosen.",
    "The answer is B. Some people say that plants breathe.",
    "The answer is B. Many would choose D.",
    "If we compare the options, the best answer would be B.",
    "If A is wrong and C is wrong, the answer is B.",
    "If you add heat, the cell respires, so the answer would be B.",
    "Unless I am mistaken, the answer is B.",
    "Unlike in the previous question, the answer is B.",
    "In this question the answer is B.",
    "For this question the answer is B.",
    "For question 3, the answer is B.",
    "The answer is B, the best choice for this question.",
    "For example, plants use light. The answer is B.",
    "The answer is B. I cannot say that A is useless.",
    "The answer is B. For example, D is about water.",
    "The answer is B and it is not D.",
    "The answer is B. And that is it.",
    "The answer is A.\n\nCorrected answer: B",
    "The answer is A.\n\nEdit: B",
    "The answer is A, a common misconception. The correct answer is B.",
    "The answer is B.\n\nConfidence: high",
    "The answer is B. I was also thinking of D.",
    "The answer is B. Or so I hope, because D is close.",
    "People wrongly choose A, but the answer is B.",
    "Correctly, the answer is B.",
]
TEXT_FIRST = [
    "The answer is Cellular respiration (B).",
    'The answer is "Cellular respiration" (B).',
    "The answer is cellular respiration, which is option B.",
    "The correct answer is: Cellular respiration (Option B).",
    "**Answer:** Cellular respiration (B)",
    "The answer is **cellular respiration (B)**.",
    "The answer is the process of cellular respiration (B).",
    "The answer is respiration [B].",
    "The answer is cellular respiration, option B.",
    "The answer is cellular respiration, so B.",
    "The answer is cellular respiration - option B.",
    "The correct option is cellular respiration (B), because it releases energy.",
    "Die Antwort ist Cellular respiration (B).",
    "Because cells burn sugar.\n\nCellular respiration (B)",
    "Therefore, the answer is cellular respiration, that is, option B.",
]
PLAINLY = [
    "#### B",
    "Sugar is burnt.\n#### B",
    "Ans: B",
    "Ans. (B)",
    "Ans. B",
    "Ans is B.",
    "B, because it releases energy.",
    "B because it releases energy.",
    "(B), since sugar is burnt.",
    "Option B, because sugar is burnt.",
    "B, as A, C and D need no oxygen.",
    "The only option that fits is B.",
    "The only answer that makes sense here is (B).",
    "The only one that matches the data in the table is option B.",
    "So the only remaining option is B.",
    "The only choice left is B.",
    "The only plausible option is B, since oxygen is used.",
    "Only B is correct.",
    "Only option B fits the description.",
    "So only (B) works.",
    "Thus only B remains.",
    "B is the only option that fits.",
    "B is the only one left.",
    "After eliminating A, C and D, we are left with B.",
    "A, C and D are out, which leaves us with B.",
    "That leaves option B.",
    "A, C and D need no oxygen, leaving only B.",
    "So we're left with (B).",
    "Of these, option B is the most accurate.",
    "B is the most likely answer.",
    "Of the four, B is the best match.",
    "Option B seems the most plausible.",
    "So (B) is the most appropriate choice.",
    "正确答案不是C，而是B。",
    "本题选择B选项。",
    "B选项正确。",
    "答案不是A，应该是B。",
    "不是C而是B。",
    "此题应选B。",
    "综上，选择B。",
    "因此B选项是正确的。",
    "选项B是正确的。",
    "这题选B。",
    "Nicht A, sondern B.",
    "Die Antwort ist nicht A, sondern B.",
    "La respuesta no es A, sino B.",
    "La réponse n'est pas A mais B.",
    "La risposta non è A, ma B.",
]
NOT_PLAINLY = [
    "The answer is not cellular respiration (B).",
    "The answer is A (not B).",
    "The answer is osmosis (B).",
    "The answer is osmosis, which is option B.",
    "The answer is anything but cellular respiration (B).",
    "The answer is neither osmosis nor cellular respiration (B).",
    "The answer is cellular respiration (B) or osmosis (D).",
    "The answer is cellular respiration.",
    "The answer is cellular respiration (B)?",
    "Die Antwort ist nicht Cellular respiration (B).",
    "Osmosis (B)",
    "#### D",
    "#### A\nno\n#### B\nno\n#### C\nno",
    "Ans: D",
    "Ans: not B",
    "B, because it releases energy, is wrong.",
    "B, because it releases energy?",
    "B, as many think, is wrong.",
    "A, because it uses light.",
    "The only option that does not fit is B.",
    "The only option that is wrong is B.",
    "The option that students choose is B.",
    "The only option that students choose is B.",
    "It is not true that the only option that fits is B.",
    "If the only option that fits is B, then we are done.",
    "Not only B is correct.",
    "If only B is correct, fine.",
    "Only B is wrong.",
    "Only B and D are correct.",
    "Only B fits, but it is not asked for.",
    "We are left with B or D.",
    "We are left with B and D.",
    "That leaves B and D.",
    "We are not left with B.",
    "Of these, option B is the most common mistake.",
    "Option B is the most tempting.",
    "Option B is the least accurate.",
    "Option B is not the most accurate.",
    "Is option B the most accurate?",
    "正确答案不是B，而是C。",
    "本题不选B。",
    "本题容易误选B。",
    "很多同学会选B。",
    "很多人认为本题选B。",
    "如果本题选择B选项。",
    "B选项不正确。",
    "B选项错误。",
    "D选项正确。",
    "不是B。",
    "Nicht B, sondern D.",
    "La respuesta no es B, sino D.",
]


def right(answer, letter="B", options=PLANTS):
    return choice(answer, {"letter": letter, "options": options}).ok


@pytest.mark.parametrize("answer", [*CALLED_AN_ERROR, *REPLACED, *TWO, *ANOTHER_CASE, *NOT_PLAINLY])
def test_the_letter_does_not_stand(answer):
    assert right(answer) is False


@pytest.mark.parametrize("answer", [*STANDS, *TEXT_FIRST, *PLAINLY])
def test_the_letter_stands(answer):
    assert right(answer) is True
    assert right(answer, "D") is False


def test_a_text_before_the_letter_must_be_its_options():
    assert right("The answer is $10 (B).", options=PRICES) is True
    assert right("The answer is 10.00 (B).") is True
    assert right("The answer is $20 (B).", options=PRICES) is False
    assert right("The answer is vitamin (B).", options=VITAMINS) is False
    assert right("The answer is vitamin B (B).", options=VITAMINS) is True
    assert right("The answer is vitamin (B).", options=SYMBOLS) is False
    assert right("The answer is vitamin (B).") is False


def test_an_option_that_is_called_an_error_is_its_own_text():
    options = ["a guess", "a common mistake", "a rule", "a law"]
    assert right("The answer is B, a common mistake.", options=options) is True
    assert right("The answer is B (a common mistake).", options=options) is True


def test_hostile_texts_around_letters_are_scanned_at_once():
    pieces = (
        "The answer is B, a common ", "the only option that fits ", "B, because ", "B is also ", "if were had ", "mistake is to think ",
        "The answer is B and also ", "we are left with ", "不是A", "Edit: ", "The answer is cellular respiration (", "B is the most ", "only B fits a ",
        "example: ", "#### ", "mistake in ", "\n", ": \n", "and or also ", "The answer is B. ", "B\n", "which is ", "nicht A, ", "选择",
    )  # fmt: skip
    for piece in pieces:
        assert right(piece * (100_000 // len(piece))) in (True, False)
