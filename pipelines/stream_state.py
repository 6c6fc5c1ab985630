"""What a stream keeps beside its tables, so that it can go on: `OUT/.stream-<run id>/`.

| | |
|---|---|
| terms.json | what must be the same when it goes on: catalog, source, inputs |
| rates/<digest>/ | every version of the rates it has used |
| rates/history | since when each of them held |
| journal | its micro-batches, see pipelines/journal.py |
"""

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq

from pipelines import runs, warehouse
from pipelines.problems import UserError
from pipelines.settings import Settings
from transforms.tables import RUNS

_TERMS = "terms.json"


@dataclass(frozen=True)
class Terms:
    """What decides how events are read and what is made of them."""

    catalog: str
    source: str
    inputs: list[str]
    meters: list[str]
    range: list[int | None]


def folder_of(out: Path, run_id: str) -> Path:
    """Where a stream keeps what it needs to go on."""
    return out / f".stream-{run_id}"


def exists(out: Path, run_id: str) -> bool:
    """Whether a stream has this run id already."""
    return (folder_of(out, run_id) / _TERMS).exists()


def check(settings: Settings, run_id: str) -> None:
    """Checks that a stream may begin under this id, or go on.

    Raises UserError where it is that of a batch run, or of a stream that was begun on other terms.
    """
    runs.check_run_id(settings.output, run_id, "streaming")
    _check_terms(settings, run_id)


def is_whole(out: Path, run_id: str) -> bool:
    """Whether the tables have all that the stream has read so far: it is new, or ended well."""
    runs_of_it = out / "runs" / run_id
    return not runs_of_it.exists() or (runs_of_it / "succeeded.parquet").exists()


def begin(settings: Settings, run_id: str) -> runs.Run:
    """Shows the run, which is held, as running, for the first time or again. Raises as `check`."""
    out = settings.output
    check(settings, run_id)
    warehouse.prepare(out)
    meters = settings.catalog.meters
    warehouse.write_views(
        out,
        {meter.name: [name for name, _ in meter.dimensions] for meter in meters},
        {meter.name: meter.window_us for meter in meters},
    )
    _keep_terms(settings, run_id)
    record = runs.Run(
        run_id=run_id,
        mode="streaming",
        status="running",
        range_start=None,
        range_end=None,
        meters=tuple(meter.name for meter in settings.meters),
        started_at=_started(out, run_id) or datetime.now(UTC),
        finished_at=None,
        catalog_digest=settings.catalog.digest,
        rates_digest=settings.book.digest,
    )
    runs.write_run(out, record)
    return record


def ended(record: runs.Run, status: str) -> runs.Run:
    """The same run at its end."""
    return replace(record, status=status, finished_at=datetime.now(UTC))


def _started(out: Path, run_id: str) -> datetime | None:
    """When the run began for the first time."""
    files = sorted((out / "runs" / run_id).glob("[!.]*.parquet"))
    times = [pq.read_table(each, schema=RUNS)["started_at"][0].as_py() for each in files]
    return min(times, default=None)


def _terms(settings: Settings) -> Terms:
    stream = settings.stream
    if stream is None:
        raise ValueError("a run that is no stream")
    inputs = [stream.subscription] if stream.subscription else list(map(str, stream.folders))
    names = [meter.name for meter in settings.meters]
    scope = [settings.scope.start_us, settings.scope.end_us]
    return Terms(settings.catalog.digest, settings.source.name, inputs, names, scope)


def _check_terms(settings: Settings, run_id: str) -> None:
    path = folder_of(settings.output, run_id) / _TERMS
    if not path.exists():
        return
    before, now = json.loads(path.read_text()), asdict(_terms(settings))
    other = [name for name in now if now[name] != before.get(name)]
    if other:
        raise UserError(
            f"--run-id {run_id}: that stream was begun with another {' and '.join(other)}, and what"
            " it has counted would not fit; go on with the same, or begin anew under another run id"
        )


def _keep_terms(settings: Settings, run_id: str) -> None:
    path = folder_of(settings.output, run_id) / _TERMS
    path.parent.mkdir(exist_ok=True)
    with warehouse.written_aside(path) as aside:
        aside.write_text(json.dumps(asdict(_terms(settings))))
