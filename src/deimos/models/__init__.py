"""Models and tokenizers: where they are, loading them, the memory they take."""
