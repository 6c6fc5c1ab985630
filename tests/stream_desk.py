"""A desk to make live runs at: folders that are followed, and the command, as a process of its own.

Nothing here waits for a time: it waits until the journal, a table or the command says something.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner, Result

from pipelines import warehouse
from pipelines.command import main
from pipelines.journal import COLUMNS
from runs_desk import CATALOG, RATES

METERBEAM = Path(sys.executable).with_name("meterbeam")
LIMIT_S = 60.0
_POLL_S, _AGAIN_S = 0.005, 0.3


def until(what: Callable[[], Any], still: Callable[[], None] = lambda: None) -> Any:
    """Waits until something is so; `still` may raise to say that it never will be."""
    end = time.monotonic() + LIMIT_S
    while not (found := what()):
        still()
        assert time.monotonic() < end, f"still waiting for {what}"
        time.sleep(_POLL_S)
    return found


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it is gone
            continue
        parents.setdefault(parent, []).append(int(stat.parent.name))
    found, new = [], [pid]
    while new:
        new = [child for each in new for child in parents.get(each, [])]
        found += new
    return found


class Command:
    """`meterbeam run …` in a process group of its own, from its start to its end."""

    def __init__(self, errors: Path, arguments: list[str]) -> None:
        self._errors, self._started = errors, set[int]()
        with errors.open("w") as file:
            self.process = subprocess.Popen(
                [str(METERBEAM), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
                start_new_session=True,
            )

    @property
    def errors(self) -> str:
        """What it has written to standard error so far."""
        return self._errors.read_text()

    def still(self) -> None:
        """It has not ended."""
        self._started.update(descendants(self.process.pid))
        assert self.process.poll() is None, (self.process.returncode, self.errors)

    def until(self, what: Callable[[], Any]) -> Any:
        """Waits until something is so, while it runs."""
        return until(what, self.still)

    def ends(self) -> int:
        """Waits for its end; no process of it is left then."""
        until(self._ended)
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in self._started))
        return self.process.returncode

    def _ended(self) -> bool:
        self._started.update(descendants(self.process.pid))
        return self.process.poll() is not None

    def send(self, number: signal.Signals) -> None:
        """A signal to the command alone."""
        self.process.send_signal(number)

    def interrupt(self) -> None:
        """A second signal: one just after the first would be taken for the same."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_AGAIN_S)
        self.send(signal.SIGTERM)

    def kill(self) -> None:
        """Kill -9 of its process group; its engine has to go by itself."""
        engines = descendants(self.process.pid)
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in engines))


class StreamDesk:
    """A folder with a catalog, rates, a folder `in` that is followed, and an output `out`."""

    def __init__(
        self,
        folder: Path,
        catalog: str = CATALOG,
        rates: dict[str, str] | None = None,
        source: str = "recorded",
    ) -> None:
        self.folder, self.source = folder, source
        self.inputs, self.out, self.rates = folder / "in", folder / "out", folder / "rates"
        self.inputs.mkdir()
        self.catalog = folder / "catalog.yaml"
        self.catalog.write_text(catalog)
        self.rates.mkdir()
        for name, text in ({"rates.csv": RATES} if rates is None else rates).items():
            (self.rates / name).write_text(text, newline="")
        self._starts = 0

    def arguments(self, *more: object, out: Path | None = None) -> list[str]:
        """What `meterbeam` is told, without inputs."""
        usual: list[object] = ["run", "--quiet", "--catalog", self.catalog, "--source", self.source]
        usual += ["--rates", self.rates] if any(self.rates.iterdir()) else []
        return [str(each) for each in [*usual, "--output", out or self.out, *more]]

    def streaming(self, *more: object, inputs: Path | None = None) -> list[str]:
        """The same for a stream of the folder, with the run id `live`."""
        usual = ["--streaming", "--input", f"tail:{inputs or self.inputs}", "--run-id", "live"]
        return self.arguments(*usual, *more)

    @contextmanager
    def command(self, *more: object) -> Iterator[Command]:
        """The stream as a process; whatever happens, it is gone in the end."""
        self._starts += 1
        running = Command(self.folder / f"errors-{self._starts}.txt", self.streaming(*more))
        try:
            yield running
        finally:
            if running.process.poll() is None:
                running.kill()

    def here(self, arguments: list[str], fails: int = 0) -> Result:
        """The command in this process."""
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == fails, (done.output, done.exception)
        return done

    def append(self, name: str, data: bytes) -> None:
        """Lets a followed file grow."""
        with (self.inputs / name).open("ab") as file:
            file.write(data)

    def end(self) -> None:
        """Nothing will come any more."""
        (self.inputs / "_END").touch()

    def given(self) -> dict[str, int]:
        """To where the stream has read each file, by its name: what its journal says."""
        journal = self.out / ".stream-live" / "journal"
        names = journal.with_name("names")
        if not names.exists() or not journal.exists():
            return {}
        data = journal.read_bytes()[COLUMNS.itemsize :]
        entries = np.frombuffer(data[: len(data) // COLUMNS.itemsize * COLUMNS.itemsize], COLUMNS)
        lines = names.read_bytes().split(b"\n")[:-1]
        paths = [Path(json.loads(line)).name for line in lines]
        found = Counter[str]()
        for path, end in zip(entries["path"].tolist(), entries["end"].tolist(), strict=True):
            if path < len(paths):
                found[paths[path]] = max(found[paths[path]], end)
        return dict(found)

    def batches(self) -> int:
        """How many micro-batches the stream has read."""
        journal = self.out / ".stream-live" / "journal"
        return max(journal.stat().st_size // COLUMNS.itemsize - 1, 0) if journal.exists() else 0

    def has_read(self, ends: dict[str, int]) -> bool:
        """Whether the stream has read as far as this."""
        given = self.given()
        return all(given.get(name, 0) >= end for name, end in ends.items())

    @contextmanager
    def reader(self, out: Path | None = None) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
        """Somebody who asks more than once."""
        with warehouse.connect(out or self.out) as connection:
            yield lambda sql: connection.execute(sql).fetchall()

    def ask(self, sql: str, out: Path | None = None) -> list[tuple[Any, ...]]:
        """What a reader sees now."""
        with self.reader(out) as ask:
            return ask(sql)

    def began(self) -> bool:
        """Whether the run is there to be seen."""
        return any((self.out / "runs" / "live").glob("[!.]*"))

    def has_ended(self) -> bool:
        """Whether nothing will come any more."""
        return (self.inputs / "_END").exists()

    def status(self) -> str:
        """That of the run."""
        ((status,),) = self.ask("SELECT status FROM runs WHERE run_id = 'live'")
        return str(status)

    def events(self) -> int:
        """How many events a reader sees."""
        ((count,),) = self.ask("SELECT COUNT(*) FROM events")
        return int(count)
