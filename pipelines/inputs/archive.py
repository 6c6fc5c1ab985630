"""An earlier output as input: its events, each once, with their source, arrival and origin.

Events are those under `events/<run_id>/` of batch runs that succeeded and of all streaming runs.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.inputs import event_files
from pipelines.inputs.block import Block
from pipelines.inputs.event_files import Amount, Needed, has_clocked, read_events, reading
from pipelines.inputs.find import InputFile

_ATTEMPTS = 5


@dataclass(frozen=True)
class _Run:
    """A run of an output: its folder's name, and what its rows in `runs` say."""

    folder: str
    mode: str
    statuses: frozenset[str]
    started_us: int
    digest: str | None

    @property
    def counts(self) -> bool:
        return self.mode == "streaming" or "succeeded" in self.statuses

    @property
    def is_live(self) -> bool:
        """Whether it is a stream that has not ended, or was killed."""
        return self.mode == "streaming" and self.statuses == {"running"}


def read_archive(
    file: InputFile, block_bytes: int, needed: Needed | None = None
) -> Iterator[Block]:
    """Events of an output, all or those that are needed; see `read_events`."""
    with reading(file.path):
        out = Path(file.path)
        runs = _runs(out)
        wanted = _known_to_be_enough(out, runs, needed)
        with _held(out, runs) as files:
            yield from read_events(file.path, files, block_bytes, wanted)


def amount(out: str, needed: Needed | None) -> Amount:
    """How much there is to read. Raises InputReadError."""
    with reading(out):
        runs = _runs(Path(out))
        wanted = _known_to_be_enough(Path(out), runs, needed)
        with _held(Path(out), runs) as files:
            return event_files.amount(out, files, wanted)


def clock_arrivals(out: str, sources_with_recorded_arrival: Collection[str]) -> bool:
    """Whether an output has events that arrived by the clock of a batch run, when it began.

    Such an arrival says nothing of when the event came. Events of the sources given brought
    theirs along. Raises InputReadError.
    """
    with reading(out):
        runs = _runs(Path(out))
        starts = [run.started_us for run in runs if run.mode == "batch"]
        files = _event_files(Path(out), runs)
        return has_clocked(files, sources_with_recorded_arrival, starts)


def sources(out: str) -> set[str]:
    """The names of the sources that the events of an output are of. Raises InputReadError."""
    with reading(out), _held(Path(out), _runs(Path(out))) as files:
        return event_files.sources_in(files)


def is_live(out: str) -> bool:
    """Whether a stream may be writing into an output. Raises InputReadError."""
    with reading(out):
        return any(run.is_live for run in _runs(Path(out)))


def _known_to_be_enough(out: Path, runs: list[_Run], needed: Needed | None) -> Needed | None:
    if needed is None:
        return None
    others = [run for run in runs if run.digest != needed.digest]
    with _held(out, others) as files:
        return needed if event_files.sources_in(files) <= needed.fixed else None


def _runs(out: Path) -> list[_Run]:
    """The runs of an output, in the order of their folders' names."""
    found = []
    columns = ["mode", "status", "started_at", "catalog_digest"]
    for folder in sorted((out / "runs").glob("*/")):
        # not read_table(), which takes a = in a path for a column
        rows = [
            row
            for file in _parquet_files(folder)
            for row in pq.ParquetFile(file).read(columns).to_pylist()
        ]
        if rows:
            started = pa.scalar(rows[0]["started_at"], pa.timestamp("us", "UTC")).value
            statuses = frozenset(row["status"] for row in rows)
            digests = {row["catalog_digest"] for row in rows}
            digest = digests.pop() if len(digests) == 1 else None
            found.append(_Run(folder.name, rows[0]["mode"], statuses, started, digest))
    return found


@contextmanager
def _held(out: Path, runs: list[_Run]) -> Iterator[list[Path]]:
    """The files of events of the runs that count, which stay there meanwhile.

    A stream puts its files together, and those that it made others of are gone a minute later.
    Another name for each, in a folder of ours, keeps them. (It is left behind by a process that is
    killed; where it cannot be made, the files are read as they are.)
    """
    if not any(run.is_live for run in runs) or not os.access(out, os.W_OK):
        yield _event_files(out, runs)
        return
    with TemporaryDirectory(prefix=".reading-", dir=out) as folder:
        yield _linked(out, runs, Path(folder))


def _linked(out: Path, runs: list[_Run], folder: Path) -> list[Path]:
    for attempt in range(_ATTEMPTS):
        place = folder / str(attempt)
        place.mkdir()
        found = _event_files(out, runs)
        try:
            for number, file in enumerate(found):
                os.link(file, place / f"{number}.parquet")
        except FileNotFoundError:  # gone since it was listed, and in another file by now
            continue
        except OSError:
            return found
        return [place / f"{number}.parquet" for number in range(len(found))]
    return _event_files(out, runs)


def _event_files(out: Path, runs: list[_Run]) -> list[Path]:
    """The files of events of the runs that count."""
    folders = [out / "events" / run.folder for run in runs if run.counts]
    return [file for folder in folders for file in _parquet_files(folder)]


def _parquet_files(folder: Path) -> list[Path]:
    # one with a dot in front is still being written; those of a stream may be in folders
    return sorted(folder.glob("**/[!.]*.parquet"))
