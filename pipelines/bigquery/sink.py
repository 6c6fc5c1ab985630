"""The rows that this process writes into a dataset, and which of them wait to be taken."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from pipelines.bigquery.append import Appender, Refused
from pipelines.bigquery.dataset import Dataset
from transforms.tables import TABLES

_SLOW_S = 0.5
# what a source waits for: these are written in one step with it, the others behind it
_BESIDE_SOURCE = ("events", "rejects")
_NOTHING_WAITS = 1 << 62


class Sink:
    """An appender for each table of a dataset; any thread may append.

    It holds no rows: they wait in the bundles that brought them. While an append to a table that is
    behind the source's step takes long, or is tried again, those of the source's step wait: so the
    source does, as no bundle of its ends before its rows are taken.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._appenders = {table: Appender(dataset, table) for table in TABLES}
        self._changed = threading.Condition()
        self._begun_s: dict[int, float] = {}  # of appends behind the source
        self._stamps: Counter[int] = Counter()

    def append(self, table: str, rows: pa.RecordBatch) -> list[Refused]:
        """See `Appender.append`."""
        if table in _BESIDE_SOURCE:
            with self._changed:
                self._changed.wait_for(lambda: not self.is_slow())
            return self._appenders[table].append(rows)
        with self._noted(id(rows)):
            return self._appenders[table].append(rows)

    def brought(self, table: str, stamp_ms: int) -> None:
        """Note that rows which came of the batch of this stamp are to be written."""
        if table in _BESIDE_SOURCE:
            with self._changed:
                self._stamps[stamp_ms] += 1

    def taken(self, table: str, stamps: list[int]) -> None:
        """Note that they are."""
        if table in _BESIDE_SOURCE:
            with self._changed:
                self._stamps.subtract(stamps)
                self._stamps = +self._stamps

    def safe_up_to(self) -> int:
        """Up to which stamp (ms) all events and rejects that came are in the dataset."""
        with self._changed:
            return min(self._stamps, default=_NOTHING_WAITS) - 1

    def close(self) -> None:
        """Close the connections."""
        for appender in self._appenders.values():
            appender.close()

    def is_slow(self) -> bool:
        """Whether an append that the source waits for takes long."""
        return any(at < time.monotonic() - _SLOW_S for at in self._begun_s.values())

    @contextmanager
    def _noted(self, number: int) -> Iterator[None]:
        with self._changed:
            self._begun_s[number] = time.monotonic()
        try:
            yield
        finally:
            with self._changed:
                del self._begun_s[number]
                self._changed.notify_all()


_SINKS: dict[Dataset, Sink] = {}
_LOCK = threading.Lock()


def sink_of(dataset: Dataset) -> Sink:
    """That of this process, made when it is asked for first."""
    with _LOCK:
        if dataset not in _SINKS:
            _SINKS[dataset] = Sink(dataset)
        return _SINKS[dataset]


def close_sink(dataset: Dataset) -> None:
    """Close that of this process, if there is one."""
    with _LOCK:
        sink = _SINKS.pop(dataset, None)
    if sink is not None:
        sink.close()
