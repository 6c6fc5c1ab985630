"""The columnar path and the exact path over the same blocks, for the meters of a catalog."""

from typing import Any

import pyarrow as pa

from transforms.catalog import Catalog, Meter, Source, TextField, TimeField
from transforms.columnar import MANY, ColumnarReader
from transforms.exact import ExactReader, Verdict
from transforms.fields import fields_from_rows, fields_schema
from transforms.lines import Lines
from transforms.paths import parse_path
from transforms.slots import Slots
from transforms.sources import BUILT_IN

HOUR = 3_600_000_000


def meter(name: str, aggregation: str, value: str | None, *dimensions: str) -> Meter:
    return Meter(
        name=name,
        description=None,
        event_types=("a", "b"),
        where=((parse_path("$.metadata.zone"), frozenset(["eu"])),),
        aggregation=aggregation,
        value=parse_path(value) if value else None,
        dimensions=tuple((name, parse_path(name)) for name in dimensions),
        window_us=HOUR,
        allowed_lateness_us=HOUR,
        unit=None,
    )


OWN = Source(
    name="own",
    event_type=TextField(None, const="a"),
    customer_id=TextField(("auth", "tenant"), as_text=True),
    timestamp=TimeField(("ts",), "epoch_ms"),
    id=TextField(("id",), as_text=True),
    received_at=TimeField(("at",), "rfc3339", assume_utc=True),
    properties=("properties",),
    objects=(("properties",),),
)
CATALOG = Catalog(
    "c.yaml",
    (
        meter("total", "sum", "n", "model", "deep.er"),
        meter("different", "unique_count", "ip"),
        meter("size", "max", "$.metadata.size"),
    ),
    {**BUILT_IN, "own": OWN},
    0,
    0,
    "",
)
SLOTS = Slots.of(CATALOG)


def read_slowly(exact: ExactReader, lines: Lines) -> tuple[pa.Table, dict[int, Verdict]]:
    rows, verdicts = [], {}
    for i in range(len(lines)):
        row = exact.read(lines[i])
        if isinstance(row, Verdict):
            verdicts[i] = row
        else:
            rows.append(row | {"line": i})
    return fields_from_rows(rows, fields_schema(exact.slots)), verdicts


def reader(source: Source, many: int = MANY, slots: Slots = SLOTS) -> ColumnarReader:
    return ColumnarReader(ExactReader(source, slots), many=many)


def compare(data: bytes, fast: ColumnarReader) -> None:
    lines = Lines.of(data)
    fields, verdicts = fast.read(lines)
    slow, slow_verdicts = read_slowly(fast.exact, lines)
    assert verdicts == slow_verdicts
    assert as_rows(fields) == as_rows(slow)


def as_rows(table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
