"""The columns of the tables a run writes, as Arrow schemas.

Times are microseconds in UTC, amounts DECIMAL(38,18), JSON is text. The same names and kinds hold
in Parquet, in the local warehouse and in BigQuery.
"""

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")
AMOUNT = pa.decimal128(38, 18)

EVENTS = pa.schema(
    [
        ("run_id", pa.string()),
        ("source", pa.string()),
        ("origin", pa.string()),
        ("event_key", pa.string()),
        ("event_id", pa.string()),
        ("event_type", pa.string()),
        ("customer_id", pa.string()),
        ("event_time", TIME),
        ("received_at", TIME),
        ("payload", pa.string()),
    ]
)

USAGE = pa.schema(
    [
        ("run_id", pa.string()),
        ("meter", pa.string()),
        ("customer_id", pa.string()),
        ("dimensions", pa.string()),
        ("window_start", TIME),
        ("window_end", TIME),
        ("closes_at", TIME),
        ("quantity", AMOUNT),
        ("event_count", pa.int64()),
        ("unit", pa.string()),
        ("rate_label", pa.string()),
        ("rate_effective_from", TIME),
        ("unit_price", AMOUNT),
        ("per", AMOUNT),
        ("currency", pa.string()),
        ("cost", AMOUNT),
        ("pane", pa.string()),
        ("written_at", TIME),
    ]
)

REJECTS = pa.schema(
    [
        ("run_id", pa.string()),
        ("origin", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("meter", pa.string()),
        ("event_key", pa.string()),
        ("customer_id", pa.string()),
        ("event_time", TIME),
        ("received_at", TIME),
        ("payload", pa.string()),
    ]
)

LEDGER = pa.schema(
    [
        ("run_id", pa.string()),
        ("period_start", TIME),
        ("meter", pa.string()),
        ("outcome", pa.string()),
        ("reason", pa.string()),
        ("events", pa.int64()),
    ]
)

RUNS = pa.schema(
    [
        ("run_id", pa.string()),
        ("mode", pa.string()),
        ("status", pa.string()),
        ("range_start", TIME),
        ("range_end", TIME),
        ("meters", pa.string()),
        ("started_at", TIME),
        ("finished_at", TIME),
        ("catalog_digest", pa.string()),
        ("rates_digest", pa.string()),
    ]
)

TABLES = {
    "events": EVENTS,
    "usage": USAGE,
    "rejects": REJECTS,
    "ledger": LEDGER,
    "runs": RUNS,
}
