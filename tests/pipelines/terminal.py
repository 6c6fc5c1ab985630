"""A real terminal of 80 columns for a program, and what the program writes to it."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path
from typing import Self

HERE = Path(__file__).parent
PATHS = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE)])}
# takes the terminal that is its standard input as its own, and becomes the command
_BECOME = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """A context with a terminal; `written` is all that was written to it when it has ended."""

    def __init__(self, rows: int = 24, columns: int = 80) -> None:
        self._master, self._slave = pty.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._parts: list[bytes] = []
        self._reader = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        os.close(self._slave)
        self._reader.join()
        os.close(self._master)

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Starts a command with its standard output in a pipe, and the rest on the terminal."""
        return subprocess.Popen(
            [sys.executable, "-c", _BECOME, *command],
            stdin=self._slave,
            stdout=subprocess.PIPE,
            stderr=self._slave,
            text=True,
            start_new_session=True,
            env=PATHS | {"TERM": "xterm"},
        )

    def type(self, keys: bytes) -> None:
        """Types something."""
        os.write(self._master, keys)

    @property
    def written(self) -> str:
        """What was written so far."""
        return b"".join(self._parts).decode()

    def _read(self) -> None:
        try:
            while part := os.read(self._master, 1 << 16):
                self._parts.append(part)
        except OSError:  # nobody has the other end any more
            return
