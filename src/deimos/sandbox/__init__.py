"""Running code that a model wrote: a box for it, another for the tests, plain values between them.

The design, what is trusted and what is not defended: docs/adr/0002-the-sandbox.md.
"""

from deimos.sandbox.client import WEAK, Sandbox, SandboxError
from deimos.sandbox.code_tests import Exam
from deimos.sandbox.isolation.box import TIERS, Limits
from deimos.sandbox.outcome import OUTCOMES, CheckOutcome

__all__ = ["OUTCOMES", "TIERS", "WEAK", "CheckOutcome", "Exam", "Limits", "Sandbox", "SandboxError"]
