"""Thinking on or off: both measured on dev prompts, and which of them a task is better asked with."""
