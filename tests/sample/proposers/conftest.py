"""The tokenizer of the world in which all proposers make candidates."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sample.proposers.mixed import RIGHT, WRONG

from deimos.lab.tokenizer import build


@pytest.fixture(scope="package")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    build([RIGHT, WRONG, "2 + 2 = 4. How many? Tom has apples."] * 20, folder)
    return AutoTokenizer.from_pretrained(folder)
