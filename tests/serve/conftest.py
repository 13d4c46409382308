"""The lab model, served; and helpers that lie beside the tests of this folder, or in one of their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serve.running import serving

from deimos.lab.weights import lab_path
from deimos.models.ref import ModelRef
from deimos.recipe.runtime import Runtime
from deimos.serve.app import make_app
from deimos.serve.metrics import ServingMetrics
from deimos.serve.models import ServedModel, open_model
from deimos.thinking import Tags
from deimos.types import Sampling

sys.path.insert(0, str(Path(__file__).parent))  # page_server.py and others
sys.path.insert(0, str(Path(__file__).parents[1] / "chromium"))  # browser.py


@pytest.fixture(scope="session")
def lab_model() -> Iterator[ServedModel]:
    """The lab model on the local engine, greedy unless a request says otherwise."""
    ref = ModelRef(str(lab_path()), dtype="float32")
    runtime = Runtime(device="cpu", threads=1)
    model = open_model("lab", ref, runtime, Tags(), Sampling(temperature=0, max_tokens=512))
    yield model
    model.thread.close()


@pytest.fixture(scope="session")
def lab_server(lab_model: ServedModel) -> Iterator[str]:
    """The URL of a server with the lab model and nothing around it."""
    with serving(make_app({"lab": lab_model}, ServingMetrics())) as port:
        yield f"http://127.0.0.1:{port}"
