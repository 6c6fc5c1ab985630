"""Rows of the table `rejects`: what was turned away, kept with its reason."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from transforms.tables import REJECTS


def rejects_batch(run_id: str, rows: int, **columns: Any) -> pa.RecordBatch:
    """Rejects from some columns; those not given are null. A text given for a column fills it."""
    arrays = []
    for field in REJECTS:
        value = columns.get(field.name) if field.name != "run_id" else run_id
        if value is None or isinstance(value, str):
            arrays.append(pa.repeat(pa.scalar(value, field.type), rows))
        elif isinstance(value, Sequence):
            arrays.append(pa.array(value, field.type))
        else:
            arrays.append(value.cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=REJECTS)
