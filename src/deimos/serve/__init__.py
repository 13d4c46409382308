"""Serving: requests over HTTP, each answered in the thinking mode that the evidence favours.

An app answers for a model on this machine, a middleware or a forwarder stands before any other
OpenAI-compatible server. What a gateway does (users, quotas, many servers, TLS) is not here.
"""

from __future__ import annotations

from importlib.util import find_spec

MODULES = ("h11", "httpx2", "prometheus_client", "starlette", "uvicorn")
"""What the ``serve`` extra brings."""


class ExtraMissing(ValueError):
    """The ``serve`` extra is not installed."""


def require_extra() -> None:
    """Refuse to serve without what it takes.

    Raises:
        ExtraMissing: names what is not installed, and the command that installs it.
    """
    if missing := [name for name in MODULES if find_spec(name) is None]:
        raise ExtraMissing(
            f"deimos serve needs {', '.join(missing)}, which is not installed: "
            "pip install 'deimos-llm[serve]'"
        )
