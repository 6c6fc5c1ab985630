"""What a stream has done so far in this process, for those who watch it.

The tables never depend on it: a bundle that runs elsewhere or twice is counted elsewhere or twice.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from transforms.counts import Entry

Outcome = tuple[str, str, str]  # meter or "", outcome, reason or "": an entry without its hour


@dataclass(frozen=True)
class Seen:
    """The totals of a moment; times in µs, None before the first."""

    counts: Mapping[Outcome, int] = field(default_factory=dict)
    watermark_us: int | None = None
    arrival_us: int | None = None
    lines: tuple[str, ...] = ()

    def events(self, outcome: str, reason: str = "", meter: str = "") -> int:
        """How many events had an outcome, for a reason if one is given."""
        if reason or outcome != "rejected":
            return self.counts.get((meter, outcome, reason), 0)
        of_any = (n for (m, o, _), n in self.counts.items() if (m, o) == (meter, outcome))
        return sum(of_any)

    def meters(self) -> list[str]:
        """The names of the meters that have a count."""
        return sorted({meter for meter, _, _ in self.counts if meter})


@dataclass
class LiveTotals:
    """Counts by meter, outcome and reason, by all threads of this process.

    watermark_us and arrival_us (the latest of what was read) are for the source to set.
    """

    watermark_us: int | None = None
    arrival_us: int | None = None
    _counts: Counter[Outcome] = field(default_factory=Counter)
    _lines: list[Callable[[], str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def counts(self, entry: Entry, events: int) -> None:
        """Counts more events of an entry of the ledger."""
        with self._lock:
            self._counts[entry[1:]] += events

    def add_line(self, line: Callable[[], str]) -> None:
        """From now on `line` is asked for a text to show, such as how much is left to read.

        It is asked by another thread, a few times a second; an empty text is not shown.
        """
        with self._lock:
            self._lines.append(line)

    def seen(self) -> Seen:
        """What is there to show now."""
        with self._lock:
            counts, lines = dict(self._counts), list(self._lines)
        texts = tuple(text for line in lines if (text := line()))
        return Seen(counts, self.watermark_us, self.arrival_us, texts)

    def reset(self) -> None:
        """Begins anew, for the next stream of this process."""
        with self._lock:
            self._counts.clear()
            self._lines.clear()
            self.watermark_us = self.arrival_us = None


LIVE_TOTALS = LiveTotals()
