"""The local warehouse: a folder of Parquet tables, and views over them in `warehouse.duckdb`.

    OUT/<table>/<run_id>/*.parquet    the rows (runs: one file per status)
    OUT/<table>/_columns.parquet      no rows: it gives the columns before a run has written any
    OUT/warehouse.duckdb              views only, replaced as a whole, so that anyone may read it
                                      at any time

A run shows its rows by its row in `runs` alone: nothing is moved when it succeeds.
"""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from pipelines.problems import UserError
from pipelines.views import MeterShape, glob_text, quoted, stored_sql, views_sql
from transforms.tables import TABLES

FILE = "warehouse.duckdb"
_COLUMNS = "_columns.parquet"


class WarehouseError(UserError):
    """A folder that is no warehouse, or cannot be one; the text says which and why."""


def check_out(out: Path) -> Path:
    """Give the absolute path of a folder that can be a warehouse; it need not exist yet.

    Raises:
        WarehouseError: for a path that is a file, or that DuckDB cannot search.

    """
    root = Path(os.path.abspath(out))  # noqa: PTH100 -- resolve() would put a link's target into the views
    if root.exists() and not root.is_dir():
        raise WarehouseError(f"{root} is a file: the output has to be a folder")
    if "\\" in str(root):
        raise WarehouseError(f"{root}: a folder with a backslash in its path cannot be searched")
    try:
        str(root).encode()
    except UnicodeEncodeError:
        raise WarehouseError(f"{str(root)!r}: the path of a folder has to be UTF-8") from None
    return root


def prepare(out: Path) -> None:
    """Make the folders of all tables, each with its empty file of columns.

    Raises:
        WarehouseError: as `check_out`, or where the folder cannot be written.

    """
    root = check_out(out)
    try:
        for table, schema in TABLES.items():
            path = root / table / _COLUMNS
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                with written_aside(path) as aside:
                    pq.write_table(schema.empty_table(), aside)
    except OSError as error:
        raise WarehouseError(f"{root} cannot be written: {error.strerror or error}") from error


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a path beside `path`, which readers pass over, and put what is written there in place.

    It may become a file or a folder.

    A block that fails leaves nothing behind, and a power failure all of it or nothing.
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        yield aside
        for each in (*aside.rglob("*"), aside):
            _keep_on_disk(each)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _keep_on_disk(path: Path) -> None:
    """Let a file or a folder, without what is in it, outlast a power failure."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def write_views(out: Path, meters: Mapping[str, MeterShape]) -> None:
    """Write `warehouse.duckdb`, where its views change: also `usage_<meter>` for these meters.

    The length of a meter's windows places a late event of a meter that has no usage yet. Meters of
    earlier runs keep their views and dimensions.

    Raises:
        WarehouseError: for a folder that `prepare` has not made.

    """
    root = _opened(out)
    with held(root), duckdb.connect() as connection:
        known, written = _read_back(connection, root)
        known |= {meter: shape.after(known.get(meter)) for meter, shape in meters.items()}
        _run(connection, stored_sql(root))
        statements = list(views_sql(root, _with_usage(connection, known)))
        digest = _digest(statements)
        if digest == written:
            return
        with tempfile.TemporaryDirectory() as folder, written_aside(root / FILE) as aside:
            # DuckDB reads a ? in the path of a database as its own: it never sees ours
            built = Path(folder) / FILE
            connection.execute(f"ATTACH {quoted(str(built))} AS built; USE built")
            _run(connection, statements)
            connection.execute(f"COMMENT ON VIEW stored.meters IS {quoted(digest)}")
            connection.execute("USE memory; DETACH built")
            shutil.copyfile(built, aside)


@contextmanager
def views_written(out: Path, meters: Mapping[str, MeterShape]) -> Iterator[None]:
    """See `write_views`, which takes DuckDB a moment: it is done beside the block.

    What it raises comes after the block, and not at all where the block raises.
    """
    with ThreadPoolExecutor(1, "views") as aside:
        done = aside.submit(write_views, out, meters)
        yield
        done.result()


def connect(out: Path, pending: str | None = None) -> duckdb.DuckDBPyConnection:
    """Open an in-memory database with the views of a warehouse, and no way to other files.

    Times are in UTC. Where the rows of the run `pending` show as if it had succeeded, there are
    only the views by which it is checked.

    Raises:
        WarehouseError: for a folder that is no warehouse.

    """
    root = _opened(out)
    connection = duckdb.connect(
        config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    )
    known, _ = _read_back(connection, root)
    folders = ", ".join({quoted(str(root)), quoted(glob_text(root))})
    spill = quoted(str(Path(tempfile.gettempdir()) / f"meterbeam-{os.getpid()}"))
    for setting in (
        "TimeZone = 'UTC'",
        "python_enable_replacements = false",  # no variable of ours is a table
        f"temp_directory = {spill}",
        f"allowed_directories = [{folders}]",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
    _run(connection, stored_sql(root))
    _run(connection, views_sql(root, _with_usage(connection, known), pending))
    return connection


def _opened(out: Path) -> Path:
    root = check_out(out)
    if not root.exists():
        raise WarehouseError(f"{root}: there is no such folder")
    missing = [table for table in TABLES if not (root / table / _COLUMNS).exists()]
    if missing:
        raise WarehouseError(
            f"{root} is not the output of a run: it has no table {' '.join(missing)}"
        )
    return root


@contextmanager
def held(root: Path) -> Iterator[None]:
    """Keep others from changing what a reader sees: the views, or which runs have succeeded."""
    folder = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _run(connection: duckdb.DuckDBPyConnection, statements: Iterable[str]) -> None:
    connection.execute("CREATE SCHEMA IF NOT EXISTS stored; CREATE SCHEMA IF NOT EXISTS steps")
    for statement in statements:
        connection.execute(statement)


def _read_back(
    connection: duckdb.DuckDBPyConnection, root: Path
) -> tuple[dict[str, MeterShape], str | None]:
    """Read the meters, and the digest of the views, from the views written last."""
    if not (root / FILE).exists():
        return {}, None
    with tempfile.TemporaryDirectory() as folder:
        # a copy, because a reader that opened the file for writing, too, has it locked
        copy = shutil.copyfile(root / FILE, Path(folder) / FILE)
        try:
            connection.execute(f"ATTACH {quoted(str(copy))} AS written (READ_ONLY)")
            rows = connection.sql("SELECT * FROM written.stored.meters").to_arrow_table()
            (digest,) = connection.execute(
                "SELECT comment FROM duckdb_views() WHERE database_name = 'written'"
                " AND schema_name = 'stored' AND view_name = 'meters'"
            ).fetchone() or (None,)
        except duckdb.Error:  # not ours, or of another version: it is written anew
            return {}, None
        finally:
            connection.execute("DETACH DATABASE IF EXISTS written")
    return {row["meter"]: MeterShape.stored(row) for row in rows.to_pylist()}, digest


def _with_usage(
    connection: duckdb.DuckDBPyConnection, known: Mapping[str, MeterShape]
) -> dict[str, MeterShape]:
    """Add the meters that only usage rows tell of, by name and with the dimensions seen there."""
    rows = connection.execute(
        "SELECT DISTINCT meter, json_keys(dimensions)"
        " FROM (SELECT DISTINCT meter, dimensions FROM stored.usage"
        " WHERE meter IS NOT NULL AND NOT list_contains($known, meter))"
        " WHERE json_valid(dimensions)",
        {"known": list(known)},
    ).fetchall()
    found: dict[str, set[str]] = {}
    for meter, keys in rows:
        found.setdefault(meter, set()).update(keys)
    shapes = {meter: MeterShape(tuple(sorted(keys))) for meter, keys in found.items()}
    return dict(sorted({**known, **shapes}.items()))


def _digest(statements: Sequence[str]) -> str:
    """Give a digest of all that the file depends on: the views, the columns and DuckDB's format."""
    columns = [str(schema) for schema in TABLES.values()]
    content = json.dumps([duckdb.__version__, *columns, *statements])
    return hashlib.sha256(content.encode()).hexdigest()
