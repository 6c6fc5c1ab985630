"""Whether the programs compared say the same: a fast wrong answer is no result."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import events

# one row a meter and currency
TOTALS = """
SELECT meter, coalesce(currency, '') AS currency, count(*) AS usage_rows,
    sum(quantity) AS quantity, sum(event_count)::BIGINT AS event_count, sum(cost) AS cost
FROM {usage} GROUP BY ALL ORDER BY ALL
"""
# one row an outcome
OUTCOMES = """
SELECT coalesce(meter, '') AS meter, outcome, coalesce(reason, '') AS reason,
    sum(events)::BIGINT AS events
FROM {ledger} GROUP BY ALL HAVING sum(events) > 0 ORDER BY ALL
"""
JSON_COLUMNS = {
    "meter": "VARCHAR",
    "currency": "VARCHAR",
    "quantity": "DECIMAL(38, 18)",
    "event_count": "BIGINT",
    "cost": "DECIMAL(38, 18)",
}

Rows = list[tuple[Any, ...]]


def totals(output: Path) -> Rows:
    """The totals of an output's usage: views of a warehouse, Parquet files, or JSON lines."""
    if (output / "warehouse.duckdb").exists():
        with duckdb.connect(str(output / "warehouse.duckdb"), read_only=True) as warehouse:
            return warehouse.execute(TOTALS.format(usage="usage_current")).fetchall()
    if (output / "usage").is_dir():
        usage = f"read_parquet('{output}/usage/*.parquet')"
    else:
        # as text, so that no digit passes through a double
        usage = f"read_json('{output}/usage*.ndjson', columns = {JSON_COLUMNS})"
    return duckdb.connect().execute(TOTALS.format(usage=usage)).fetchall()


def outcomes(output: Path) -> Rows:
    """The ledger of an output: (meter, outcome, reason, events)."""
    if (output / "warehouse.duckdb").exists():
        with duckdb.connect(str(output / "warehouse.duckdb"), read_only=True) as warehouse:
            return warehouse.execute(OUTCOMES.format(ledger="ledger_current")).fetchall()
    ledger = f"read_parquet('{output}/ledger/*.parquet')"
    return duckdb.connect().execute(OUTCOMES.format(ledger=ledger)).fetchall()


def archived(output: Path) -> int:
    """The number of events in the archive."""
    found = duckdb.connect().execute(
        f"SELECT count(*) FROM read_parquet('{output}/events/**/*.parquet')"
    )
    row = found.fetchone()
    return int(row[0]) if row else 0


def against_truth(written: events.Written, rows: Rows) -> list[str]:
    """How the totals differ from what the generator wrote."""
    problems = []
    for meter, quantity in written.quantities.items():
        scale = Decimal(1_000_000 if meter == "gpu_seconds" else 1)
        got = sum((row[3] for row in rows if row[0] == meter), Decimal(0))
        if got * scale != quantity:
            problems.append(f"{meter}: {got} where {quantity / scale} was written")
    return problems


def differences(names: tuple[str, str], left: Rows, right: Rows) -> list[str]:
    """The rows that only one of two outputs has; outputs without rows say nothing."""
    if not left or not right:
        return [f"nothing to compare: {names[0]} {len(left)} rows, {names[1]} {len(right)} rows"]
    only_left = [f"only {names[0]}: {row}" for row in left if row not in right]
    only_right = [f"only {names[1]}: {row}" for row in right if row not in left]
    return only_left + only_right


def usage_count(output: Path) -> int:
    """The number of usage rows of an output of meterbeam."""
    with duckdb.connect(str(output / "warehouse.duckdb"), read_only=True) as warehouse:
        row = warehouse.execute("SELECT count(*) FROM usage_current").fetchone()
    return int(row[0]) if row else 0
