"""Who may ask: keys from the environment, and which addresses are safe to listen on.

Keys are kept as digests and compared in constant time, each with all of them. Without keys the
server listens on loopback only, and answers only requests that were meant for it: a page from
elsewhere whose name is made to point here is refused by its ``Host``. Not covered: users, quotas.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path

from deimos.serve.http import RequestFault

KEYS, KEYS_FILE = "DEIMOS_KEYS", "DEIMOS_KEYS_FILE"
"""Environment variables: keys with commas between them; a file with a key a line, read again when
it changes."""
LONGEST = 512
"""Characters of a key."""
SHORTEST = 8
ASK: list[tuple[bytes, bytes]] = [
    (b"www-authenticate", b'Basic realm="deimos"'),
    (b"www-authenticate", b"Bearer"),
]
"""Two headers, as Chromium reads only the first scheme of each: with one it asks nobody for a key."""


class ServeError(ValueError):
    """What the user can mend about serving; one sentence."""


class Keys:
    """The keys that are accepted; none: everybody is.

    Args:
        keys: accepted ones.
        file: further ones, a line each; what is removed from it is refused from then on.

    Raises:
        ServeError: a key is too short or too long, or not ASCII, or the file cannot be read.
    """

    def __init__(self, keys: tuple[str, ...] = (), file: Path | None = None) -> None:
        self._fixed = frozenset(digest_of(_checked(key)) for key in keys)
        self._file = file
        self._stamp: tuple[int, int] | None = None
        self._digests = self._fixed
        self.refresh()

    def __bool__(self) -> bool:
        return bool(self._file or self._fixed)

    def refresh(self) -> None:
        """Read the file again if it has changed.

        Raises:
            ServeError: it cannot be read, or a line is no key.
        """
        if self._file is None:
            return
        try:
            found = self._file.stat()
            stamp = (found.st_mtime_ns, found.st_size)
            if stamp == self._stamp:
                return
            lines = self._file.read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as e:
            raise ServeError(f"{KEYS_FILE} = {str(self._file)!r}: cannot be read: {e}") from e
        self._digests = self._fixed | {digest_of(_checked(line)) for line in lines}
        self._stamp = stamp

    def accepts(self, digest: bytes) -> bool:
        """Whether a key of that digest is accepted, all of them compared."""
        return sum(hmac.compare_digest(digest, own) for own in self._digests) > 0

    def check(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        """The digest of a request's key; empty where none is asked for.

        Raises:
            RequestFault: there is no key, more than one, or one that is not accepted (401).
        """
        if not self:
            return b""
        given = [value for name, value in headers if name == b"authorization"]
        if len(given) != 1:
            which = "missing" if not given else "sent twice"
            raise RequestFault(
                401, f"the Authorization header is {which}: must be Bearer and a key", headers=ASK
            )
        digest = digest_of(_key_in(given[0]))
        self.refresh()
        if not self.accepts(digest):
            raise RequestFault(401, "the key is not accepted", headers=ASK)
        return digest


def read_keys(environment: Mapping[str, str] = os.environ) -> Keys:
    """The keys that the environment names.

    Raises:
        ServeError: one cannot be used.
    """
    given = tuple(key.strip() for key in environment.get(KEYS, "").split(",") if key.strip())
    file = environment.get(KEYS_FILE)
    return Keys(given, Path(file) if file else None)


def digest_of(key: bytes | str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key.encode() if isinstance(key, str) else key).digest()


def check_bind(host: str, keys: Keys) -> None:
    """Refuse to listen where others can reach us and nobody is asked for a key.

    Raises:
        ServeError: the host is not loopback and there are no keys.
    """
    if not keys and not is_loopback(host):
        wanted = f"set {KEYS} to keys that clients send, or listen on 127.0.0.1"
        raise ServeError(f"--host = {host!r}: without keys only loopback is accepted; {wanted}")


def check_host(header: bytes | None) -> None:
    """Refuse a request that was sent to another name; for servers without keys.

    Raises:
        RequestFault: the ``Host`` is not a loopback name (421).
    """
    host = (header or b"localhost").decode("latin-1").strip().lower()
    name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    if not is_loopback(name):
        raise RequestFault(
            421, "the Host header names another server; without keys it must be localhost"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked(key: str) -> str:
    if not (SHORTEST <= len(key) <= LONGEST and key.isascii() and key.isprintable()):
        wanted = f"{SHORTEST} to {LONGEST} printable ASCII characters"
        raise ServeError(
            f"a key of {KEYS} or {KEYS_FILE} has {len(key)} characters: must be {wanted}"
        )
    return key


def _key_in(header: bytes) -> bytes:
    """The key of ``Bearer KEY``, or the password of ``Basic``, with which browsers ask for a page."""
    scheme, _, rest = header.strip().partition(b" ")
    if scheme.lower() == b"bearer":
        return rest.strip()
    if scheme.lower() == b"basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
        except ValueError:
            pass
    return b""
