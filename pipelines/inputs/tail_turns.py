"""Which of many files gives out its batch next."""

import heapq
from collections.abc import Iterator

from pipelines.inputs.tail_file import TailFile
from pipelines.inputs.tail_watch import Moment

_Place = tuple[int, int, str, TailFile]


class TailTurns:
    """Files with lines that were not given out: some ready, some waiting for more or for a time.

    Of those that are ready that one comes first whose next record arrived first, then whose turn is
    the longest ago. A file that does not say when its records arrived comes with the first of them.
    """

    def __init__(self, batch_us: int) -> None:
        self._batch_us = batch_us
        self._waiting: dict[str, TailFile] = {}
        self._ready: dict[str, _Place] = {}
        self._places: list[_Place] = []  # a heap; a place that is not in `_ready` counts no more

    def __len__(self) -> int:
        return len(self._waiting) + len(self._ready)

    def __contains__(self, file: TailFile) -> bool:
        return file.path in self._waiting or file.path in self._ready

    def __iter__(self) -> Iterator[TailFile]:
        """All of them. Any thread may ask."""
        yield from list(self._waiting.values())
        for place in list(self._ready.values()):
            yield place[-1]

    @property
    def held_us(self) -> int | None:
        """The earliest arrival there may be among what is unread; None where no file says so."""
        known = [each.arrival_us for each in self._waiting.values() if each.arrival_us is not None]
        first = self._first()
        if first is not None and first[0]:
            known.append(first[0])
        return min(known, default=None)

    def put(self, file: TailFile) -> None:
        """A file has lines, or more of them: it waits if there is nothing else in it."""
        if file.path in self._ready:
            return
        self._waiting.pop(file.path, None)
        if file.at_end and not file.full and not file.final:
            self._waiting[file.path] = file
        else:
            self._be_ready(file)

    def hurry(self) -> None:
        """From now on no batch waits for its time."""
        self._batch_us = 0

    def drop(self, file: TailFile) -> None:
        """A file has no lines, or is not asked for them any more."""
        self._waiting.pop(file.path, None)
        self._ready.pop(file.path, None)

    def pop(self, now: Moment) -> TailFile | None:
        """Take out the file whose turn it is."""
        since_us = now.steady_us - self._batch_us
        for file in [each for each in self._waiting.values() if each.seen_us <= since_us]:
            del self._waiting[file.path]
            self._be_ready(file)
        first = self._first()
        if first is None:
            return None
        heapq.heappop(self._places)
        del self._ready[first[-1].path]
        return first[-1]

    def _be_ready(self, file: TailFile) -> None:
        first = self._first()
        arrival = file.arrival_us
        if arrival is None:
            arrival = first[0] if first else 0
        place = self._ready[file.path] = (arrival, file.turn, file.path, file)
        heapq.heappush(self._places, place)

    def _first(self) -> _Place | None:
        places = self._places
        while places and self._ready.get(places[0][2]) is not places[0]:
            heapq.heappop(places)
        return places[0] if places else None
