"""Where prompts come from, a file a source."""
