"""`fields`: what the records of a block say, a row each, however they were read.

| column | |
|---|---|
| line | int32, index of the record's line in its block |
| event_type, customer_id, event_id | string |
| scope | string: CloudEvents' `source`; null for other sources |
| event_time, received_at | int64 µs; received_at is null where the source has none |
| n0 … | decimal128(38,18), null where there is no number within range |
| t0 … | string, a scalar as written; null where there is none |
| odd | string: JSON object, slot → [kind, text], of values that are not what their slot wants |
"""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from transforms.slots import Slots
from transforms.tables import AMOUNT


def fields_schema(slots: Slots) -> pa.Schema:
    """The columns of `fields` for a catalog's slots."""
    return pa.schema(
        [
            ("line", pa.int32()),
            ("event_type", pa.string()),
            ("customer_id", pa.string()),
            ("event_id", pa.string()),
            ("scope", pa.string()),
            ("event_time", pa.int64()),
            ("received_at", pa.int64()),
            *((s.name, AMOUNT if s.kind == "number" else pa.string()) for s in slots.slots),
            ("odd", pa.string()),
        ]
    )


def fields_from_rows(rows: Iterable[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """The rows of the exact reader as a table."""
    return pa.Table.from_pylist(list(rows), schema)
