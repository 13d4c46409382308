"""What `benchmarks/serve_soak.py` measures, in small: slow readers, idle connections, an end under load."""

from __future__ import annotations

import sys

import pytest
from tests.engines.environments import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def soak():
    import serve_soak

    return serve_soak


def test_connections_that_say_nothing_are_let_go_and_cost_little(soak):
    found = soak.hold_idle(300)
    assert found["let_go"] == 300
    assert found["mib_during"] - found["mib_before"] < 300 * 0.1


def test_memory_stays_over_many_requests(soak):
    sizes = soak.send_many(600)["mib"]
    assert sizes[-1] - sizes[0] < 10


def test_running_streams_come_to_their_end_when_the_server_is_ended(soak):
    found = soak.end_under_load(20)
    assert found["whole"] == 20 and found["refused_after"] == 5


@pytest.mark.real
def test_clients_that_read_nothing_are_let_go(soak):
    """Takes as long as a client may read nothing."""
    found = soak.hold_slow_readers(40)
    assert found["let_go"] == 40
    assert found["mib_during"] - found["mib_before"] < 40
