"""What Deduplicate gives in either mode, and how it names what it turns away."""

from typing import NamedTuple

import apache_beam as beam
import pyarrow as pa

from transforms.event_keys import hex_digits
from transforms.reasons import Reason
from transforms.rejects import rejects_batch
from transforms.run import Run


class Deduplicated(NamedTuple):
    """What `Deduplicate` gives."""

    accepted: beam.PCollection
    rejects: beam.PCollection
    counts: beam.PCollection


def conflicts(run: Run, rows: pa.RecordBatch) -> pa.RecordBatch:
    """Readings that say something else than the first of their key, as rejects."""
    return rejects_batch(
        run.run_id,
        rows.num_rows,
        origin=origins_of(rows),
        reason=str(Reason.CONFLICT),
        detail="an event of this key that says something else came before",
        event_key=keys_of(rows),
        customer_id=rows.column("customer_id"),
        event_time=rows.column("event_time"),
        received_at=rows.column("received_at"),
    )


def keys_of(rows: pa.RecordBatch) -> pa.StringArray:
    """The event keys of readings as hex digits."""
    return hex_digits(rows.column("key_high").to_numpy(), rows.column("key_low").to_numpy())


def origins_of(rows: pa.RecordBatch) -> pa.StringArray:
    """The origins of readings as text."""
    paths, offsets = rows.column("path").to_pylist(), rows.column("offset").to_pylist()
    pairs = zip(paths, offsets, strict=True)
    return pa.array([path if at < 0 else f"{path}:{at}" for path, at in pairs], pa.string())
