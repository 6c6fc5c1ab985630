"""State of a key that the worker also holds in memory, decoded, so that it is rarely read back.

Most engines give a bundle the state of its keys anew, so a state of many megabytes would be read
for every small batch. Here an element only appends to it, and the memory it was decoded to stays in
the worker. A cell beside the state holds a random token, which each change renews together with the
state; the memory counts only while the token in the cell is the one it was kept under. So the
memory of a bundle that failed, or of a worker that the key has left, is never used.

A memory belongs to whoever has opened it: meanwhile nobody else finds it, who then reads the state.

A token that another one was expected for is counted and reported: on a cluster work was moved or
repeated, on one machine the engine lost a change.
"""

import logging
import secrets
import struct
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, cast

from transforms.metrics import STATE_RELOADED

_LOG = logging.getLogger(__name__)
_MARK = struct.Struct("<16sIQQ")  # see the fields of `Held`
_NUMBER = struct.Struct("<Q")
_MANY = 256  # as many segments in `recent` become one in `older`
_LARGE = 1 << 14  # a segment of so many bytes goes to `older` at once
_GENEROUS = 2 << 30


class Memory(Protocol):
    """What a state is decoded to."""

    @property
    def nbytes(self) -> int:
        """What it takes in memory, at least about."""


M = TypeVar("M", bound=Memory)
Build = Callable[[Sequence[bytes]], M]
Join = Callable[[Sequence[bytes]], bytes]
Place = tuple[str, Hashable]  # a name that one step of one job has, and the key


@dataclass(frozen=True)
class States:
    """The state of one key: a cell of bytes and two bags of bytes.

    New segments go to `recent`; so many of them are small that they are joined now and then.
    """

    mark: Any  # ReadModifyWriteStateSpec
    recent: Any  # BagStateSpec
    older: Any  # BagStateSpec


@dataclass
class Held(Generic[M]):
    """The memory of one key and its state, for as long as it is open. Change both, or neither."""

    memory: M
    states: States
    join: Join
    token: bytes = b""  # what the cell holds; empty where there is no state
    recent: int = 0  # segments in that bag
    last: int = 0  # the number of the last segment: bags promise no order
    stored: int = 0  # bytes of all segments

    def append(self, segment: bytes) -> None:
        """Adds to the state what the memory has been given."""
        if len(segment) >= _LARGE:
            self._join_recent()
            self._add(self.states.older, segment)
        else:
            self._add(self.states.recent, segment)
            self.recent += 1
            if self.recent >= _MANY:
                self._join_recent()
        self._renew()

    def rewrite(self, segments: Sequence[bytes]) -> None:
        """Puts these in place of the whole state; with none nothing is left of it."""
        self.states.recent.clear()
        self.states.older.clear()
        self.recent = self.stored = 0
        for segment in segments:
            self._add(self.states.older, segment)
        if segments:
            self._renew()
        else:
            self.states.mark.clear()
            self.token = b""

    def _join_recent(self) -> None:
        if self.recent:
            pieces = in_order(self.states.recent.read())
            self.states.recent.clear()
            self.stored -= sum(map(len, pieces))
            self._add(self.states.older, self.join(pieces))
            self.recent = 0

    def _add(self, bag: Any, segment: bytes) -> None:
        self.last += 1
        self.stored += len(segment)
        bag.add(_NUMBER.pack(self.last) + segment)

    def _renew(self) -> None:
        self.token = secrets.token_bytes(16)
        self.states.mark.write(_MARK.pack(self.token, self.recent, self.last, self.stored))


def in_order(*bags: Iterable[bytes]) -> list[bytes]:
    """The segments of bags in the order in which they were appended."""
    numbered = [(_NUMBER.unpack_from(each)[0], each) for bag in bags for each in bag]
    return [each[_NUMBER.size :] for _, each in sorted(numbered)]


class _Kept(NamedTuple):
    token: bytes
    memory: Memory
    nbytes: int


class Memories:
    """The memories of a worker process: those used last, up to a number of bytes."""

    def __init__(self, limit: int = _GENEROUS) -> None:
        self.limit = limit
        self.reloaded = 0  # how often a memory was there, but under another token
        self.nbytes = 0  # of all memories that nobody has open
        self._held: OrderedDict[Place, _Kept] = OrderedDict()
        self._warned: set[Place] = set()
        self._lock = threading.Lock()

    @contextmanager
    def open(self, place: Place, states: States, build: Build[M], join: Join) -> Iterator[Held[M]]:
        """The memory of a key, from this worker or built from its segments.

        What is done inside, and does not fail, is kept for the next element; after an exception
        the memory is built anew. `build` is given all segments in the order in which they were
        appended, `join` makes one segment of many.
        """
        mark = states.mark.read()
        token, *numbers = _MARK.unpack(mark) if mark else (b"",)
        memory = self._take(place, token)
        if memory is None:
            bags = (states.older.read(), states.recent.read()) if mark else ()
            memory = build(in_order(*bags))
        held = Held(cast("M", memory), states, join, token, *numbers)
        yield held
        if held.token:
            self._keep(place, held.token, held.memory)

    def __contains__(self, place: Place) -> bool:
        return place in self._held

    def _take(self, place: Place, token: bytes) -> Memory | None:
        with self._lock:
            kept = self._drop(place)
        if kept and kept.token != token:
            self._report(place)
            return None
        return kept and kept.memory

    def _keep(self, place: Place, token: bytes, memory: Memory) -> None:
        kept = _Kept(token, memory, memory.nbytes)
        with self._lock:
            self._drop(place)
            self._held[place] = kept
            self.nbytes += kept.nbytes
            while len(self._held) > 1 and self.nbytes > self.limit:
                self._drop(next(iter(self._held)))

    def _drop(self, place: Place) -> _Kept | None:
        kept = self._held.pop(place, None)
        self.nbytes -= kept.nbytes if kept else 0
        return kept

    def _report(self, place: Place) -> None:
        STATE_RELOADED.inc()
        with self._lock:
            self.reloaded += 1
            first = place not in self._warned
            self._warned.add(place)
        if first:
            _LOG.warning(
                "the state of key %s is not the one this worker wrote last; it is read again. "
                "This is normal where work was moved or repeated",
                place[1],
            )


HELD = Memories()
