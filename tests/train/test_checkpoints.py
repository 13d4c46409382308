import json
from pathlib import Path

import pytest

from deimos.store.names import ADAPTER_CONFIG
from deimos.train import checkpoints


def make(folder: Path, step: int) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "adapter_config.json").write_text("{}")
    (path / "adapter_model.safetensors").write_bytes(b"weights %d" % step)
    checkpoints.seal(path)
    return path


def test_newest_is_by_number_not_by_name(tmp_path):
    make(tmp_path, 9)
    last = make(tmp_path, 10)
    assert checkpoints.find_newest(tmp_path) == last
    assert checkpoints.step_of(last) == 10


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: (path / checkpoints.CHECKPOINT_SIZES).unlink(),
        lambda path: (path / checkpoints.CHECKPOINT_SIZES).write_text('{"adapter_config'),
        lambda path: (path / checkpoints.CHECKPOINT_SIZES).write_text("[]"),
        lambda path: (path / "adapter_model.safetensors").write_bytes(b"wei"),
        lambda path: (path / "adapter_model.safetensors").unlink(),
    ],
)
def test_an_incomplete_checkpoint_is_passed_over_and_removed(tmp_path, harm):
    whole = make(tmp_path, 5)
    torn = make(tmp_path, 10)
    harm(torn)
    assert checkpoints.find_newest(tmp_path) == whole
    assert not torn.exists()


def test_no_checkpoint(tmp_path):
    assert checkpoints.find_newest(tmp_path / "none") is None
    (tmp_path / "checkpoint-best").mkdir()
    assert checkpoints.find_newest(tmp_path) is None
    assert (tmp_path / "checkpoint-best").exists()


def test_install_leaves_no_half_adapter(tmp_path):
    checkpoint = make(tmp_path / "checkpoints", 3)
    (tmp_path / ".adapter.tmp").mkdir()
    (tmp_path / ".adapter.tmp" / "rubble").write_text("of an earlier crash")
    checkpoints.install(checkpoint, tmp_path / "adapter")
    assert sorted(p.name for p in (tmp_path / "adapter").iterdir()) == sorted(
        checkpoints.ADAPTER_FILES
    )
    assert not (tmp_path / ".adapter.tmp").exists()


def test_the_same_training_leaves_the_same_bytes(tmp_path):
    """PEFT writes a set of modules, whose order is another one in each process."""
    files = []
    for targets in (["v_proj", "q_proj"], ["q_proj", "v_proj"]):
        checkpoint = make(tmp_path / targets[0], 3)
        config = {"r": 8, "target_modules": targets, "peft_type": "LORA"}
        (checkpoint / ADAPTER_CONFIG).write_text(json.dumps(config))
        adapter = tmp_path / targets[0] / "adapter"
        checkpoints.install(checkpoint, adapter)
        files.append((adapter / ADAPTER_CONFIG).read_bytes())
        assert json.loads(files[-1]) == config | {"target_modules": ["q_proj", "v_proj"]}
    assert files[0] == files[1]


def test_install_of_a_checkpoint_without_weights_makes_no_adapter(tmp_path):
    checkpoint = make(tmp_path / "checkpoints", 3)
    (checkpoint / "adapter_model.safetensors").unlink()
    with pytest.raises(FileNotFoundError):
        checkpoints.install(checkpoint, tmp_path / "adapter")
    assert not (tmp_path / "adapter").exists()
