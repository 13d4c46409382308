"""What ``runtime.engine_options`` may hold for the openai engine, checked without asking a server.

Loads neither torch nor an HTTP client, so that a plan can check it. A recipe never holds a key: an
option names the environment variable that does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field

from deimos.recipe import RecipeError, Section, validate

SECTION = "runtime.engine_options"
SECRETS = ("api_key", "key", "token", "password", "authorization", "headers", "bearer")
"""Names under which people try to write a key into a recipe."""


class Options(Section):
    """Where the servers are, limits and waits; all times in seconds."""

    urls: tuple[str, ...] = Field(default=(), strict=False)
    """Base URLs up to and with ``/v1``."""
    urls_file: str | None = None
    """A file with one more URL a line, read again while the engine runs: servers join and leave."""
    model: str | None = None
    """The name that the servers serve the model under; default: the recipe's ``model.id``."""
    adapter_model: str | None = None
    """The name that they serve the tuned model under; default: they are asked to load the adapter
    from its folder (vLLM and SGLang can, if that is allowed and they see the folder)."""
    concurrency: int = Field(default=64, ge=1)
    """Requests in flight at each server; ``runtime.max_batch`` does not bind here."""
    api_key_env: str | None = None
    """The environment variable with the key, sent as a bearer token to every server."""
    seeds: bool = True
    """Send each request's seed; vLLM's CPU build crashes on seeds with chunked prefill."""
    token_ids: bool | None = None
    """True: only servers that send the sampled ids; False: text, tokenised again and marked
    ``rendered``; default: ids if all servers send them, text if none does."""
    timeout: float = Field(default=300, gt=0)
    """Until a request's first token, while its server sends none for any request."""
    stall: float = Field(default=120, gt=0)
    """Between two tokens of one request."""
    connect: float = Field(default=10, gt=0)
    """Until there is a connection."""
    patience: float = Field(default=600, gt=0)
    """Without a token from any server until the engine gives up; at the start, without an answer."""
    retries: int = Field(default=5, ge=0)
    """Failed requests of one candidate in a row, unreachable servers aside, that are sent again; one
    more ends it in an error."""
    backoff: float = Field(default=0.5, ge=0)
    """The longest first wait after a failure; doubled each time, and a random part of it is waited."""
    backoff_max: float = Field(default=30, ge=0)
    """The longest wait, also if a server asks for a longer one."""
    failures: int = Field(default=3, ge=1)
    """Failed requests in a row until a server gets only a trial request now and then."""
    probe_every: float = Field(default=5, gt=0)
    """Between probes of lost servers, and between readings of ``urls_file``."""
    checkpoint_seconds: float = Field(default=10, gt=0)
    """Between two checkpoints of the ids so far: what an interruption may cost."""


def options_of(data: Mapping[str, Any]) -> Options:
    """The options of a recipe's runtime.

    Raises:
        RecipeError: an unknown key, a value that is not accepted, a secret written out, no server,
            or an environment variable that is not set.
    """
    for name in data:
        if str(name).lower() in SECRETS:
            raise RecipeError(
                f"{SECTION}.{name}: a recipe never holds a key: put it into an environment "
                f"variable and name that in {SECTION}.api_key_env"
            )
    options = validate(Options, dict(data), SECTION)
    if not options.urls and not options.urls_file:
        raise RecipeError(
            f"{SECTION}.urls is missing: the openai engine needs at least one server, "
            "e.g. [http://localhost:8000/v1]"
        )
    for url in options.urls:
        check_url(url, f"{SECTION}.urls")
    key_of(options)
    return options


def check_url(url: str, where: str) -> str:
    """A base URL without its last slash.

    Raises:
        RecipeError: it is not one, or has a password in it.
    """
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise RecipeError(f"{where}: a URL holds a password: name it in {SECTION}.api_key_env")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise RecipeError(f"{where}: {url!r} is not a base URL like http://localhost:8000/v1")
    return url.rstrip("/")


def urls_of(options: Options) -> tuple[str, ...]:
    """Every server named now, each once, in order.

    Raises:
        RecipeError: ``urls_file`` cannot be read, has a line that is not a URL, or no URL.
    """
    found = [check_url(url, f"{SECTION}.urls") for url in options.urls]
    if options.urls_file:
        where = f"{SECTION}.urls_file {options.urls_file!r}"
        try:
            text = Path(options.urls_file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as e:
            raise RecipeError(f"{where} cannot be read: {e}") from e
        lines = (line.partition("#")[0].strip() for line in text.splitlines())
        found += [check_url(line, where) for line in lines if line]
    if not found:
        raise RecipeError(f"{SECTION}.urls_file {options.urls_file!r} names no server")
    return tuple(dict.fromkeys(found))


def key_of(options: Options) -> str | None:
    """The bearer token, if ``api_key_env`` names one; no message ever shows it.

    Raises:
        RecipeError: ``api_key_env`` is not a variable's name, or that variable is not set.
    """
    name = options.api_key_env
    if name is None:
        return None
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise RecipeError(f"{SECTION}.api_key_env must be the name of an environment variable")
    if not (key := os.environ.get(name, "").strip()):
        raise RecipeError(f"{SECTION}.api_key_env: environment variable {name} is not set")
    if not key.isascii() or not key.isprintable():
        raise RecipeError(f"{SECTION}.api_key_env: {name} holds more than printable ASCII")
    return key
