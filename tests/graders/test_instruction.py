"""lm-eval's IFEval rules: each right and wrong, offline, and the same verdict every time."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deimos import Prompt
from deimos.cli.grading import grade_rows
from deimos.graders import Judge, check, ifeval
from deimos.graders.ifeval_arguments import ARGUMENTS, check_rules
from deimos.graders.ifeval_arguments import LANGUAGES as KNOWN_LANGUAGES
from deimos.graders.instruction import check_reference, instruction
from deimos.thinking import Tags

CASES = [json.loads(line) for line in (Path(__file__).parent / "data/ifeval_cases.jsonl").open()]
AMBIGUOUS = "Une information importante"
"""French; to langdetect, unseeded, Italian or English from one call to the next."""
LANGUAGES = ["it"]


def reference(*rules):
    return {
        "instruction_id_list": [name for name, _ in rules],
        "kwargs": [kwargs for _, kwargs in rules],
    }


def of(case):
    return reference((case["rule"], case["kwargs"]))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["rule"].partition(":")[2])
def test_each_rule_takes_a_right_answer_and_refuses_a_wrong_one(case):
    assert instruction(case["right"], of(case)).ok is True
    told = instruction(case["wrong"], of(case))
    assert told.ok is False
    assert case["rule"] in told.because


def test_every_rule_has_a_case():
    assert {case["rule"] for case in CASES} == set(ifeval.registry().INSTRUCTION_DICT)
    assert len(ifeval.registry().INSTRUCTION_DICT) == 25


def test_the_table_of_arguments_is_lm_eval_s():
    from lm_eval.tasks.ifeval import instructions_util

    for name, rule in ifeval.registry().INSTRUCTION_DICT.items():
        assert set(rule(name).get_instruction_args_keys()) == set(ARGUMENTS[name]), name
    assert set(instructions_util.LANGUAGE_CODES) == set(KNOWN_LANGUAGES)


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("length_constraints:number_words", {"num_words": 4.0, "relation": "at least"}),
        ("length_constraints:number_sentences", {"num_sentences": 1.0, "relation": "at least"}),
        ("keywords:letter_frequency", {"letter": "o", "let_frequency": 2.0, "let_relation": "at least"}),
        ("length_constraints:number_paragraphs", {"num_paragraphs": 1.0}),
        ("length_constraints:nth_paragraph_first_word", {"num_paragraphs": 1.0, "nth_paragraph": 1.0, "first_word": "one"}),
    ],
)  # fmt: skip
def test_a_whole_number_may_be_a_float(name, kwargs):
    assert instruction("one two three four", reference((name, kwargs))).ok is True


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([("punctuation:no_colon", {})], "no such rule: 'punctuation:no_colon'"),
        ([("no_comma", {})], "no such rule"),
        ([("length_constraints:number_words", {"num_words": 2.5, "relation": "at least"})], "accepted: a whole number"),
        ([("length_constraints:number_words", {"num_words": True, "relation": "at least"})], "accepted: a whole number"),
        ([("length_constraints:number_words", {"num_words": 0, "relation": "less than"})], "no answer has less than 0"),
        ([("length_constraints:number_sentences", {"num_sentences": 1, "relation": "less than"})], "no answer has less than 1"),
        ([("length_constraints:number_paragraphs", {"num_paragraphs": 0})], "accepted: a whole number from 1"),
        ([("keywords:existence", {"keywords": "sun"})], "accepted: a list of texts"),
        ([("keywords:forbidden_words", {"forbidden_words": [3]})], "accepted: a text that is not blank"),
        ([("startend:end_checker", {"end_phrase": " "})], "accepted: a text that is not blank"),
        ([("punctuation:no_comma", {"num_words": 3})], "has no argument 'num_words'"),
        ([("change_case:english_capital", {}), ("change_case:english_lowercase", {})], "no answer follows both"),
        ([("keywords:existence", {"keywords": ["Sun"]}), ("keywords:forbidden_words", {"forbidden_words": ["sun"]})], "no answer can have"),
        ([], "has no rules"),
    ],
)  # fmt: skip
def test_references_that_no_answer_could_meet(rules, said):
    with pytest.raises(ValueError, match=said):
        check_reference(reference(*rules))


def test_all_rules_are_required_and_the_loose_reading_only_told():
    rules = reference(("punctuation:no_comma", {}), ("startend:quotation", {}))
    assert instruction('"No sign here"', rules).because == "follows all 2 rules"
    told = instruction('Sure, here it is:\n"No sign here"', rules)
    assert told.ok is False
    assert told.because == (
        "breaks punctuation:no_comma, startend:quotation (loosely, it follows all)"
    )
    told = instruction('"One, two"', rules)
    assert told.because == "breaks punctuation:no_comma (loosely, too: punctuation:no_comma)"
    assert instruction("", rules).ok is instruction(" \n", rules).ok is False


def test_strict_and_loose_are_told_rule_by_rule():
    told = ifeval.follows(
        "Sure:\n*a* b", ["startend:end_checker"] * 2, [{"end_phrase": "b"}, {"end_phrase": "a b"}]
    )
    assert told == ((True, False), (True, True))


def test_null_arguments_count_as_not_given():
    rules = reference(("punctuation:no_comma", {"num_words": None, "keywords": None}))
    assert instruction("None here.", rules).ok is True


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("punctuation:no_colon", {}),
        ("length_constraints:number_words", {"num_words": 4}),
        ("length_constraints:number_words", {"num_words": -1, "relation": "at least"}),
        ("length_constraints:number_words", {"num_words": "4", "relation": "at least"}),
        ("length_constraints:number_words", {"num_words": 4, "relation": "at most"}),
        ("length_constraints:number_words", {"words": 4}),
        ("length_constraints:nth_paragraph_first_word", {"num_paragraphs": 2, "nth_paragraph": 3, "first_word": "a"}),
        ("keywords:existence", {"keywords": []}),
        ("keywords:letter_frequency", {"letter": "ab", "let_frequency": 1, "let_relation": "at least"}),
        ("language:response_language", {"language": "klingon"}),
        ("combination:repeat_prompt", {}),
    ],
)  # fmt: skip
def test_a_reference_that_leaves_open_what_it_asks_is_null_every_time(name, kwargs):
    """lm-eval draws what is missing at random: the same answer would be right now and wrong then."""
    for _ in range(5):
        assert instruction("one two three four", reference((name, kwargs))).ok is None
    with pytest.raises(ValueError):
        check_rules([name], [kwargs])


def test_a_reference_without_rules_or_with_too_few_arguments_is_null():
    assert instruction("a", reference()).ok is None
    assert (
        instruction("a", {"instruction_id_list": ["punctuation:no_comma"], "kwargs": []}).ok is None
    )


def test_a_threshold_of_nothing_is_a_threshold():
    rules = reference(("length_constraints:number_words", {"num_words": 0, "relation": "at least"}))
    assert {instruction("one", rules).ok for _ in range(20)} == {True}


REPEATED = """
import sys, hashlib, json
from deimos.graders import ifeval
text, languages = json.loads(sys.argv[1])
told = [ifeval.follows(text, ["language:response_language"] * len(languages),
                       [{"language": one} for one in languages]) for _ in range(60)]
print(len(set(told)), json.dumps(told[0]))
"""


def test_verdicts_are_the_same_over_repeats_and_processes():
    said = set()
    for seed in ("0", "77"):
        source = str(Path(ifeval.__file__).parents[2])
        done = subprocess.run(
            [sys.executable, "-c", REPEATED, json.dumps([AMBIGUOUS, LANGUAGES])],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": source},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        said.add(done.stdout)
    assert len(said) == 1
    assert said.pop().startswith("1 ")


def test_the_ambiguous_text_is_ambiguous():
    """Else the test above shows nothing: other seeds call it another language."""
    from langdetect import detector_factory

    ifeval.registry()
    factory = detector_factory._factory
    found = set()
    for seed in range(40):
        detector = factory.create()
        detector.seed = seed
        detector.append(AMBIGUOUS)
        found.add(detector.detect())
    assert len(found) > 1
    assert detector_factory.DetectorFactory.seed == 0
    assert factory.langlist == sorted(factory.langlist)


def test_a_sentence_model_that_is_there_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NLTK_DATA", str(tmp_path / "data"))
    bare = ifeval.sentences()
    (tmp_path / "data/tokenizers/punkt_tab/english").mkdir(parents=True)
    assert ifeval.sentences() == ifeval.MODEL_SENTENCES
    assert bare in (ifeval.MODEL_SENTENCES, ifeval.DEFAULT_SENTENCES)


WITH_MODEL = """
from deimos.graders import ifeval
rules = ["length_constraints:number_sentences"]
print(ifeval.follows("He met approx. Ten men. Bye.", rules, [{"num_sentences": 3, "relation": "less than"}]).strict)
import nltk.data
print([place for place in nltk.data.path if "deimos-nltk" in place])
"""


@pytest.mark.parametrize(("abbreviations", "few"), [("", False), ("approx\n", True)])
def test_the_sentence_model_decides_what_a_sentence_is(tmp_path, abbreviations, few):
    model = tmp_path / "tokenizers/punkt_tab/english"
    model.mkdir(parents=True)
    for name in ("collocations.tab", "sent_starters.txt", "ortho_context.tab"):
        (model / name).touch()
    (model / "abbrev_types.txt").write_text(abbreviations)
    done = subprocess.run(
        [sys.executable, "-c", WITH_MODEL],
        env={**os.environ, "NLTK_DATA": str(tmp_path), "PYTHONPATH": str(Path(ifeval.__file__).parents[2])},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split("\n")[:2] == [f"({few},)", "[]"]


def test_workers_judge_it_and_the_thought_is_never_seen():
    rules = reference(("punctuation:no_comma", {}), ("change_case:english_lowercase", {}))
    text = (
        "<think>\nHmm, NO CAPITALS, they say.\n</think>\n\nthe river runs slowly to the sea today."
    )
    rows = [
        {"text": text, "reference": rules},
        {"text": text.replace("slowly", "slowly,"), "reference": rules},
        {"text": text.partition("</think>")[0], "reference": rules},
    ]
    judged = grade_rows([json.dumps(row).encode() for row in rows], kind="instruction", tags=Tags())
    assert [row["verdict"]["ok"] for row in judged] == [True, False, False]


def test_its_own_examples_pass_and_others_do_not():
    assert instruction.examples and check("instruction", "instruction").ok


def test_naming_the_grader_loads_no_rules():
    code = (
        "import sys; from deimos.registry import resolve; resolve('grader', 'instruction')\n"
        "print([m for m in ('nltk', 'lm_eval', 'langdetect') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(ifeval.__file__).parents[2])},
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


DATA = Path(__file__).parents[2].parent / "shared" / "data" / "ifeval" / "input_data.jsonl"


@pytest.mark.skipif(not DATA.is_file(), reason="the real data is not here (../shared/data/ifeval)")
def test_every_real_prompt_can_be_judged_and_none_of_its_verdicts_is_drawn():
    rows = [json.loads(line) for line in DATA.open()]
    prompts = [
        Prompt.of(
            task="ifeval", kind="instruction", messages=[],
            reference={key: row[key] for key in ("instruction_id_list", "kwargs")},
        )
        for row in rows
    ]  # fmt: skip
    text = "a little text, about nothing: it ends here. A second sentence!"
    with Judge({"instruction": "instruction"}, workers=2) as judge:
        twice = [
            [judge.submit("instruction", text, p.reference) for p in prompts] for _ in range(2)
        ]
        told = [[future.result() for future in one] for one in twice]
    assert told[0] == told[1]
    assert None not in {verdict.ok for verdict in told[0]}
    digest = hashlib.sha256(repr([v.ok for v in told[0]]).encode()).hexdigest()
    assert len(digest) == 64 and 0 < sum(v.ok for v in told[0]) < len(prompts)
