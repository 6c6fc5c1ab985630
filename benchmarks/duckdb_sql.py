"""The peer of the batch benchmark: the same outputs as `meterbeam run`, by hand in DuckDB SQL.

    python benchmarks/duckdb_sql.py --input FILE --output DIR [--rates CSV] [--reader text|json]

The work is in duckdb_sql.sql; this file runs its stages on two threads, in memory. `--reader json`
is the design that lost (read_json beside the text), for clean files only; `--stages` says where the
time goes.
"""

import argparse
import base64
import re
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

HERE = Path(__file__).parent
THREADS = 2
REASONS = {"INVALID ENCODING": "not_utf8", "LINE SIZE OVER MAXIMUM": "too_large"}
ONLY_AFTER_UNREAD = "offsets after unread lines"


def stages(reader: str) -> dict[str, str]:
    """The stages of duckdb_sql.sql in order, with just one of the two readers."""
    script = (HERE / "duckdb_sql.sql").read_text()
    parts = re.split(r"^-- stage: (.+)$", script, flags=re.MULTILINE)
    named = dict(zip(parts[1::2], parts[2::2], strict=True))
    del named["reader json" if reader == "text" else "reader text"]
    return named


def _set(connection: duckdb.DuckDBPyConnection, variables: dict[str, object]) -> None:
    for name, value in variables.items():
        connection.execute(f"SET VARIABLE {name} = ?", [value])


def list_unread(connection: duckdb.DuckDBPyConnection, file: Path) -> int:
    """List in `unread` the lines that the CSV reader left out, with their bytes as base64.

    These have bytes that are not UTF-8, or are very long; the reader says where they start.
    """
    connection.execute(
        "CREATE TEMP TABLE unread(start BIGINT, size BIGINT, reason VARCHAR, payload VARCHAR)"
    )
    found = connection.execute(
        "SELECT DISTINCT line_byte_position - 1, error_type::VARCHAR FROM reject_errors"
    ).fetchall()
    with file.open("rb") as source:
        for start, error in found:
            source.seek(start)
            line = source.readline()
            payload = base64.b64encode(line.rstrip(b"\n")[: 64 << 10]).decode()
            row = [start, len(line), REASONS.get(error, "not_json"), payload]
            connection.execute("INSERT INTO unread VALUES (?, ?, ?, ?)", row)
    return len(found)


def run(file: Path, rates: Path, output: Path, reader: str) -> dict[str, float]:
    """Read `file`, write the tables under `output`, and say how many seconds each stage took."""
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    connection = duckdb.connect(config={"threads": THREADS})
    started = datetime.now(UTC).replace(tzinfo=None)
    _set(
        connection,
        {
            "input": str(file.resolve()),
            "rates": str(rates),
            "output": str(output),
            "run_id": f"sql-{started:%Y%m%dT%H%M%S}",
            "started": started,
            "too_new": started + timedelta(minutes=5),
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    took, unread = {}, 0
    for name, statements in stages(reader).items():
        if name == ONLY_AFTER_UNREAD and not unread:
            continue
        if name.startswith("write"):  # until here the order of rows is the order of the file
            connection.execute("SET preserve_insertion_order = false")
        clock = time.perf_counter()
        connection.execute(statements)
        if name == "fields":
            unread = list_unread(connection, file)
        took[name] = time.perf_counter() - clock
    return took


def main() -> None:
    """Run once over one file."""
    parser = argparse.ArgumentParser(description="Meter a file of events with DuckDB SQL.")
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="a folder, replaced")
    parser.add_argument("--rates", type=Path, default=HERE / "rates.csv")
    parser.add_argument("--reader", choices=["text", "json"], default="text")
    parser.add_argument("--stages", action="store_true", help="print the seconds of each stage")
    asked = parser.parse_args()
    took = run(asked.input, asked.rates, asked.output, asked.reader)
    if asked.stages:
        print("\n".join(f"{seconds:7.2f} s  {name}" for name, seconds in took.items()))


if __name__ == "__main__":
    main()
