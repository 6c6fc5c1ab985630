"""The ledger of a stream: counts that grow, written again when they have, twice a second at most.

Keyed by the hour of arrival. A bundle's counts are appended to a bag, unread: one request to the
engine. When they are shown, the bag is read and rewritten as the hour's totals, one number for each
meter, outcome and reason. Totals are kept until the stream ends, a kilobyte or so an hour: however
late another arrival of that hour comes, the ledger balances.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam.coders import BytesCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, TimerSpec, on_timer
from apache_beam.transforms.window import GlobalWindow
from apache_beam.typehints import KV
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from transforms.counts import Count, ledger_batch
from transforms.live_totals import LIVE_TOTALS
from transforms.metrics import counted
from transforms.timestamps import micros_of

_SHOWN_EVERY_US = 500_000
# when the global window ends, in whole milliseconds as engines count
THE_END = Timestamp(micros=GlobalWindow().max_timestamp().micros // 1000 * 1000)
HOURLY = KV[int, bytes]  # the hour (µs) and some of its counts

Hour = Counter[tuple[str, str, str]]  # (meter or "", outcome, reason or "")


@dataclass
class CountBundle(beam.DoFn):
    """Counts → (hour, all counts of a bundle)."""

    _hours: dict[int, Hour] = field(init=False, default_factory=lambda: defaultdict(Counter))
    _stamp: Timestamp | None = field(init=False, default=None)

    def start_bundle(self) -> None:
        """Forgets what a failed bundle left behind."""
        self._hours.clear()
        self._stamp = None

    def process(self, element: Count, stamp: Any = beam.DoFn.TimestampParam) -> None:
        """Adds a count."""
        (hour, meter, outcome, reason), count = element
        LIVE_TOTALS.counts(element[0], count)
        counted(element)
        self._hours[hour][meter, outcome, reason] += count
        self._stamp = stamp if self._stamp is None else min(stamp, self._stamp)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Gives the counts of each hour."""
        for hour, counts in self._hours.items():
            yield WindowedValue((hour, encoded(counts)), self._stamp, (GlobalWindow(),))


class Known(NamedTuple):
    """What the state of an hour says."""

    totals: Hour
    changed: list[tuple[str, str, str]]  # since the totals were written


def encoded(counts: Hour, *, are_totals: bool = False) -> bytes:
    """Counts as they are kept in state."""
    rows = [[*what, count] for what, count in counts.items()]
    return json.dumps([are_totals, rows], separators=(",", ":")).encode()


def decoded(state: Iterable[bytes]) -> Known:
    """All counts of an hour."""
    totals: Hour = Counter()
    changed = set()
    for each in state:
        are_totals, rows = json.loads(each)
        for *what, count in rows:
            meter, outcome, reason = what
            totals[meter, outcome, reason] += count
            if not are_totals:
                changed.add((meter, outcome, reason))
    return Known(totals, sorted(changed))


@dataclass
class RunningLedger(beam.DoFn):
    """(hour, counts) → rows of the ledger with the totals so far."""

    run_id: str
    _ending: set[int] = field(init=False, default_factory=set)  # hours this copy set a timer for

    COUNTS = BagStateSpec("counts", BytesCoder())
    SHOW = TimerSpec("show", TimeDomain.REAL_TIME)
    END = TimerSpec("end", TimeDomain.WATERMARK)

    def process(
        self,
        element: tuple[int, bytes],
        counts: Any = beam.DoFn.StateParam(COUNTS),
        show: Any = beam.DoFn.TimerParam(SHOW),
        end: Any = beam.DoFn.TimerParam(END),
    ) -> None:
        """Keeps counts until the next half second, which has a timer of its own."""
        hour, more = element
        counts.add(more)
        tick = micros_of(datetime.now(UTC)) // _SHOWN_EVERY_US + 1
        show.set(Timestamp(micros=tick * _SHOWN_EVERY_US), dynamic_timer_tag=str(tick))
        if hour not in self._ending:  # once: some engines keep each setting
            self._ending.add(hour)
            end.set(THE_END)

    @on_timer(SHOW)
    def show_changed(
        self, hour: Any = beam.DoFn.KeyParam, counts: Any = beam.DoFn.StateParam(COUNTS)
    ) -> Iterator[pa.RecordBatch]:
        """Gives the rows that changed."""
        known = decoded(counts.read())
        if known.changed:
            counts.clear()
            counts.add(encoded(known.totals, are_totals=True))
            yield self._rows(hour, known)

    @on_timer(END)
    def show_last(
        self, hour: Any = beam.DoFn.KeyParam, counts: Any = beam.DoFn.StateParam(COUNTS)
    ) -> Iterator[pa.RecordBatch]:
        """Gives what is left when the stream ends, and frees the state."""
        yield from self.show_changed(hour, counts)
        counts.clear()
        self._ending.discard(hour)

    def _rows(self, hour: int, known: Known) -> pa.RecordBatch:
        rows = [((hour, *what), known.totals[what]) for what in known.changed]
        return ledger_batch(self.run_id, rows)
