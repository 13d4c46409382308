"""Before a run: whether it can work at all, and what it would take."""
