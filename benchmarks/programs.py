"""The programs that the benchmarks compare, each as the command that starts it."""

import sys
from pathlib import Path

from polars_env import polars_python
from processes import Program

HERE = Path(__file__).parent
CATALOG, RATES = HERE / "catalog.yaml", HERE / "rates.csv"


def meterbeam(
    name: str = "meterbeam", catalog: Path = CATALOG, rates: Path | None = RATES
) -> Program:
    """The command as a user runs it, on this interpreter's environment."""
    command = str(Path(sys.executable).with_name("meterbeam"))
    priced = () if rates is None else ("--rates", str(rates))
    return Program(name, (command, "run", "--catalog", str(catalog), *priced))


def sql() -> Program:
    """The peer in DuckDB's SQL."""
    return _peer("DuckDB SQL", sys.executable, "duckdb_sql.py")


def per_event_beam() -> Program:
    """The peer in Beam, an element per event."""
    return _peer("per-event Beam", sys.executable, "per_event_beam.py")


def polars_stream() -> Program:
    """The peer in polars, on an environment of its own. Raises NoPolarsError."""
    return _peer("polars", str(polars_python()), "polars_stream.py")


def _peer(name: str, python: str, script: str) -> Program:
    return Program(name, (python, str(HERE / script), "--rates", str(RATES)))
