"""Where prompts come from, how a dev slice is held out of them, and how they stand in files."""

from deimos.prompts.load import load_source
from deimos.runs.artifacts import read_prompts, write_prompts

__all__ = ["load_source", "read_prompts", "write_prompts"]
