"""Aggregate in a stream: partials → panes, each with the totals of the groups that changed.

Keyed by window and bucket of series, for all meters whose windows begin, end and close together
(see transforms/deltas.py), in state and with timers of the global window: the
windows are columns, so no engine decides what is late, only `received_at` does (see Measure). What
a trigger would do is here:

- early: a change is shown after `early_us` at most, with 0 at once;
- on time: what still waits when the watermark passes the window's end;
- late: a change that comes after that, at once, with what still waits.

A pane has the running totals, so a row's `event_count` only grows. State is freed when stamps are
`slack_us` past both the last moment the window admits and the last element that came. The worker
holds what it decoded of the windows used last, up to half a gigabyte: see transforms/window_log.py.
"""

import secrets
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.coders import BytesCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, TimerSpec, on_timer
from apache_beam.transforms.window import GlobalWindow
from apache_beam.typehints import KV, Tuple
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from transforms.catalog import Catalog
from transforms.closing import closes_us
from transforms.deltas import delta_of, to_bytes
from transforms.flow import FLOW
from transforms.live import Live
from transforms.metrics import AFTER_CLOSE
from transforms.partials import in_pane
from transforms.readings import buckets_of
from transforms.timestamps import micros_of
from transforms.window_log import HELD, Window, WindowLog

Keyed = tuple[tuple[str, int], pa.RecordBatch]
WINDOWED = KV[Tuple[int, int, int, int], bytes]  # a window's delta, encoded


@dataclass
class CutWindows(beam.DoFn):
    """((meter, bucket), partial) → a delta for each window: all of a bundle's in one.

    Holds the groups of one bundle. A delta is stamped with the first of its partials' stamps.
    """

    catalog: Catalog
    _partials: dict[Window, dict[str, list[pa.RecordBatch]]] = field(
        init=False, default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    _stamp: Timestamp | None = field(init=False, default=None)
    _begun_ms: int = field(init=False, default=0)

    def setup(self) -> None:
        """Looks the meters up by name."""
        self._meters = {meter.name: meter for meter in self.catalog.meters}

    def start_bundle(self) -> None:
        """Forgets what a failed bundle left behind."""
        self._partials.clear()
        self._stamp = None

    def process(self, element: Keyed, stamp: Any = beam.DoFn.TimestampParam) -> None:
        """Cuts a partial where windows start."""
        (name, bucket), partial = element
        meter = self._meters[name]
        if self._stamp is None:
            self._begun_ms = _ms(stamp)
            FLOW.changing(self._begun_ms)
        for start, part in buckets_of(partial, partial.column("rate_at").to_numpy()):
            end = start + meter.window_us
            window = start, end, end + meter.allowed_lateness_us, bucket
            self._partials[window][name].append(part)
        self._stamp = stamp if self._stamp is None else min(stamp, self._stamp)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Gives the deltas."""
        if self._stamp is None:
            return
        FLOW.changing(_ms(self._stamp), len(self._partials))
        FLOW.shown(self._begun_ms)
        for window, partials in self._partials.items():
            change = window, to_bytes(delta_of(partials))
            yield WindowedValue(change, self._stamp, (GlobalWindow(),))


@dataclass
class Revise(beam.DoFn):
    """(window, delta) → ((meter, bucket), groups that changed), as panes."""

    live: Live
    step: str = field(default_factory=lambda: secrets.token_hex(8))  # one name in all workers
    _logs: dict[Window, WindowLog] = field(init=False, default_factory=dict)

    RECENT = BagStateSpec("recent", BytesCoder())
    OLDER = BagStateSpec("older", BytesCoder())
    EARLY = TimerSpec("early", TimeDomain.REAL_TIME)
    ON_TIME = TimerSpec("on_time", TimeDomain.WATERMARK)
    CLOSE = TimerSpec("close", TimeDomain.WATERMARK)

    def start_bundle(self) -> None:
        """Logs are read anew: another bundle may have had their windows."""
        self._logs.clear()

    def finish_bundle(self) -> None:
        """Frees them."""
        self._logs.clear()

    def process(
        self,
        element: tuple[Window, bytes],
        stamp: Any = beam.DoFn.TimestampParam,
        recent: Any = beam.DoFn.StateParam(RECENT),
        older: Any = beam.DoFn.StateParam(OLDER),
        early: Any = beam.DoFn.TimerParam(EARLY),
        on_time: Any = beam.DoFn.TimerParam(ON_TIME),
        close: Any = beam.DoFn.TimerParam(CLOSE),
    ) -> Iterator[Keyed]:
        """Shows a delta, or lets it wait. Timers are set once: some engines keep each setting."""
        window, delta = element
        log = self._log(window, recent, older)
        is_first, early_us = not log.entries, self.live.early_us
        _, end, _, _ = window
        closes = self._closes(window, stamp.micros)
        if is_first or closes > self._closes(window, log.last.stamp_us):
            close.set(Timestamp(micros=closes))
        if is_first and stamp.micros > self._closes(window, end):
            AFTER_CLOSE.inc()
        if stamp.micros >= end or not early_us:
            pane = "late" if stamp.micros >= end else "early"
            yield from self._show(log, pane, delta, stamp.micros)
        else:
            if is_first:
                on_time.set(Timestamp(micros=end))
            if not log.waits:
                early.set(Timestamp(micros=micros_of(datetime.now(UTC)) + early_us))
            log.wait(delta, stamp.micros)
        FLOW.shown(_ms(stamp))

    @on_timer(EARLY)
    def show_early(
        self,
        window: Any = beam.DoFn.KeyParam,
        recent: Any = beam.DoFn.StateParam(RECENT),
        older: Any = beam.DoFn.StateParam(OLDER),
    ) -> Iterator[Keyed]:
        """Shows what waits, if nothing else did since."""
        yield from self._show(self._log(window, recent, older), "early")

    @on_timer(ON_TIME)
    def show_on_time(
        self,
        window: Any = beam.DoFn.KeyParam,
        recent: Any = beam.DoFn.StateParam(RECENT),
        older: Any = beam.DoFn.StateParam(OLDER),
    ) -> Iterator[Keyed]:
        """Shows what waits when the window ends."""
        yield from self._show(self._log(window, recent, older), "on_time")

    @on_timer(CLOSE)
    def forget(
        self,
        window: Any = beam.DoFn.KeyParam,
        recent: Any = beam.DoFn.StateParam(RECENT),
        older: Any = beam.DoFn.StateParam(OLDER),
    ) -> Iterator[Keyed]:
        """Shows what still waits, and frees the state."""
        log = self._log(window, recent, older)
        yield from self._show(log, "late")
        log.clear()
        del self._logs[window]

    def _log(self, window: Window, recent: Any, older: Any) -> WindowLog:
        if window not in self._logs:
            self._logs[window] = WindowLog.read((self.step, window), recent, older, HELD)
        return self._logs[window]

    def _closes(self, window: Window, stamp_us: int) -> int:
        """When state is freed (µs): after the last element that is admitted, and after this one."""
        _, _, admits, _ = window
        return closes_us(max(admits, stamp_us), self.live.slack_us)

    def _show(
        self, log: WindowLog, pane: str, delta: bytes = b"", stamp_us: int | None = None
    ) -> Iterator[Keyed]:
        *_, bucket = log.place[1]
        for meter, changed in log.show(delta, stamp_us).items():
            yield (meter, bucket), in_pane(changed, pane)


def _ms(stamp: Timestamp) -> int:
    return int(stamp.micros) // 1000
