"""Judging answers: a grader says of an answer and a reference whether they agree.

Graders see the answer part of a completion, never its thought. Untrusted text is judged in
worker processes that can be killed (``worker.Judge``); nothing here runs a model's code.
"""

from deimos.graders.check import CheckReport, check
from deimos.graders.worker.pool import Judge

__all__ = ["CheckReport", "Judge", "check"]
