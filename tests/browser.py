"""A real browser without a window: Chromium, spoken to over its own pipe (DevTools protocol)."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_HOW = (
    "these tests look at pages in Chromium, and there is none: install it with `apt-get install"
    " chromium` (Debian, Ubuntu), or put another one (google-chrome, chromium) into PATH"
)
_PIPE = 'exec "$@" 3<&"$0" 4>&"$OUT" 2>/dev/null'  # a browser reads at 3 and writes at 4
_FLAGS = (
    "--headless=new --remote-debugging-pipe --no-first-run --disable-gpu --disable-dev-shm-usage"
    " --disable-background-networking --disable-component-update --disable-sync"
    " --hide-scrollbars --force-color-profile=srgb"
).split()


class NoBrowserError(Exception):
    """There is no browser, or it ended; the text says what to do."""


class Browser:
    """A browser with one page at a time."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back = os.fdopen(to, "wb", 0), os.fdopen(back, "rb", 0)
        self._rest, self._number, self._session = b"", 0, ""
        self.events: list[dict[str, Any]] = []

    def open(self, path: Path, width: int, height: int = 900, *, dark: bool = False) -> None:
        """Show a file, in a page of its own; from here on `events` are that page's."""
        if not self._session:
            target = self.ask("Target.createTarget", url="about:blank")["targetId"]
            attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
            self._session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.ask(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.events.clear()
        self.ask("Page.navigate", url=path.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._hear()

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def troubles(self) -> list[str]:
        """What the page logged, and what it wanted from elsewhere than its own file."""
        said = [
            e
            for e in self.events
            if e["method"]
            in {"Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"}
        ]
        sent = [
            e["params"]["request"]["url"]
            for e in self.events
            if e["method"] == "Network.requestWillBeSent"
        ]
        others = [url for url in sent[1:] if not url.startswith("data:")]
        return [json.dumps(each["params"]) for each in said] + others

    def screenshot(self, file: Path, *, whole: bool = False) -> None:
        """A PNG of what is seen, or of the whole page."""
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The browser's answer to one command. Raises NoBrowserError where it has ended."""
        self._number += 1
        number = self._number
        asked = {"id": number, "method": method, "params": params}
        own = {"sessionId": self._session} if self._session else {}
        self._to.write(json.dumps(asked | own).encode() + b"\0")
        while (answer := self._hear()).get("id") != number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def close(self) -> None:
        """Close the pipe, which ends the browser."""
        self._to.close()
        self._back.close()

    def _hear(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = self._back.read(1 << 20)
            if not piece:
                raise NoBrowserError("the browser ended; does it start as `chromium --headless`?")
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        heard = json.loads(message)
        if "method" in heard:
            self.events.append(heard)
        return heard


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser with a profile that goes with it. Raises NoBrowserError."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise NoBrowserError(_HOW)
    alone = ["--no-sandbox"] if os.geteuid() == 0 else []  # as root it has none
    (read, to), (back, write) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(
        prefix="meterbeam-browser-", ignore_cleanup_errors=True
    ) as profile:
        command = [found, *_FLAGS, *alone, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(
            ["/bin/bash", "-c", _PIPE, str(read), *command],
            pass_fds=(read, write),
            env=os.environ | {"OUT": str(write), "HOME": profile},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        browser = Browser(to, back)
        try:
            yield browser
        finally:
            browser.close()
            process.terminate()
            process.wait()
