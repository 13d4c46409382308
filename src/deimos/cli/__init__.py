"""The command line, ``deimos VERB``: thin verbs, and what only they need."""
