"""Timing never decides a test: hypothesis's own deadline is off."""

from hypothesis import settings

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
