"""Run one program as a whole process and say what it took."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
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
        log = output.with_suffix(".log")
        command = [*self.command, "--input", str(source), "--output", str(output)]
        with log.open("wb") as printed:
            clock = time.perf_counter()
            process = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT)
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - clock
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said = log.read_bytes()[-TAIL:].decode(errors="replace")
            raise ProcessFailedError(f"{' '.join(command)} ended with {process.returncode}\n{said}")
        return Taken(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10)


def programs() -> tuple[Program, Program, Program]:
    """Meterbeam, the SQL peer and the per-event peer, on this interpreter's environment."""
    python = sys.executable
    meterbeam = str(Path(python).with_name("meterbeam"))
    catalog, rates = str(HERE / "catalog.yaml"), str(HERE / "rates.csv")
    return (
        Program("meterbeam", (meterbeam, "run", "--catalog", catalog, "--rates", rates)),
        Program("DuckDB SQL", (python, str(HERE / "duckdb_sql.py"), "--rates", rates)),
        Program("per-event Beam", (python, str(HERE / "per_event_beam.py"), "--rates", rates)),
    )


def warm(file: Path) -> None:
    """Bring a file into the page cache, so that nobody pays for the disk."""
    with file.open("rb") as source:
        while source.read(16 << 20):
            pass
