"""One synthetic run, reported once for all tests of this folder."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # runfolder.py and others lie beside the tests
sys.path.insert(0, str(Path(__file__).parents[1] / "chromium"))  # browser.py

import runfolder

from deimos.recipe import Recipe
from deimos.report import stage


@dataclass(frozen=True)
class Reported:
    top: Path
    folders: dict[str, Path]
    recipe: Recipe
    counts: dict[str, int]

    def text(self, name: str) -> str:
        return (self.top / name).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    top = tmp_path_factory.mktemp("run")
    folders = runfolder.write_run(top)
    recipe = runfolder.recipe()
    return Reported(top, folders, recipe, stage.run(top, folders, recipe))
