"""A file of events.py in the other kinds of files that are read.

gzip at level 6 and zstd at level 3, as their commands do. Parquet as pyarrow writes it: times as
timestamps, properties and metadata as structs, seconds as decimals. CSV: the columns of an event,
with properties and metadata as JSON text.
"""

import csv
import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq
import zstandard

COLUMNS = ["id", "event_type", "customer_id", "timestamp", "properties", "metadata"]
_TEXT = pa.string()
_PROPERTIES = pa.struct(
    [
        *((name, _TEXT) for name in ("model", "token_type", "region", "endpoint", "method")),
        *((name, pa.int64()) for name in ("tokens", "bytes", "response_time_ms")),
        *((name, _TEXT) for name in ("ip", "gpu")),
        ("seconds", pa.decimal128(16, 6)),
    ]
)
_METADATA = pa.struct([("user_agent", _TEXT), ("ip_address", _TEXT)])
_SCHEMA = pa.schema(
    [*((name, _TEXT) for name in COLUMNS[:4]), ("properties", _PROPERTIES), ("metadata", _METADATA)]
)


def _gzip(source: Path, target: Path) -> None:
    with source.open("rb") as plain, gzip.open(target, "wb", 6) as packed:
        shutil.copyfileobj(plain, packed, 1 << 20)


def _zstd(source: Path, target: Path) -> None:
    with source.open("rb") as plain, target.open("wb") as packed:
        zstandard.ZstdCompressor(3).copy_stream(plain, packed)


def _parquet(source: Path, target: Path) -> None:
    options = pj.ParseOptions(explicit_schema=_SCHEMA)
    table = pj.read_json(source, pj.ReadOptions(block_size=16 << 20), options)
    at = COLUMNS.index("timestamp")
    times = table["timestamp"].cast(pa.timestamp("us", "UTC"))
    pq.write_table(table.set_column(at, "timestamp", times), target)


def _csv(source: Path, target: Path) -> None:
    with source.open() as lines, target.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for line in lines:
            envelope, _, rest = line.partition(',"properties":')
            properties, _, metadata = rest.partition(',"metadata":')
            # between quotes: "id":"evt_…","event_type":"…" and so on
            cells = envelope.split('"')[3::4]
            rows.writerow([*cells, properties, metadata[:-2]])


KINDS: dict[str, Callable[[Path, Path], None]] = {
    "gz": _gzip,
    "zst": _zstd,
    "parquet": _parquet,
    "csv": _csv,
}


def ensure_kind(source: Path, kind: str) -> Path:
    """The file of this kind beside a file of NDJSON, written first if it is not there."""
    target = source.with_suffix(f".ndjson.{kind}" if kind in {"gz", "zst"} else f".{kind}")
    if not target.exists():
        aside = target.with_name(f".{os.getpid()}.{target.name}")
        KINDS[kind](source, aside)
        aside.replace(target)
    return target
