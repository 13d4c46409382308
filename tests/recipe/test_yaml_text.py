"""YAML of recipes: every value means what it looks like, every key stands once."""

import pytest
import yaml
from transformers import get_scheduler

from deimos.recipe import RecipeError, apply_set, load, parse, read_yaml, write_yaml
from deimos.recipe.model import SchedulerName

LEAST = {"name": "r", "model": {"id": "m"}, "prompts": {"sources": [{"source": "lab"}]}}
LEAST_TEXT = "name: r\nmodel: {id: m}\nprompts:\n  sources: [{source: lab}]\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4), (".5e3", 500.0), ("-3", -3), ("+2", 2), ("0", 0), ("1.", 1.0), ("3.0e-5", 3e-5),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None), ("x:", {"x": None}),
        ("yes", "yes"), ("off", "off"), ("2024-01-01", "2024-01-01"), ("'010'", "010"),
        ("!!str 010", "010"), ("0x1fg", "0x1fg"), ("on: 1", {"on": 1}), ("localhost:80", "localhost:80"),
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ("a: &x {b: 1}\nc: {b: 3, <<: [*x, {b: 4, e: 5}]}", {"a": {"b": 1}, "c": {"b": 3, "e": 5}}),
    ],
)  # fmt: skip
def test_what_a_value_means(text, value):
    found = read_yaml(text, "it")
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    "text", ["010", "-012", "0o17", "0x10", "0b11", "1_000", "1:00", "190:20:30.15", "00"]
)
def test_numbers_that_readers_of_yaml_take_differently_are_refused(text):
    with pytest.raises(RecipeError, match=r"^it: line 2, a\.b: .* read as different numbers"):
        read_yaml(f"a:\n  b: {text}", "it")


def test_integers_of_any_length_that_python_reads_are_whole_numbers():
    assert read_yaml(f"a: {'9' * 400}", "it") == {"a": int("9" * 400)}
    with pytest.raises(RecipeError, match=r"line 1, a: 9{20}…, a number of 5,000 digits"):
        read_yaml(f"a: {'9' * 5000}", "it")


@pytest.mark.parametrize("text", [".inf", "-.Inf", ".nan", "1e999"])
def test_numbers_are_finite(text):
    with pytest.raises(RecipeError, match=r"line 1, a: .* not a finite number"):
        read_yaml(f"a: {text}", "it")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\nb: 2\na: 3", "it: the key 'a' stands twice, on lines 1 and 3: keep one of them"),
        ("x:\n  - {}\n  - y: 1\n    z: 2\n    y: 3", "the key 'x.1.y' stands twice, on lines 3 and 5"),
        ("{a: 1, a: 1}", "the key 'a' stands twice, on lines 1 and 1"),
        ("a: &x [*x]", "line 1, a.0: an alias inside the value that it stands for"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("{a: " * 150 + "1" + "}" * 150, "nested too deeply"),
        ("a: !!python/object:os.system x", "the tag 'tag:yaml.org,2002:python/object:os.system'"),
        ("a: !mine x", "line 1, a: the tag '!mine' is not accepted"),
        ('a: "x \\ud800"', "line 1, a: 'x \\ud800', half a surrogate pair: no character"),
        ("? [a]\n: 1", "a list or a mapping as a key"),
        ("a: {<<: 3}", "line 1, a: << with something else than mappings"),
        ("a: 1\n---\nb: 2", "not valid YAML, line 2"),
    ],
)  # fmt: skip
def test_what_is_refused_is_one_sentence(text, sentence):
    with pytest.raises(RecipeError) as fault:
        read_yaml(text, "it")
    assert sentence in str(fault.value) and "\n" not in str(fault.value)


def test_aliases_that_expand_without_end_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(RecipeError, match="more than 100,000 values"):
        read_yaml("\n".join(lines), "it")


@pytest.mark.parametrize(
    "text", ["1e-4", "010", "yes", "2024-01-01", "null", "1:00", "0o7", "x", "", ".5e3", "1_0", "~"]
)
def test_what_is_written_is_read_back_with_its_type(text):
    data = {"a": [text, 1e-05, 3, True, None, {text: text}]}
    assert read_yaml(write_yaml(data), "it") == data


def test_a_recipe_is_written_as_it_always_was():
    data = {**LEAST, "train": {"learning_rate": 3e-5, "epochs": 1}, "note": "a × b"}
    assert write_yaml(data) == yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def test_a_recipe_file_names_itself_the_key_and_both_lines(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(LEAST_TEXT + "train:\n  epochs: 1\n  seed: 2\n  epochs: 3\n")
    with pytest.raises(
        RecipeError, match=r"r.yaml': the key 'train.epochs' stands twice, on lines 6 and 8"
    ):
        load(path)  # fmt: skip
    path.write_text(LEAST_TEXT + "train: {learning_rate: 1e-4, lora: {r: 8}}\n")
    assert load(path)[0].train.learning_rate == 1e-4


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        ("train={epochs: 1, epochs: 2}", "--set train: the key 'epochs' stands twice"),
        ("train.lora.r=010", "--set train.lora.r: line 1: '010' is read as different numbers"),
        ("train.epochs=1:00", "--set train.epochs: line 1: '1:00' is read as different numbers"),
        ("sample.n=true", "sample.n = true: must be a whole number, or a rule like"),
        ("sample.n=8.0", "sample.n = 8.0: must be a whole number, or a rule like"),
        ("sample.probe=true", "sample.probe = true: must be a whole number"),
        ("sample.exhaustive=yes", "sample.exhaustive = 'yes': must be true or false"),
        ("sample.exhaustive=1", "sample.exhaustive = 1: must be true or false"),
        ("sample.seed=-1", "sample.seed = -1: must be at least 0"),
        ("train.learning_rate='1e-4'", "train.learning_rate = '1e-4': must be a number, without quotes"),
        ("train.learning_rate=false", "train.learning_rate = false: must be a number"),
        ("train.epochs=null", "train.epochs = null: must be a number"),
        ("train.scheduler=cosin", "train.scheduler = 'cosin': must be one of linear, cosine, cosine_wi"),
        ("train.scheduler=cosin", "(did you mean 'cosine'?)"),
        ("train.dtype=bf16", "train.dtype = 'bf16': must be one of float32, bfloat16"),
        ("model.dtype=float16x", "(did you mean 'float16'?)"),
        ("model.id=null", "model.id = null: must be text"),
        ("model.id=12", "model.id = 12: must be text: put it in quotes"),
        ("model.id=", "model.id = null: must be text"),
        ("model.id=''", "model.id = '': must be text that is not empty"),
        ("train.lora.target_modules=[]", "train.lora.target_modules = []: must have at least 1 item"),
        ("train.lora.target_modules=q_proj", "train.lora.target_modules = 'q_proj': must be a list"),
        ("train.lora.target_modules=[3]", "train.lora.target_modules.0 = 3: must be text"),
        ("train.lora.r=1.5", "train.lora.r = 1.5: must be a whole number"),
        ("select.policy=mediann", "select.policy = 'mediann': must be shortest, median or quantile:Q"),
        ("select.policy=mediann", "(did you mean 'median'?)"),
        ("select.policy=quantile:2", "select.policy = 'quantile:2': must be shortest, median"),
        ("select.policy=quantile:nan", "select.policy = 'quantile:nan': must be"),
        ("select.graders.maths=math", "unknown key 'select.graders.maths': did you mean 'math'?"),
        ("select.graders.math=null", "select.graders.math = null: must be text"),
        ("select.answer_max.math=0", "select.answer_max.math = 0: must be at least 1"),
        ("select.min_pass=9", "select.min_pass = 9: must be at most 8, the candidates of a prompt"),
        ("select.min_think_tokens=5000", "must be at most 4096, the longest thought that is sampled"),
        ("select.quota.max_share_easy=0.5", "select.quota.max_share_easy = 0.5: needs pass rates"),
        ("bench.settings=[equal, equal]", "bench.settings = ['equal', 'equal']: no setting may"),
        ("bench.settings=[equl]", "bench.settings.0 = 'equl': must be one of ship, equal, tight"),
        ("bench.baselines=[budget, budget]", "bench.baselines = ['budget', 'budget']: no baseline may"),
        ("bench.baselines=[low]", "bench.baselines.0 = 'low': must be one of instruction, low_effort, budget"),
        ("bench.instruction=' '", "bench.instruction = ' ': must say something"),
        ("prompts.sources=[]", "prompts.sources = []: must have at least 1 item(s)"),
        ("prompts.sources.²=1", "--set prompts.sources.²: '²' must be an index from 0 to 0"),
        ("prompts=null", "prompts = null: must be a section with keys of"),
    ],
)  # fmt: skip
def test_what_only_a_later_stage_refused_is_refused_when_the_recipe_is_read(item, sentence):
    data = read_yaml(LEAST_TEXT, "it")
    with pytest.raises(RecipeError) as fault:
        apply_set(data, item)
        parse(data)
    assert sentence in str(fault.value) and "\n" not in str(fault.value)


def test_whole_numbers_will_do_for_numbers():
    recipe = parse({**LEAST, "train": {"epochs": 2}, "sample": {"sampling": {"temperature": 0}}})
    assert (recipe.train.epochs, recipe.sample.sampling.temperature) == (2.0, 0.0)


@pytest.mark.parametrize("name", SchedulerName.__args__)
def test_every_scheduler_that_is_accepted_can_be_made(name):
    import torch

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = get_scheduler(name, optimizer, num_warmup_steps=2, num_training_steps=10)
    optimizer.step()
    schedule.step()
    assert schedule.get_last_lr()[0] > 0
