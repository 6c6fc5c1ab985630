"""Looks at the files of followed folders: which are new, which grew, and which are in trouble."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pipelines.inputs.tail_file import ShortFileError, TailFile
from pipelines.inputs.tail_folder import TailFolder

# what it takes to look at one file, at most, of the time until the next look (µs)
_HOT_PACE_US, _COLD_PACE_US = 20, 200
_COOLS_US = 5_000_000


class Moment(NamedTuple):
    """Now (µs): by the clock, which may be set, and by one that never steps."""

    clock_us: int
    steady_us: int

    @classmethod
    def now(cls) -> "Moment":
        """Read both clocks."""
        return cls(time.time_ns() // 1000, time.monotonic_ns() // 1000)


@dataclass
class _Tier:
    """Files that are looked at together, as often as a pace (µs for each file) allows."""

    pace_us: int
    files: dict[str, TailFile] = field(default_factory=dict)
    looked_us: int | None = None

    def due(self, now: Moment) -> list[TailFile]:
        wait = self.pace_us * len(self.files)
        if self.looked_us is not None and now.steady_us - self.looked_us < wait:
            return []
        self.looked_us = now.steady_us
        return list(self.files.values())


class TailWatch:
    """Folders and their files.

    Files that grew within seconds are looked at in each poll, others less often, so that looking
    takes a few percent of a core, whatever their number. What is wrong with a file is told to
    `report` once; `lost` counts such files. `left` are files by path that were read before, or are
    gone: should they come again, they are gone on with. Holds half a kilobyte for each file.
    """

    def __init__(
        self, folders: Sequence[str], left: dict[str, TailFile], report: Callable[[str], None]
    ) -> None:
        self.lost = 0
        self._folders = {each: TailFolder(each, report) for each in folders}
        self._left = left
        self._report = report
        self._hot, self._cold = _Tier(_HOT_PACE_US), _Tier(_COLD_PACE_US)

    @property
    def ended(self) -> bool:
        """Whether every folder has ended, so that all files are as long as they will be."""
        return all(folder.ended for folder in self._folders.values())

    @property
    def followed(self) -> int:
        """How many files there are."""
        return sum(len(folder.files) for folder in self._folders.values())

    def poll(self, now: Moment) -> Iterator[TailFile]:
        """Files that have changed: that grew, or ended, or of which nothing is to be had now."""
        for folder in self._folders.values():
            if folder.ended:
                continue
            # looked for first: what a writer wrote before `_END` is in the files by now
            ends = folder.has_end()
            names = folder.new_names(now.steady_us, at_once=ends)
            for name in names or ():
                yield from self._follow(folder, name, now)
            if ends and names is not None:
                yield from self._finish(folder, now)
        for tier in (self._hot, self._cold):
            for file in tier.due(now):
                yield from self._look(file, now)

    def unreadable(self, file: TailFile, error: Exception) -> None:
        """A file that cannot be read now is tried again later, as if it grew."""
        why = "it was cut meanwhile" if isinstance(error, ShortFileError) else str(error)
        self._trouble(file, f"cannot be read: {why}")
        file.leave()

    def _follow(self, folder: TailFolder, name: str, now: Moment) -> Iterator[TailFile]:
        path = f"{folder.path}/{name}"
        file = self._left.pop(path, None) or TailFile(path)
        folder.files[name] = file
        self._put(file, self._hot)
        yield from self._look(file, now)

    def _put(self, file: TailFile, tier: _Tier | None) -> None:
        for each in (self._hot, self._cold):
            if each is not tier:
                each.files.pop(file.path, None)
        if tier is not None:
            tier.files[file.path] = file

    def _finish(self, folder: TailFolder, now: Moment) -> Iterator[TailFile]:
        """A folder ends: its files go as far as they go now."""
        folder.ended = True
        for file in list(folder.files.values()):
            yield from self._look(file, now)
        for file in folder.files.values():
            self._put(file, None)
            file.end_here()
            yield file

    def _look(self, file: TailFile, now: Moment) -> Iterator[TailFile]:
        try:
            status = os.stat(file.path)  # noqa: PTH116 - half the time of Path.stat
            identity = status.st_dev, status.st_ino
            # one that grew may have been written anew, and be longer than it was
            grew = file.identity == identity and status.st_size > file.size
            same = (file.identity in (None, identity) and not grew) or file.goes_on()
        except FileNotFoundError:
            yield from self._gone(file)
            return
        except OSError as error:
            self.unreadable(file, error)
            yield file
            return
        if not same or status.st_size < file.given:
            yield from self._replaced(file)
            return
        file.identity = identity
        if status.st_size < file.size:
            self._trouble(file, "was cut before it was read to its end")
            file.leave()
            yield file
        if status.st_size > file.size:
            file.size, file.grew_us = status.st_size, now.steady_us
            self._put(file, self._hot)
            yield file
        elif now.steady_us - file.grew_us > _COOLS_US:
            self._put(file, self._cold)

    def _gone(self, file: TailFile) -> Iterator[TailFile]:
        if file.size > file.given:
            self._trouble(file, "was removed before it was read to its end")
        yield from self._leave(file)

    def _replaced(self, file: TailFile) -> Iterator[TailFile]:
        self._trouble(
            file,
            "was cut or replaced after records of it were read, and is read no more in this run:"
            " new records belong into a file of a new name",
        )
        yield from self._leave(file)

    def _leave(self, file: TailFile) -> Iterator[TailFile]:
        """Follow a file no more, unless it comes again."""
        self._put(file, None)
        folder, _, _ = file.path.rpartition("/")
        self._folders[folder].forget(file.path)
        self._left[file.path] = file
        file.leave()
        yield file

    def _trouble(self, file: TailFile, what: str) -> None:
        if not file.reported:
            self.lost += 1
            self._report(f"{file.path} {what} ({file.given} bytes of it were read)")
        file.reported = True
