"""Settings for all tests."""

import signal

from hypothesis import settings

# A slow machine must not fail a test: examples have no deadline.
settings.register_profile("deimos", deadline=None)
settings.load_profile("deimos")

# A shell's background jobs ignore SIGINT, and so would all that the tests start to interrupt it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
