"""Readings put together from rows, for the catalog below."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa

from transforms.arrays import times
from transforms.catalog import Catalog
from transforms.catalog_file import load_catalog
from transforms.slots import Slots
from transforms.tables import AMOUNT

FILE = b"""
version: 1
defaults: {dedup_horizon: 1h}
meters:
  - {name: a, event_type: use, aggregation: sum, value: v, dimensions: [d]}
  - {name: b, event_type: [use, call], aggregation: count, where: {w: x}}
  - {name: c, event_type: call, aggregation: max, value: u, dimensions: [d, e]}
"""


def catalog() -> Catalog:
    """Two numbers, n0 (use) and n1 (call); three texts, t0 (both), t1 (both), t2 (call)."""
    return load_catalog("c.yaml", FILE)


SLOTS = Slots.of(catalog())
TYPES = ("use", "call", "other")


@dataclass(frozen=True)
class Row:
    """A reading; times in µs."""

    key: tuple[int, int] = (1, 1)
    path: str = "/f"
    offset: int = 0
    event_type: str = "use"
    customer_id: str = "c"
    event_time: int = 0
    received_at: int = 0
    n0: Decimal | None = None
    n1: Decimal | None = None
    t0: str | None = None
    t1: str | None = None
    t2: str | None = None
    odd: str | None = None


def readings(rows: Sequence[Row], metadata: dict[bytes, bytes] | None = None) -> pa.RecordBatch:
    """Rows as Validate gives them."""

    def texts(name: str) -> pa.Array:
        return pa.array([getattr(row, name) for row in rows], pa.string()).dictionary_encode()

    columns = {
        "key_high": pa.array([row.key[0] for row in rows], pa.uint64()),
        "key_low": pa.array([row.key[1] for row in rows], pa.uint64()),
        "path": texts("path"),
        "offset": pa.array([row.offset for row in rows], pa.int64()),
        "event_time": times([row.event_time for row in rows]),
        "received_at": times([row.received_at for row in rows]),
        "event_type": texts("event_type"),
        "customer_id": texts("customer_id"),
        **{slot.name: _slot(rows, slot.name) for slot in SLOTS.slots},
        "odd": pa.array([row.odd for row in rows], pa.large_string()),
    }
    return pa.RecordBatch.from_pydict(columns).replace_schema_metadata(metadata)


def _slot(rows: Sequence[Row], name: str) -> pa.Array:
    values = [getattr(row, name) for row in rows]
    if name.startswith("n"):
        return pa.array(values, AMOUNT)
    return pa.array(values, pa.string()).dictionary_encode()
