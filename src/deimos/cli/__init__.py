"""The command line: thin verbs, and what only they need."""
