"""Sampling candidates: the race that decodes only what can still win."""
