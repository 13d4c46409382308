"""Which thinking mode a request is answered in, and why: a policy put to a model's own switch.

What the client sets wins. Else the policy chooses, and the chat template's arguments for its choice
are what the template itself knows (``models.switch``). Nothing here does I/O or raises on a
request, whatever it holds: a request that cannot be read is answered in the default mode.
Not covered: writing the arguments into a request (``serve.middleware``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from deimos.models.switch import ENABLE_THINKING, Mode, Switch
from deimos.route.policy import Policy, default_policy

CLIENT = "set by the client"
TRAINED_OFF = "the run was trained and measured with thinking off, and compared no other mode"


class Decision(NamedTuple):
    """The mode of one request."""

    kwargs: Mapping[str, Any]
    """Arguments for the chat template; empty if it is to be left as it is."""
    mode: Mode
    reason: str
    """One short sentence, ASCII."""
    margin: float
    """Lower bound of what OFF gains over ON, as accuracy (a fraction); above 0: OFF."""
    policy: str
    """Name and short hash of the policy."""
    base: bool = False
    """Whether the model without its adapter is shown to be more accurate on such prompts."""


class Router:
    """Decides requests for one model.

    Args:
        policy: what is known about prompts; None: the default one.
        switch: of the model's chat template; ``NO_SWITCH``: every request is left as it is.
        trained_off: whether the model was trained and measured with thinking off, and nobody compared
            the modes: then what the client leaves open is answered OFF, whatever the policy says.
    """

    def __init__(
        self,
        policy: Policy | None = None,
        switch: Switch = ENABLE_THINKING,
        trained_off: bool = False,
    ) -> None:
        self.policy = policy or default_policy()
        self.switch = switch
        self.trained_off = trained_off
        self._identity = self.policy.identity

    def decide(
        self, messages: Sequence[Mapping[str, Any]], request: Mapping[str, Any] | None = None
    ) -> Decision:
        """The mode of one request.

        Args:
            messages: of a chat completion request, or one message of a plain completion's prompt.
            request: the whole body; what the client sets in it wins.
        """
        body = request if isinstance(request, Mapping) else {}
        if mode := self.switch.read_client(body):
            return Decision({}, mode, CLIENT, 0.0, self._identity)
        if not self.switch:
            reason = "the chat template has no switch for thinking"
            return Decision({}, "default", reason, 0.0, self._identity)
        if self.trained_off:
            return Decision(self.switch.arguments("off"), "off", TRAINED_OFF, 0.0, self._identity)
        choice = self.policy.choose(messages)
        kwargs = self.switch.arguments(choice.mode)
        margin, identity = choice.margin, self._identity
        return Decision(kwargs, choice.mode, choice.reason, margin, identity, choice.base)


@cache
def _default() -> Router:
    return Router()


def decide(
    messages: Sequence[Mapping[str, Any]], request: Mapping[str, Any] | None = None
) -> Decision:
    """The mode of one request by the default policy, for a template with ``enable_thinking``.

    Args:
        messages: of a chat completion request.
        request: the whole body; what the client sets in it wins.
    """
    return _default().decide(messages, request)
