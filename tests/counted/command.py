"""Runs the command in this process and counts what it loads, asks DuckDB and writes.

Started as a script, with a folder for the output and the arguments of `meterbeam`: prints the
figures as JSON. DuckDB is counted where runs begin and end, in the main thread and in that which
makes views; the threads of kernels have connections of their own, as many as there are threads that
got something to do.
"""

import json
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any, Self

import duckdb

CONNECTIONS, STATEMENTS = "DuckDB connections", "DuckDB statements"
MODULES, PACKAGES = "modules loaded", "packages loaded"
VIEWS = "views"
FILES, STORED = "files", "bytes stored"
asked: Counter[str] = Counter()


class Counted:
    """A connection that counts what it is asked."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def __getattr__(self, name: str) -> Any:
        if name in ("execute", "executemany", "sql", "query"):
            _count(STATEMENTS)
        return getattr(self.connection, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def _count(what: str) -> None:
    if threading.current_thread().name.startswith((threading.main_thread().name, VIEWS)):
        asked[what] += 1


def _stored(output: Path) -> dict[str, dict[str, float]]:
    """Files of each table and their bytes, without those of columns."""
    found = {}
    for table in ("events", "usage", "rejects", "ledger"):
        files = list((output / table).glob("*/*.parquet"))
        size = sum(file.stat().st_size for file in files)
        found[f"table {table}"] = {FILES: float(len(files)), STORED: float(size)}
    return found


def main() -> None:
    """Runs it once."""
    output, *arguments = sys.argv[1:]
    connect = duckdb.connect

    def counted(*args: Any, **more: Any) -> Counted:
        _count(CONNECTIONS)
        return Counted(connect(*args, **more))

    duckdb.connect = counted
    from pipelines.command import main as command  # noqa: PLC0415 - it is what is counted

    command([*arguments, "--output", output], standalone_mode=False)
    packages = {name.partition(".")[0] for name in sys.modules}
    loaded = {MODULES: float(len(sys.modules)), PACKAGES: float(len(packages))}
    found = {"imports": loaded, "whole run": dict(asked), **_stored(Path(output))}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
