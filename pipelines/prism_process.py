"""A process of Prism that ends with this one, however this one ends."""

import contextlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Self

from pipelines.notices import notify
from pipelines.problems import JobFailedError

_START_S, _END_S = 20.0, 2.0
_KEPT_LINES = 200
_ENDPOINT = re.compile(r'"endpoint":"localhost:(\d+)"')
_LISTENING = "0A"
_FEWEST_THREADS = 4
_PANICS = ("panic:", "fatal error:", "SIG")
_LEVELS = {"DEBUG": logging.DEBUG, "WARN": logging.WARNING, "ERROR": logging.ERROR}
_LOG = logging.getLogger("prism")

# With threads about, little is safe between fork and exec. So a fresh interpreter asks the kernel
# to be killed when its parent is gone (prctl PR_SET_PDEATHSIG, SIGKILL), and then becomes Prism.
_END_WITH_PARENT = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


class Prism:
    """A context with a Prism that takes jobs at `endpoint`, an address of this machine.

    It has a session of its own, so a Ctrl-C does not reach it. The kernel of Linux kills it when
    the thread that entered the context is gone, so that must be the main thread; elsewhere it ends
    by itself a minute after its last job. The last 200 lines of its log are held.
    """

    def __init__(self, binary: Path, *, port: int = 0, log_level: str = "info") -> None:
        self._command = [
            str(binary),
            f"--job_port={port}",  # 0: a free one, which the log names
            f"--log_level={log_level}",
            "--log_kind=json",
            "--serve_http=false",
            "--idle_shutdown_timeout=1m",
        ]
        self.endpoint = ""
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._panic = ""
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        command = self._command
        if sys.platform == "linux":
            wrapped = [sys.executable, "-I", "-S", "-c", _END_WITH_PARENT, str(os.getpid())]
            command = wrapped + command
        self._process = subprocess.Popen(  # noqa: S603 - the binary that the user has
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment(),
            start_new_session=True,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, name="prism log", daemon=True)
        self._reader.start()
        try:
            self._wait_until_ready()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def end(self) -> str:
        """How it came to its end, or that it does not answer, in words."""
        with contextlib.suppress(subprocess.TimeoutExpired):  # it is known a moment later
            self._process.wait(_END_S)
        code = self._process.poll()
        if code is None:
            return f"Prism does not answer: {self.last_words()}"
        if code < 0:
            return f"Prism was ended by {signal.Signals(-code).name}"
        return f"Prism ended with {code}: {self.last_words()}"

    def last_words(self) -> str:
        """What it said last: a panic, else an error, else whatever it was."""
        if self._process.poll() is not None:
            self._reader.join()
        said = [_Line(line) for line in self._lines]
        errors = [line.text for line in said if line.level >= logging.ERROR]
        last = said[-1].text if said else "nothing"
        return self._panic or (errors[-1] if errors else last)

    def _wait_until_ready(self) -> None:
        in_time = self._ready.wait(_START_S)
        if not self.endpoint:
            how = "did not start" if in_time else f"did not start within {_START_S:.0f} s"
            raise JobFailedError(f"{self._command[0]} {how}: {self.last_words()}")
        port = int(self.endpoint.rpartition(":")[2])
        if _open_to_others(port):
            notify(
                f"warning: while this runs, everybody who reaches port {port} of this machine may"
                " run programs on it; the Prism of make prism listens to this machine only",
                logging.WARNING,
            )

    def _read(self) -> None:
        for line in self._process.stdout or ():
            if not self.endpoint and (found := _ENDPOINT.search(line)):
                self.endpoint = f"127.0.0.1:{found[1]}"
                self._ready.set()
            if not self._panic and line.startswith(_PANICS):
                self._panic = line.strip()
            self._lines.append(line.strip())
            if _LOG.isEnabledFor(logging.ERROR):
                said = _Line(line)
                _LOG.log(said.level, "%s", said.text)
        self._ready.set()

    def _end(self) -> None:
        try:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)
        finally:  # also when somebody cannot wait for that
            self._process.kill()
            self._process.wait()
        self._reader.join()
        if self._process.stdout:
            self._process.stdout.close()


def _environment() -> dict[str, str]:
    """The environment of Prism: a release's own, on one core, fills all memory with goroutines."""
    threads = str(max(_FEWEST_THREADS, os.cpu_count() or 1))
    return {"GOMAXPROCS": threads} | os.environ


class _Line:
    """A line of the log: an object of JSON, or what the Go runtime prints."""

    def __init__(self, line: str) -> None:
        try:
            said = json.loads(line)
        except ValueError:
            said = {}
        fields = said if isinstance(said, dict) else {}
        level = str(fields.get("level", "")).partition("+")[0].partition("-")[0]
        self.level = _LEVELS.get(level, logging.INFO)
        if line.startswith(_PANICS):
            self.level = logging.ERROR
        self.text = str(fields.get("error") or fields.get("msg") or line.strip())


def _open_to_others(port: int) -> bool:
    """Whether something on this machine listens on all its addresses at a port (Linux)."""
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            _, local, _, state, *_ = line.split()
            address, _, at = local.partition(":")
            if state == _LISTENING and int(at, 16) == port and not int(address, 16):
                return True
    return False
