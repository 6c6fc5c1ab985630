"""The micro-batches of dedup_state.py, and the line that says what they took."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from transforms.arrays import times
from transforms.arrow_coder import to_bytes
from transforms.catalog_file import load_catalog
from transforms.readings import buckets_of, encode_readings
from transforms.slots import Slots
from transforms.tables import AMOUNT

CATALOG = load_catalog(
    "bench.yaml",
    b"""
version: 1
meters:
  - {name: calls, event_type: use, aggregation: count, dimensions: [region]}
  - {name: tokens, event_type: use, aggregation: sum, value: tokens, dimensions: [model]}
""",
)
START = 1_800_000_000_000_000
ROWS = 1_000
FILL = 20_000
TICKS = 200


def readings_of(index: np.ndarray, arrival: int) -> pa.RecordBatch:
    """Readings whose key follows from their number."""
    rows = len(index)
    fields: dict[str, Any] = {
        "event_type": pa.repeat("use", rows),
        "customer_id": pa.array([f"customer-{i % 1_000}" for i in index.tolist()]),
        "odd": pa.nulls(rows, pa.string()),
    }
    for slot in Slots.of(CATALOG).slots:
        if slot.kind == "number":
            fields[slot.name] = (
                pa.array(index.astype(np.int64)).cast(pa.decimal128(20)).cast(AMOUNT)
            )
        else:
            fields[slot.name] = pa.repeat("eu-west-1", rows)
    columns = {
        "key_high": pa.array(mixed(index)),
        "key_low": pa.array(mixed(index + np.uint64(1 << 40))),
        "path": pa.repeat("/data/a.ndjson", rows).dictionary_encode(),
        "offset": pa.array(index.astype(np.int64)),
        "event_time": times(START + index.astype(np.int64)),
        "received_at": times(np.full(rows, arrival)),
    }
    return encode_readings(columns, pa.table(fields), Slots.of(CATALOG))


def mixed(index: np.ndarray) -> np.ndarray:
    """Different numbers that look random (the finalizer of SplitMix64)."""
    z = (index + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    done: np.ndarray = z ^ (z >> np.uint64(31))
    return done


@dataclass
class Plan:
    """Micro-batches: up to each size the keys that fill it, then those that are measured."""

    sizes: list[int]
    buckets: int
    held: int = 0
    batches: int = 0

    def batch(self, index: np.ndarray) -> tuple[int, list[tuple[int, bytes]]]:
        """Stamp (µs) and elements of the next micro-batch."""
        self.batches += 1
        stamp = START + self.batches * 1_000
        whole = readings_of(index, stamp)
        low = whole.column("key_low").to_numpy()
        bucket = (low % np.uint64(self.buckets)).astype(np.int64)
        return stamp, [(number, to_bytes(each)) for number, each in buckets_of(whole, bucket)]

    def all(self) -> Iterator[tuple[int, int, list[tuple[int, bytes]]]]:
        """Keys held at the time for measured batches, else 0; and what `batch` gives."""
        chance = np.random.default_rng(1)
        for size in self.sizes:
            while self.held < size:
                more = min(FILL, size - self.held)
                index = np.arange(self.held, self.held + more, dtype=np.uint64)
                self.held += more
                yield 0, *self.batch(index)
            for _ in range(TICKS):
                new = np.arange(self.held, self.held + ROWS // 2, dtype=np.uint64)
                again = chance.integers(0, self.held, ROWS // 2, np.uint64)
                self.held += ROWS // 2
                yield size, *self.batch(np.concatenate([new, again]))


def report(name: str, size: int, seconds: list[float], cpu: list[float] | None = None) -> None:
    """One line of the table."""
    ms = np.array(seconds) * 1_000
    cpu_ms = f"{np.mean(cpu) * 1_000:8.2f}" if cpu else ""
    print(
        f"{name:28} {size:>11,} {np.median(ms):8.2f} {np.quantile(ms, 0.99):8.2f} "
        f"{ms.max():8.2f} {cpu_ms:>8} {ROWS * 1_000 / ms.mean():>11,.0f}"
    )
