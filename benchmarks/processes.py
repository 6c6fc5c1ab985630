"""Run one program as a whole process and say what it took.

Started as a script, with a file and a command, this runs the command and writes what it took to the
file. The programs compared are started that way: the kernel counts the memory of the process that
starts another as the other's, so that process must be a small one.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

TAIL = 2_000


@dataclass(frozen=True)
class Taken:
    """What one process took: seconds on the clock, seconds of CPU, bytes of memory at its peak.

    CPU is user and system time of the process and of those it waited for; memory is the largest
    single process among them.
    """

    wall: float
    cpu: float
    peak: int


class ProcessFailedError(Exception):
    """A program ended with an error; the text is the end of what it printed."""


@dataclass(frozen=True)
class Program:
    """One of the programs compared: a name, and the command before `--input` and `--output`."""

    name: str
    command: tuple[str, ...]

    def run(self, source: Path, output: Path) -> Taken:
        """Run over `source` into a fresh `output`.

        Raises ProcessFailedError if it ends with another code than 0.
        """
        shutil.rmtree(output, ignore_errors=True)
        log, figures = output.with_suffix(".log"), output.with_suffix(".json")
        command = [*self.command, "--input", str(source), "--output", str(output)]
        starter = [sys.executable, "-I", "-S", __file__, str(figures), *command]
        with log.open("wb") as printed:
            code = subprocess.call(starter, stdout=printed, stderr=subprocess.STDOUT)
        if code:
            said = log.read_bytes()[-TAIL:].decode(errors="replace")
            raise ProcessFailedError(f"{' '.join(command)} ended with {code}\n{said}")
        return Taken(**json.loads(figures.read_text()))


def warm(file: Path) -> None:
    """Bring a file into the page cache, so that nobody pays for the disk."""
    with file.open("rb") as source:
        while source.read(16 << 20):
            pass


def main() -> int:
    """Run the command of the arguments, write what it took, end with its code."""
    figures, *command = sys.argv[1:]
    clock = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - clock
    taken = Taken(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10)
    Path(figures).write_text(json.dumps(asdict(taken)))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
