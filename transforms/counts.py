"""Counts of what each step took in and gave out, and why: the entries of the ledger."""

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from apache_beam.typehints import KV, Tuple

from transforms.arrays import floored
from transforms.reasons import Reason
from transforms.tables import LEDGER, TIME
from transforms.timestamps import HOUR

# (period_start µs, meter or "", outcome, reason or "")
Entry = tuple[int, str, str, str]
Count = tuple[Entry, int]
COUNT = KV[Tuple[int, str, str, str], int]  # the same, as Beam says it


def tally(
    received_at: np.ndarray, outcome: str, *, meter: str = "", reason: Reason | None = None
) -> Iterator[tuple[str, Count]]:
    """Ledger counts of some events by the hour of their arrival (µs), as results of a kernel."""
    return tally_hours(by_hour(received_at), outcome, meter=meter, reason=reason)


def tally_hours(
    hours: Iterable[tuple[int, int]],
    outcome: str,
    *,
    meter: str = "",
    reason: Reason | None = None,
) -> Iterator[tuple[str, Count]]:
    """Ledger counts of events that are counted by the hour already, as `by_hour` does."""
    for start, count in hours:
        yield "counts", ((start, meter, outcome, str(reason or "")), count)


def by_hour(received_at: np.ndarray) -> Iterable[tuple[int, int]]:
    """The start (µs) of each hour of arrival, and how many events arrived in it."""
    if not len(received_at):
        return []
    first, last = int(received_at.min()) // HOUR, int(received_at.max()) // HOUR
    if first == last:
        return [(first * HOUR, len(received_at))]
    starts, counts = np.unique(floored(received_at, HOUR), return_counts=True)
    return zip(starts.tolist(), counts.tolist(), strict=True)


def ledger_batch(run_id: str, counts: Iterable[Count]) -> pa.RecordBatch:
    """Rows of the table `ledger`, one for each entry."""
    total: Counter[Entry] = Counter()
    for entry, count in counts:
        total[entry] += count
    entries = sorted(total)
    columns = {
        "run_id": pa.array([run_id] * len(entries), pa.string()),
        "period_start": pa.array([e[0] for e in entries], pa.int64()).cast(TIME),
        "meter": pa.array([e[1] or None for e in entries], pa.string()),
        "outcome": pa.array([e[2] for e in entries], pa.string()),
        "reason": pa.array([e[3] or None for e in entries], pa.string()),
        "events": pa.array([total[e] for e in entries], pa.int64()),
    }
    return pa.RecordBatch.from_pydict(columns, schema=LEDGER)
