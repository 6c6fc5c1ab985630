"""The folder of one table of a live run: files appear in it, are merged, and go, under readers.

    OUT/<table>/<run_id>/*.parquet              settled files
    OUT/<table>/<run_id>/<shelf>/*.parquet      files that are still to be merged
    OUT/.superseded-<run_id>/<table>/<shelf>    hidden shelves; a link stands where each one was

Readers list files, and open them later by their paths. A file that is still listed can never be
removed: somebody may have listed it just before. Hence the links: a search for `**` passes over a
link to a folder, so nobody finds the files any more, while paths found earlier still lead to them.

A merged file names the shelves it was made of. Where a process is killed before it hid them, rows
are in two files, which the views give once, and the next process hides them.
"""

import ctypes
import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa

from pipelines.compaction import Shelf, Shelves
from pipelines.live_files import made_of, write_merged, write_rows
from transforms.tables import TABLES

_HIGHEST = 9  # a name has one digit for the level
_SHELF = re.compile(r"\d-[0-9a-f]{32}")
_CWD, _EXCHANGE = -100, 2  # of renameat2(2)


class LiveFolder:
    """See above. One thread writes while another merges, hides and removes. Raises OSError."""

    def __init__(
        self,
        out: Path,
        table: str,
        run_id: str,
        *,
        grace_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = out / table / run_id
        self.shelves = Shelves(grace_s)
        self.schema = TABLES[table]
        self._clock = clock
        self._hidden = out / f".superseded-{run_id}" / table
        self._to_hidden = Path("../..", *self._hidden.relative_to(out).parts)

    def open(self) -> None:
        """Make the folder, or take up what an earlier process of the run left in it.

        What it had not finished is removed. So are files without a whole footer, as a power failure
        leaves them: their rows are written again when the run is taken up.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        paths, links = sorted(self.path.iterdir()), set[str]()
        for path in paths:
            if path.is_symlink():
                links.add(path.name)
            elif path.name.startswith("."):
                path.unlink()
        settled, superseded = _whole_files(self.path)
        self.shelves.settled = len(settled)
        found = []
        for path in paths:
            if _SHELF.fullmatch(path.name) and path.name not in links:
                files, made_of_these = _whole_files(path)
                superseded |= made_of_these
                size = sum(file.stat().st_size for file in files)
                found.append(Shelf(path.name, int(path.name[0]), len(files), size))
        for shelf in found:
            if shelf.name in superseded or not shelf.files:
                self.shelves.supersede([shelf], self._clock())
            else:
                self.shelves.put_back(shelf)
        self._take_up_hidden(links)

    def write(self, batches: list[pa.RecordBatch]) -> None:
        """Let a file of these rows appear."""
        with self._appearing(0) as aside:
            write_rows(aside, self.schema, batches)

    def merge(
        self, shelves: Sequence[Shelf], between: Callable[[], None], *, settled: bool = False
    ) -> None:
        """Let a file of all rows of some shelves appear, on none if it is to be settled."""
        level = min(max(shelf.level for shelf in shelves) + 1, _HIGHEST)
        folders = [self.path / shelf.name for shelf in shelves]
        with self._appearing(None if settled else level) as aside:
            write_merged(aside, self.schema, folders, between)
        self.shelves.supersede(shelves, self._clock())

    def hide(self, now: float) -> None:
        """Hide the shelves that are superseded for long enough by this time."""
        for shelf in self.shelves.to_hide(now):
            self._hidden.mkdir(parents=True, exist_ok=True)
            (self._hidden / shelf.name).symlink_to(self._to_hidden / shelf.name)
            _exchange(self._hidden / shelf.name, self.path / shelf.name)

    def remove(self, now: float) -> None:
        """Remove the shelves that are hidden for long enough by this time."""
        for shelf in self.shelves.to_remove(now):
            (self.path / shelf.name).unlink(missing_ok=True)
            _remove(self._hidden / shelf.name)

    def close(self) -> None:
        """Remove the folder of what is hidden, which is empty by now."""
        for folder in (self._hidden, self._hidden.parent):
            with suppress(OSError):  # there was none, or other tables have some
                folder.rmdir()

    @contextmanager
    def _appearing(self, level: int | None) -> Iterator[Path]:
        """Give a path that readers pass over, and put what is written there in its place."""
        aside = self.path / f".{uuid.uuid4().hex}.parquet"
        try:
            yield aside
            with self.shelves.lock:
                shelf = self.shelves.place(level, aside.stat().st_size)
                target = self.path / (shelf.name if shelf else "") / aside.name[1:]
                target.parent.mkdir(exist_ok=True)
                aside.rename(target)
        finally:
            aside.unlink(missing_ok=True)

    def _take_up_hidden(self, links: set[str]) -> None:
        for name in links:
            self.shelves.take_up_hidden(Shelf(name, 0), self._clock())
        if self._hidden.is_dir():
            for path in self._hidden.iterdir():
                if path.name not in links or path.is_symlink():
                    _remove(path)


def _whole_files(folder: Path) -> tuple[list[Path], set[str]]:
    """Find the files of a folder, remove those that are not whole, and give what they replace."""
    files, superseded = [], set[str]()
    for path in sorted(folder.glob("[!.]*.parquet")):
        shelves = made_of(path)
        if shelves is None:
            logging.getLogger(__name__).warning("%s is not a whole file and is removed", path)
            path.unlink()
        else:
            files.append(path)
            superseded.update(shelves)
    return files, superseded


def _remove(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def _exchange(link: Path, folder: Path) -> None:
    """Let a link and a folder change names, at once where the system can do that."""
    swap = getattr(ctypes.CDLL(None), "renameat2", None)
    if swap is None or swap(_CWD, os.fsencode(link), _CWD, os.fsencode(folder), _EXCHANGE):
        # a reader that opens a file of this folder at just this instant fails
        other = link.with_name(f"{link.name}.link")
        link.rename(other)
        folder.rename(link)
        other.rename(folder)
