"""What a run found, for people: ``summary.json``, ``report.html`` and ``MODEL_CARD.md``.

Reads the run folder only; decodes, grades and measures nothing.
"""
