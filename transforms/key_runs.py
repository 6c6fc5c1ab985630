"""All keys that one bucket holds: few searches find any, and a few more are added fast.

Most keys stand in leaves, each with those from its first key up to the first of the next. New keys
come into a few short runs, each several times as long as the next. Once they have become a 32nd of
all, each leaf is given its share of them, and takes it in when its turn comes: some leaves with an
addition. So that takes some milliseconds at most, however many keys there are.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from transforms.sorted_keys import BYTES_A_KEY, SortedKeys, joined

NOBODY = np.iinfo(np.int64).min  # since long before anything can have arrived
_RATIO = 8  # how many times as long as the next a run is at least
_SHORT = 1 << 10  # keys of a run that is copied whenever some are added
_SHARE = 32  # which part of all keys the runs may be
_LONGEST = 1 << 19  # keys of a leaf: some milliseconds to copy, and 12 MiB
_SEGMENT = 1 << 15  # most keys in one segment of state: 768 KiB


@dataclass
class _Leaf:
    """The keys of one range, and those that are to be taken in, which hold what is in both."""

    first: int  # the high word from which on keys belong here
    keys: SortedKeys
    later: SortedKeys | None = None

    @property
    def runs(self) -> list[SortedKeys]:
        return [self.keys] if self.later is None else [self.keys, self.later]

    def merged(self) -> SortedKeys:
        return self.keys if self.later is None else self.keys.merged(self.later)


class KeyRuns:
    """Keys with their holders: 24 bytes a key, and some more for what is being merged."""

    def __init__(self, segments: Iterable[bytes] = ()) -> None:
        """From segments of state, in any order."""
        self._leaves = list(_leaves(0, SortedKeys.of(segments)))
        self._recent: list[SortedKeys] = []
        self._waiting = 0  # leaves that may have something to take in: the first so many

    def __len__(self) -> int:
        return sum(map(len, self._runs()))

    @property
    def nbytes(self) -> int:
        """What the keys take in memory."""
        return BYTES_A_KEY * len(self)

    @property
    def oldest(self) -> int | None:
        """Since when the one is held that is held longest (µs); None without keys."""
        found = (run.oldest for run in self._runs())
        return min((since for since in found if since is not None), default=None)

    def _runs(self) -> Iterator[SortedKeys]:
        for leaf in self._leaves:
            yield from leaf.runs
        yield from self._recent

    def holders(self, high: np.ndarray, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Since when some keys, given in their order, are held (µs), and what their holders say."""
        since = np.full(len(high), NOBODY)
        said = np.zeros(len(high), np.uint64)
        for run, rows in self._where(high):  # a later run has the later holder
            at, found = run.place(high[rows], rest[rows])
            asked = found.nonzero()[0]
            if len(asked):
                of = run.rows(at[asked])
                asked += rows.start
                since[asked], said[asked] = of.since, of.said
        return since, said

    def _where(self, high: np.ndarray) -> Iterator[tuple[SortedKeys, slice]]:
        """The runs, and which of some keys may be in each."""
        for leaf, rows in self._shares(high):
            for run in leaf.runs:
                yield run, rows
        for run in self._recent:
            yield run, slice(0, len(high))

    def _shares(self, high: np.ndarray) -> Iterator[tuple[_Leaf, slice]]:
        """The leaves that some sorted keys belong to, and which to each."""
        if len(self._leaves) == 1:
            yield self._leaves[0], slice(0, len(high))
            return
        firsts = np.array([leaf.first for leaf in self._leaves[1:]], np.uint64)
        cuts = [0, *high.searchsorted(firsts).tolist(), len(high)]
        for leaf, (start, end) in zip(self._leaves, pairwise(cuts), strict=True):
            if start < end:
                yield leaf, slice(start, end)

    def add(self, keys: SortedKeys) -> None:
        """Takes in some more keys; each is held later than before, if it was."""
        if not len(keys):
            return
        for _ in range(1 + 2 * _SHARE * len(keys) // _LONGEST):  # all, before they get more
            self._take_in()
        self._recent.append(keys)
        while len(self._recent) > 1 and _to_merge(*map(len, self._recent[-2:])):
            later = self._recent.pop()
            self._recent[-1] = self._recent[-1].merged(later)
        if sum(map(len, self._recent)) * _SHARE > max(len(self), _SHORT * _SHARE):
            self._hand_out()

    def _hand_out(self) -> None:
        """Gives each leaf its share of the runs."""
        while self._waiting:
            self._take_in()
        while len(self._recent) > 1:
            later = self._recent.pop()
            self._recent[-1] = self._recent[-1].merged(later)
        whole = self._recent.pop()
        for leaf, rows in self._shares(whole.high):
            alone = len(self._leaves) == 1  # a slice would keep the whole of it in memory
            leaf.later = whole if alone else joined([whole.rows(rows)])
        self._waiting = len(self._leaves)

    def _take_in(self) -> None:
        """Lets the next leaf take in what it was given; one that has become too long is cut."""
        if self._waiting:
            self._waiting -= 1
            leaf = self._leaves[self._waiting]
            if leaf.later is not None:
                at = slice(self._waiting, self._waiting + 1)
                self._leaves[at] = _leaves(leaf.first, leaf.merged())

    def forget(self, moment: int) -> None:
        """Drops the keys that have been held since before this moment (µs)."""
        self._recent = [run for run in (_since(run, moment) for run in self._recent) if len(run)]
        leaves, self._leaves = self._leaves[::-1], []
        self._waiting = 0
        while leaves:  # popped, so that the memory of each is free before the next
            leaf = leaves.pop()
            self._append(leaf.first, _since(leaf.merged(), moment))

    def _append(self, first: int, keys: SortedKeys) -> None:
        """One more leaf, or more keys in the last one if both are short."""
        before = self._leaves[-1] if self._leaves else None
        if before is None or len(before.keys) + len(keys) > _LONGEST // 2:
            self._leaves.append(_Leaf(first, keys))
        elif len(keys):
            before.keys = joined([before.keys, keys])

    def segments(self) -> list[bytes]:
        """All keys as segments of state."""
        return [
            run.rows(slice(at, at + _SEGMENT)).to_bytes()
            for run in self._runs()
            for at in range(0, len(run), _SEGMENT)
        ]


def _leaves(first: int, keys: SortedKeys) -> Iterator[_Leaf]:
    """Keys as one leaf, or if they are too many as several of half the length."""
    if len(keys) <= _LONGEST:
        yield _Leaf(first, keys)
        return
    parts = 2 * len(keys) // _LONGEST
    begins = keys.high[np.arange(parts) * len(keys) // parts]
    cuts = np.unique(keys.high.searchsorted(begins)).tolist()  # not between keys of one high word
    for start, end in pairwise([*cuts, len(keys)]):
        part = joined([keys.rows(slice(start, end))])  # a slice would keep the whole in memory
        yield _Leaf(int(part.high[0]) if start else first, part)


def _to_merge(run: int, later: int) -> bool:
    return run < _SHORT or later * _RATIO > run


def _since(run: SortedKeys, moment: int) -> SortedKeys:
    visible = run.since >= moment
    return run if visible.all() else run.rows(visible)
