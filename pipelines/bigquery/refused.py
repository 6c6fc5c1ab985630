"""Rows that the service would not take, as rows of `rejects`."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from pipelines.bigquery.append import Refused
from transforms.reasons import Reason
from transforms.rejects import rejects_batch
from transforms.timestamps import format_time, micros_of

# by which the views tell the rows of a table apart
_KEYS = {
    "events": ("origin",),
    "usage": (
        "meter",
        "customer_id",
        "dimensions",
        "window_start",
        "rate_label",
        "rate_effective_from",
        "event_count",
    ),
    "rejects": ("origin", "meter", "reason"),
    "ledger": ("period_start", "meter", "outcome", "reason", "events"),
}
_KNOWN = ("meter", "event_key", "customer_id", "event_time", "received_at")
_LONGEST = 2000  # characters of an answer


def as_rejects(
    table: str, refused: Sequence[Refused], run_id: str, *, payloads: bool = True
) -> pa.RecordBatch:
    """A row of `rejects` for each: the answer as detail, the row as JSON as payload.

    The origin is a digest of the table and the row's key, the same however often it is refused.
    Without payloads nothing of the row is in it but this digest.
    """
    rows = [each.row.to_pylist()[0] for each in refused]
    known = {name: [row.get(name) for row in rows] for name in _KNOWN if payloads}
    return rejects_batch(
        run_id,
        len(rows),
        origin=[_digest(table, row) for row in rows],
        reason=str(Reason.REFUSED),
        detail=[f"{table}: {each.answer[:_LONGEST]}" for each in refused],
        payload=[_text(row) for row in rows] if payloads else None,
        **known,
    )


def _digest(table: str, row: Mapping[str, Any]) -> str:
    key = [table, *(_plain(row[name]) for name in _KEYS[table])]
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]


def _text(row: Mapping[str, Any]) -> str:
    plain = {name: _plain(value) for name, value in row.items()}
    return json.dumps(plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """A value as JSON has it: amounts and times are texts."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return format_time(micros_of(value)) if isinstance(value, datetime) else value
