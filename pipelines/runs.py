"""The registry of runs, and what must hold before a run may be seen.

A run is a folder `OUT/runs/<run_id>` with a file for each status it had. A batch run's rows are in
no view until the file of its success is there, so that one rename shows all of them at once.
"""

import json
import logging
import re
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import warehouse
from pipelines.covered import COVERED, CoveredWindows, named_windows
from pipelines.problems import UserError
from pipelines.views.duckdb_sql import for_duckdb
from transforms.tables import RUNS, TABLES

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_LOG = logging.getLogger(__name__)


class RunIdError(UserError):
    """A run id that cannot be used; the text says why and what to do."""


@dataclass(frozen=True)
class Run:
    """A row of the table `runs`. Times carry a zone; a range that is open at an end has None."""

    run_id: str
    mode: str
    status: str
    range_start: datetime | None
    range_end: datetime | None
    meters: tuple[str, ...]
    started_at: datetime
    finished_at: datetime | None
    catalog_digest: str
    rates_digest: str | None


class Begun(NamedTuple):
    """What is known of a stream that goes on: when it began first, and whether it ended well."""

    started_at: datetime
    is_whole: bool


def new_run_id(now: datetime) -> str:
    """Make a run id: ids sort by the time, and two of the same time differ."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%S.%f}Z-{secrets.token_hex(3)}"


def check_run_id(out: Path, run_id: str, mode: str) -> None:
    """Check that a run of this mode may have this id. It reads only.

    A batch run may take the id of one that failed or never finished (`clear_run` removes what that
    one left); a streaming run goes on under its own id.

    Raises:
        RunIdError: for an illegal id, one of a succeeded batch run, or of a run of the other mode.

    """
    check_legal(run_id)
    check_statuses(run_id, mode, _statuses(out, run_id))


def check_legal(run_id: str) -> None:
    """Check a run id for itself. Raises RunIdError."""
    if not _RUN_ID.fullmatch(run_id):
        raise RunIdError(
            f"run id {run_id!r}: it has to be 1 to 128 letters, digits, '.', '_' and '-',"
            " and to begin with a letter or digit"
        )


def check_statuses(run_id: str, mode: str, statuses: Sequence[tuple[str, str]]) -> None:
    """The same for a legal id, by what its runs said of themselves: mode and status."""
    for earlier_mode, status in statuses:
        if earlier_mode != mode:
            raise RunIdError(f"run id {run_id!r} is that of a {earlier_mode} run; choose another")
        if mode == "batch" and status == "succeeded":
            raise RunIdError(f"run {run_id} has succeeded before; choose another run id")


def clear_run(out: Path, run_id: str) -> None:
    """Remove every file of a run, its row in `runs` last: cut short, it can be done again."""
    for table in sorted(TABLES, key=lambda table: table == "runs"):
        folder = out / table / run_id
        if folder.exists():
            shutil.rmtree(folder)


def write_run(out: Path, run: Run) -> None:
    """Write the status of a run. One that runs again has no earlier end any more."""
    folder = out / "runs" / run.run_id
    folder.mkdir(parents=True, exist_ok=True)
    row = {**asdict(run), "meters": json.dumps(run.meters)}
    with warehouse.written_aside(folder / f"{run.status}.parquet") as aside:
        pq.write_table(pa.Table.from_pylist([row], schema=RUNS), aside)
    if run.status == "running":
        for ended in ("failed", "succeeded"):
            (folder / f"{ended}.parquet").unlink(missing_ok=True)


def write_failed(out: Path, run: Run) -> None:
    """Write that a run failed; where even that cannot be written, it stays one that is running."""
    try:
        write_run(out, run)
    except OSError as error:
        _LOG.warning("the failure of run %s could not be noted: %s", run.run_id, error)


def verify_ledger(pending: duckdb.DuckDBPyConnection, run_id: str) -> list[str]:
    """Say where the ledger of a run does not balance that is not visible yet but in `pending`."""
    rows = pending.execute(
        "SELECT * EXCLUDE (run_id) FROM ledger_balance WHERE run_id = ? ORDER BY meter NULLS FIRST",
        [run_id],
    ).fetchall()
    if not rows:
        return [f"run {run_id} is not in runs"]
    return [problem for row in rows for problem in imbalances(*row)]


def rejected(pending: duckdb.DuckDBPyConnection, run_id: str) -> tuple[int, int]:
    """Count the records a run received, and those of them it rejected, by itself or for a meter.

    A record that several meters rejected counts once.
    """
    counts = pending.execute(
        "SELECT"
        " (SELECT COALESCE(SUM(events), 0) FROM ledger_current"
        " WHERE run_id = $run AND outcome = 'received' AND meter IS NULL)::BIGINT,"
        " (SELECT COUNT(DISTINCT origin) FROM rejects"
        " WHERE run_id = $run AND reason NOT IN ('total_out_of_range', 'refused'))",
        {"run": run_id},
    ).fetchone()
    received, refused = counts or (0, 0)
    return received, refused


def windows_already_covered(pending: duckdb.DuckDBPyConnection, run_id: str) -> CoveredWindows:
    """Find the windows of a batch run that others cover, or in which a stream counted events.

    It is for a run without a range whose files are written and which has not succeeded yet; with a
    range it finds the windows inside that the tables know of.
    """
    return named_windows(pending.execute(for_duckdb(COVERED), {"run": run_id}).fetchall())


def _statuses(out: Path, run_id: str) -> list[tuple[str, str]]:
    """Read mode and status from the files of a run."""
    return [
        (row["mode"], row["status"])
        for path in sorted((out / "runs" / run_id).glob("[!.]*.parquet"))
        for row in pq.read_table(path, columns=["mode", "status"]).to_pylist()
    ]


def imbalances(  # noqa: PLR0917 -- the columns of ledger_balance in their order
    meter: str | None,
    received: int | None,
    accepted: int | None,
    duplicate: int | None,
    matched: int | None,
    metered: int | None,
    counted: int | None,
    rejects: int,
    balanced: bool,  # noqa: FBT001 -- likewise
) -> list[str]:
    """Say what is wrong with a run, or a meter of it, by its row of ledger_balance."""
    if balanced:
        return []
    if meter is None:
        parts = f"{accepted} accepted, {duplicate} duplicates and {rejects} rejected"
        return [f"{received} records were received, but {parts}"]
    problems = []
    if matched != (metered or 0) + rejects:
        problems.append(
            f"meter {meter}: {matched} events matched, but {metered} metered and {rejects} rejected"
        )
    if metered != counted:
        problems.append(f"meter {meter}: {metered} events metered, but {counted} in usage")
    return problems
