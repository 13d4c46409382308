"""Settings for all tests."""

import os
import signal
from typing import Any

import pytest
from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:
    # The workers share the cores: each with threads for all of them would wait for the others' threads.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A slow machine must not fail a test: examples have no deadline.
settings.register_profile("deimos", deadline=None)
settings.load_profile("deimos")

# A shell's background jobs ignore SIGINT, and so would all that the tests start to interrupt it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: Any, log: Any) -> Any:
    """Give each folder of tests to one worker, as what a folder's tests share is made once in it.

    Of the tests that need more, each file: what they share, a server or a cluster, is the file's.
    """
    from xdist.scheduler.loadscope import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        """``tests/NAME/...`` to one worker; a file that stands in ``tests`` itself goes by itself."""

        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.split("::")[0]
            return path if config.option.markexpr == "real" else "/".join(path.split("/")[:2])

    return Together(config, log)
