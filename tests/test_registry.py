"""Finding graders, engines and sources by name, module, file and entry point."""

import pytest

from deimos import registry
from deimos.registry import BUILTIN, Grader, Source, UnknownName, content_hash, resolve
from deimos.types import Verdict

OWN = """
from deimos import Verdict, grader

@grader("shout")
def shout(answer, reference):
    return Verdict.of(answer.isupper())
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return path


def test_a_file_brings_a_grader_by_path_and_then_by_name(file, monkeypatch):
    monkeypatch.setitem(registry._registered, "grader", {})
    found = resolve("grader", f"{file}:shout")
    assert found("AB", None) == Verdict(True)
    assert resolve("grader", "shout") is found
    assert resolve("grader", f"{file}:shout") is found, "loaded once"


def test_a_module_attribute():
    assert resolve("source", "deimos.types:Prompt").load.__name__ == "Prompt"


@pytest.mark.parametrize(
    ("group", "spec", "sentence"),
    [
        ("grader", "mth", "unknown grader 'mth': did you mean 'math'?"),
        ("engine", "zzz", "unknown engine 'zzz': known: "),
        ("source", "nowhere_at_all:x", "no module named 'nowhere_at_all'"),
        ("source", "deimos.types:Promt", "has no attribute 'Promt'"),
        (
            "grader",
            "./none.py:x",
            "'./none.py' does not exist, looked up from the current directory /",
        ),
    ],
)
def test_what_is_not_found_is_one_sentence(group, spec, sentence):
    with pytest.raises(UnknownName, match=r"\w") as fault:
        resolve(group, spec)
    assert sentence in str(fault.value) and "\n" not in str(fault.value)


PLAIN = """
from deimos import Verdict

def whisper(answer, reference):
    return Verdict.of(answer.islower())

examples = [("a", "a")]
number = 3

def mine(*, take, seed, file, split="train"):
    return []
"""


def test_a_plain_function_becomes_a_record(tmp_path):
    (tmp_path / "own.py").write_text(PLAIN)
    whisper = resolve("grader", f"{tmp_path}/own.py:whisper")
    assert whisper("ab", None).ok and whisper.known_examples() == [("a", "a")]
    mine = resolve("source", f"{tmp_path}/own.py:mine")
    assert (mine.paths, list(mine.option_names())) == (("path",), ["file", "split"])
    with pytest.raises(UnknownName, match="is a int, not a function"):
        resolve("grader", f"{tmp_path}/own.py:number")


def test_a_name_registered_here_becomes_a_path_for_other_processes(file, monkeypatch):
    monkeypatch.setitem(registry._registered, "grader", {})
    found = resolve("grader", f"{file}:shout")
    assert found.portable_spec("shout") == f"{file}:shout"
    assert resolve("grader", "math").portable_spec("math") == "math"


def test_a_misspelt_field_of_a_record_is_refused():
    with pytest.raises(TypeError, match="fsat"):
        registry.grader("own", fsat=None)(lambda answer, reference: Verdict(True))


def test_the_size_of_a_split_is_known_only_while_nothing_narrows_it():
    gsm8k = resolve("source", "gsm8k")
    assert gsm8k.known_size({}) == 7_473
    assert gsm8k.known_size({"split": "test", "instruction": ""}) == 1_319
    assert gsm8k.known_size({"path": "./own.jsonl"}) is None
    assert gsm8k.known_size({"split": "nosuch"}) is None


def test_a_file_without_the_attribute(file):
    with pytest.raises(UnknownName, match="has no attribute 'whisper'"):
        resolve("grader", f"{file}:whisper")


def test_a_file_that_fails_to_load_can_be_mended_and_loaded(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("import nothing_of_this_name")
    with pytest.raises(ModuleNotFoundError):
        resolve("grader", f"{path}:x")
    path.write_text("def x(answer, reference): ...")
    assert callable(resolve("grader", f"{path}:x"))


def test_files_are_data_with_a_content_hash(file):
    before = content_hash(f"{file}:shout")
    file.write_text(OWN + "# changed\n")
    assert before and content_hash(f"{file}:shout") != before
    assert content_hash("math") is None and content_hash("pkg.mod:attr") is None
    with pytest.raises(UnknownName, match="does not exist"):
        content_hash("./none.py:x")


@pytest.mark.parametrize(
    ("group", "name"), [(group, name) for group, names in BUILTIN.items() for name in names]
)
def test_all_that_is_listed_is_there(group, name):
    found = resolve(group, name)
    assert callable(found)
    assert isinstance(found, Grader | Source) is (group != "engine")


@pytest.mark.parametrize("name", BUILTIN["source"])
def test_paths_that_a_source_declares_are_options_of_its(name):
    source = resolve("source", name)
    assert set(source.paths) <= set(source.option_names())
