"""Deimos makes a reasoning model that thinks at length into one that thinks tersely and answers just as well."""

from deimos.registry import engine, grader, source
from deimos.types import Completion, Prompt, Sampling, Verdict

__version__ = "0.1.0"
__all__ = ["Completion", "Prompt", "Sampling", "Verdict", "engine", "grader", "source"]
