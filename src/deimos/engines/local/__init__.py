"""The engine that decodes on this machine with transformers."""
