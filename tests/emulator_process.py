"""The process of the Pub/Sub emulator of the Google Cloud SDK: how it is found, begins and ends."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_JAR = "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*.jar"
_HOMES = ("/usr/lib", "/usr/share", "/usr/local", "/opt", "/snap", "~")
_LISTENING, _TAKEN = "Server started, listening on", "Address already in use"
_START_S, _END_S = 60.0, 5.0
_HOW = (
    "the tests need the Pub/Sub emulator of the Google Cloud SDK, and Java 11 or newer: install"
    " google-cloud-cli-pubsub-emulator from Google's Debian packages, or the SDK and then run"
    " `gcloud components install beta pubsub-emulator`"
)

# a fresh interpreter asks the kernel to end it with its parent, then becomes Java (Linux)
_END_WITH_PARENT = f"""
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, {int(signal.SIGTERM)})
os.execvp(sys.argv[1], sys.argv[1:])
"""


class NoEmulatorError(Exception):
    """The emulator is not on this machine, or does not start; the text says what to do."""


@contextmanager
def emulator_process() -> Iterator[str]:
    """The address of an emulator on 127.0.0.1, from when it answers to the end of the `with`.

    It keeps all in memory, up to 1 GiB, and ends with this process, however that ends. Raises
    NoEmulatorError.
    """
    command = _command()
    for _ in range(3):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = _Process([*command, "--host=127.0.0.1", f"--port={port}"])
        try:
            if process.ready():
                yield f"127.0.0.1:{port}"
                return
        finally:
            process.end()
        if not process.said(_TAKEN):  # by somebody who was quicker
            break
    raise NoEmulatorError(f"the Pub/Sub emulator did not start: {process.last_words()}")


def _command() -> list[str]:
    java = shutil.which("java", path=_java_path())
    jars = [jar for root in _sdk_roots() for jar in sorted(root.glob(_JAR))]
    if java is None or not jars:
        missing = "java" if java is None else "the emulator"
        raise NoEmulatorError(f"{missing} is not on this machine: {_HOW}")
    # few seconds of life: the quick compiler is enough
    return [java, "-Xmx1g", "-XX:TieredStopAtLevel=1", "-jar", str(jars[-1])]


def _java_path() -> str:
    home = os.environ.get("JAVA_HOME")
    path = os.environ.get("PATH", os.defpath)
    return f"{home}/bin{os.pathsep}{path}" if home else path


def _sdk_roots() -> Iterator[Path]:
    """Where a Google Cloud SDK may be: beside its command, and where packages put it."""
    command = shutil.which("gcloud")
    if command:
        yield Path(command).resolve().parent.parent
    for home in _HOMES:
        yield Path(home).expanduser() / "google-cloud-sdk"


class _Process:
    """A process of the emulator, and what it says."""

    def __init__(self, command: Sequence[str]) -> None:
        self._lines: list[str] = []
        self._ready = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _END_WITH_PARENT, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def ready(self) -> bool:
        """Wait until it answers, or is gone."""
        return self._ready.wait(_START_S) and self.said(_LISTENING)

    def said(self, text: str) -> bool:
        return any(text in line for line in self._lines)

    def last_words(self) -> str:
        return " ".join(self._lines[-5:]) or "it said nothing"

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        if self._process.stdout:
            self._process.stdout.close()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines = [*self._lines[-50:], line.strip()]
            if _LISTENING in line:
                self._ready.set()
        self._ready.set()
