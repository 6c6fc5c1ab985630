"""Which files of a live table are merged, and when those they replace may go: the plan alone.

Files lie on shelves, folders of a level. What was written at one moment is a file on a shelf of
level 0. A shelf that is full, with sixteen files or 32 MiB, becomes one file on a shelf of the next
level, so that the number of files grows with the logarithm of the time. A file of 32 MiB or more
is settled: it lies on no shelf and stays as it is.

The merged file appears while its shelf is still there. Then the shelf is superseded: it is hidden
from readers that look for files when every look that began before is over, and removed when those
who saw it have opened what they want.
"""

import threading
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

FAN_IN = 16
SETTLED_BYTES = 32 << 20  # a shelf of smaller files has less than twice that
_KEPT_S, _KEPT_BYTES = 60.0, 1 << 30  # for queries that open files late
_CROWD = 500


@dataclass
class Shelf:
    """A folder of files of one level: how many, and how many bytes."""

    name: str
    level: int
    files: int = 0
    size: int = 0

    @property
    def full(self) -> bool:
        """Whether it is to be merged."""
        return self.files >= FAN_IN or self.size >= SETTLED_BYTES


@dataclass
class Shelves:
    """The shelves of one table of a run, and how many files lie on none.

    Times are seconds of a clock that never goes back. Any thread may call it at any time.
    """

    grace_s: float
    settled: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)
    _filling: dict[int, Shelf] = field(default_factory=dict)
    _full: list[Shelf] = field(default_factory=list)
    _merging: list[Shelf] = field(default_factory=list)
    _superseded: deque[tuple[float, Shelf]] = field(default_factory=deque)
    _hidden: deque[tuple[float, Shelf]] = field(default_factory=deque)

    def __len__(self) -> int:
        """Count the files that readers find."""
        return self.settled + self._unsettled()

    @property
    def crowded(self) -> bool:
        """Whether merging has fallen so far behind that whoever adds files has to wait."""
        return self._unsettled() >= _CROWD

    @property
    def any_full(self) -> bool:
        """Whether there is something to merge."""
        return bool(self._full)

    def place(self, level: int | None, size: int) -> Shelf | None:
        """Choose the shelf for a file; None where it is settled: by its size, or without a level.

        It counts as being there. So the caller holds the lock until it is: no shelf is merged
        without a file that is placed on it.
        """
        with self.lock:
            if level is None or size >= SETTLED_BYTES:
                self.settled += 1
                return None
            new = Shelf(f"{level}-{uuid.uuid4().hex}", level)
            shelf = self._filling.pop(level, new)
            shelf.files += 1
            shelf.size += size
            self.put_back(shelf)
            return shelf

    def put_back(self, shelf: Shelf) -> None:
        """Take in a shelf: to go on filling it if it is not full and its level has no other."""
        with self.lock:
            if shelf.full or shelf.level in self._filling:
                self._full.append(shelf)
            else:
                self._filling[shelf.level] = shelf

    def due(self, most: int) -> Shelf | None:
        """Take a shelf of no more than `most` bytes to be merged, of the lowest level first."""
        with self.lock:
            small = [shelf for shelf in self._full if shelf.size <= most]
            shelf = min(small, key=lambda shelf: shelf.level, default=None)
            if shelf:
                self._full.remove(shelf)
                self._merging.append(shelf)
            return shelf

    def rest(self) -> list[Shelf]:
        """Take as many shelves as make one file of up to 64 MiB, for a run that ends."""
        with self.lock:
            group: list[Shelf] = []
            size = 0
            for shelf in sorted([*self._filling.values(), *self._full], key=lambda each: each.size):
                size += shelf.size
                if group and size > 2 * SETTLED_BYTES:
                    break
                group.append(shelf)
            self._filling = {
                level: shelf for level, shelf in self._filling.items() if shelf not in group
            }
            self._full = [shelf for shelf in self._full if shelf not in group]
            self._merging += group
            return group

    def supersede(self, shelves: Sequence[Shelf], now: float) -> None:
        """Note that the rows of these shelves are in another file by now."""
        with self.lock:
            self._merging = [shelf for shelf in self._merging if shelf not in shelves]
            self._superseded.extend((now, shelf) for shelf in shelves)

    def take_up_hidden(self, shelf: Shelf, now: float) -> None:
        """Note a shelf that an earlier process has hidden."""
        with self.lock:
            self._hidden.append((now, shelf))

    def to_hide(self, now: float) -> list[Shelf]:
        """Take those that no look may miss any more, the oldest first."""
        hidden = []
        with self.lock:
            while self._superseded and self._superseded[0][0] + self.grace_s / 2 <= now:
                self._hidden.append(self._superseded.popleft())
                hidden.append(self._hidden[-1][1])
        return hidden

    def to_remove(self, now: float) -> list[Shelf]:
        """Take those of the hidden ones that have been kept for long enough, the oldest first."""
        gone = []
        with self.lock:
            while self._hidden and self._removal() <= now:
                gone.append(self._hidden.popleft()[1])
        return gone

    def next_step(self) -> float | None:
        """Tell when the next shelf is to be hidden or removed, or None where there is none."""
        with self.lock:
            times = [at + self.grace_s / 2 for at, _ in list(self._superseded)[:1]]
            times += [self._removal()] if self._hidden else []
            return min(times, default=None)

    def _removal(self) -> float:
        many = sum(shelf.size for _, shelf in self._hidden) > _KEPT_BYTES
        return self._hidden[0][0] + (self.grace_s if many else max(self.grace_s, _KEPT_S))

    def _unsettled(self) -> int:
        with self.lock:
            superseded = [shelf for _, shelf in self._superseded]
            shelves = [*self._filling.values(), *self._full, *self._merging, *superseded]
            return sum(shelf.files for shelf in shelves)
