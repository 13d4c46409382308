"""Settings for all tests."""

from hypothesis import settings

# A slow machine must not fail a test: examples have no deadline.
settings.register_profile("deimos", deadline=None)
settings.load_profile("deimos")
