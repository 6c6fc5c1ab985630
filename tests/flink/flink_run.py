"""A batch run of the command on the cluster, as a process of its own, and what may happen to it."""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flink_cluster import OPTIONS, TASK_MANAGERS, Cluster

METERBEAM = Path(sys.executable).with_name("meterbeam")
LIMIT_S = 240.0
_MISSED_S = 10.0


class FlinkRun:
    """`meterbeam run …`, from its start to its end."""

    def __init__(self, flink: Cluster, arguments: Sequence[str], out: Path, *more: str) -> None:
        self._flink, self._out = flink, out
        self._before = len(flink.jobs())
        self.process = subprocess.Popen(
            [str(METERBEAM), *arguments, *OPTIONS, *more],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ends(self) -> tuple[int, str]:
        """Its exit code, and what it said."""
        _, said = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode, said

    def until(self, what: Callable[[], Any]) -> Any:
        """Waits until something is so, while the command runs."""
        end = time.monotonic() + LIMIT_S
        while not (found := what()):
            assert self.process.poll() is None, "\n".join(map(str, self.ends()))
            assert time.monotonic() < end, f"still waiting for {what}"
            time.sleep(0.05)
        return found

    def until_it_writes(self, files: int) -> None:
        """Waits until the job runs, and so many more files are begun."""
        self.until(self._runs)
        before = self._begun()
        self.until(lambda: len(self._begun() - before) >= files)

    def _runs(self) -> bool:
        jobs = self._flink.jobs()
        return len(jobs) > self._before and jobs[-1]["state"] == "RUNNING"

    def _begun(self) -> set[Path]:
        tables = ("events", "usage", "rejects", "ledger")
        return {file for table in tables for file in self._out.glob(f"{table}/*/*.parquet")} | {
            file for table in tables for file in self._out.glob(f"{table}/*/.*.parquet")
        }

    def end(self) -> None:
        """Whatever happens, it is gone."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def restarts(flink: Cluster) -> int:
    """How often Flink has begun the newest job anew."""
    job = flink.jobs()[-1]["jid"]
    return len(flink.ask(f"jobs/{job}/exceptions")["exceptionHistory"]["entries"])


def until_it_is_missed(flink: Cluster, before: int) -> None:
    """Waits until Flink has found out that something died, if it needed that."""
    end = time.monotonic() + _MISSED_S
    while restarts(flink) == before and time.monotonic() < end:
        time.sleep(0.1)


def kill_something(flink: Cluster, chance: random.Random, what: str) -> str:
    """Kill -9 of a TaskManager or of a Python worker, and which it was."""
    workers = flink.workers()
    if what == "worker" and workers:
        pid = chance.choice(workers)
        flink.kill_worker(pid)
        return f"worker {pid}"
    number = chance.choice(flink.at_work() or range(TASK_MANAGERS))
    return f"TaskManager {number} ({flink.kill_task_manager(number)})"
