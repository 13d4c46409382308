"""A headless Chromium driven over its DevTools pipe: the standard library is all it takes."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def chromium() -> str | None:
    """The browser's program, where there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of one browser; a context manager.

    Everything the page logs, requests or throws is kept in ``complaints`` and ``requests``. With
    ``login`` (user name, password), it answers a server that asks for them, as a person would.
    """

    def __init__(self, program: str, profile: Path) -> None:
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        flags = (
            "--headless=new --no-sandbox --disable-gpu --hide-scrollbars --remote-debugging-pipe "
            "--no-first-run --disable-background-networking --disable-dev-shm-usage"
        )
        # The browser reads commands on descriptor 3 and answers on 4, ended by NUL bytes.
        shell = 'exec "$0" "$@" 3<&"$IN" 4>&"$OUT"'
        self._process = subprocess.Popen(
            ["bash", "-c", shell, program, *flags.split(), f"--user-data-dir={profile}"],
            env={**os.environ, "IN": str(to_browser), "OUT": str(from_browser)},
            pass_fds=(to_browser, from_browser),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer = b""
        self._asked = 0
        self._loaded = False
        self._session = ""
        self.login: tuple[str, str] | None = None
        self.complaints: list[str] = []
        self.requests: list[str] = []

    def open(self, page: Path | str, *, width: int, height: int = 900, dark: bool = False) -> None:
        """Show a file or an address at a viewport size and wait until it has loaded."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        if self.login:
            self.ask("Fetch.enable", handleAuthRequests=True)
        self._loaded = False
        self.ask("Page.navigate", url=page if isinstance(page, str) else page.resolve().as_uri())
        while not self._loaded:
            self._hear()

    def wait(self, expression: str, seconds: float = 30) -> Any:
        """The expression's value once it is true; TimeoutError if it never is."""
        end = time.monotonic() + seconds
        while not (value := self.value(expression)):
            if time.monotonic() > end:
                raise TimeoutError(f"never true: {expression}")
            time.sleep(0.02)
        return value

    def click(self, selector: str) -> None:
        """Click in the middle of an element, as a mouse does: what lies over it gets the click."""
        find = f"const e = document.querySelector({selector!r}); e.scrollIntoView({{block: 'nearest'}});"
        box = "const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2];"
        x, y = self.value(f"(() => {{{find} {box}}})()")
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def write(self, text: str) -> None:
        """Insert a text in whatever has the focus."""
        self.ask("Input.insertText", text=text)

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key: ``Enter``, ``Tab``, ``Escape``, ``ArrowRight`` or ``Space``."""
        code = {"Enter": 13, "Tab": 9, "Escape": 27, "ArrowRight": 39, "Space": 32}[key]
        sign = {"Enter": "\r", "Space": " "}.get(key, "")
        event = {"key": sign if key == "Space" else key, "code": key, "windowsVirtualKeyCode": code}
        for kind in ("keyDown", "keyUp"):
            text = {"text": sign} if sign and kind == "keyDown" else {}
            self.ask("Input.dispatchKeyEvent", type=kind, modifiers=8 * shift, **event, **text)

    def value(self, expression: str) -> Any:
        """What a JavaScript expression (a promise: once kept) gives, evaluated by the inspector."""
        options = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        answer = self.ask("Runtime.evaluate", **options)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description", "thrown"))
        return answer["result"].get("value")

    def screenshot(self, *, whole: bool = False) -> bytes:
        """The page as PNG: what is in view, or all of it."""
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(shot["data"])

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; RuntimeError where it fails."""
        asked = self._send(method, params)
        while True:
            message = self._hear()
            if message.get("id") == asked:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]

    def _send(self, method: str, params: dict[str, Any]) -> int:
        self._asked += 1
        command: dict[str, Any] = {"id": self._asked, "method": method, "params": params}
        if self._session and not method.startswith("Target."):
            command["sessionId"] = self._session
        os.write(self._out, json.dumps(command).encode() + b"\0")
        return self._asked

    def _hear(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            heard = os.read(self._in, 1 << 20)
            if not heard:
                raise RuntimeError("the browser ended")
            self._buffer += heard
        line, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(line)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
            self.complaints.append(json.dumps(params))
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Fetch.requestPaused":
            self._send("Fetch.continueRequest", {"requestId": params["requestId"]})
        elif method == "Fetch.authRequired":
            self._send(
                "Fetch.continueWithAuth", {"requestId": params["requestId"], **self._login()}
            )

    def _login(self) -> dict[str, Any]:
        """The answer to a server that asks who is there."""
        name, password = self.login or ("", "")
        answer = {"response": "ProvideCredentials", "username": name, "password": password}
        return {"authChallengeResponse": answer}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)
