"""Which decoding settings suit a model: tried on dev prompts, the same for base and tuned, one locked for each."""
