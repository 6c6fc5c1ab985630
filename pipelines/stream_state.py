"""What a stream keeps beside its tables, so that it can go on: `.stream-<run id>/`.

It is in the folder of its tables; where these are elsewhere, in a folder of this machine.

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

from pipelines import runs, warehouse
from pipelines.problems import UserError
from pipelines.settings import Settings

_TERMS = "terms.json"


@dataclass(frozen=True)
class Terms:
    """What decides how events are read and what is made of them."""

    catalog: str
    source: str
    inputs: list[str]
    meters: list[str]
    range: list[int | None]


def folder_of(state: Path, run_id: str) -> Path:
    """Where a stream keeps what it needs to go on."""
    return state / f".stream-{run_id}"


def exists(state: Path, run_id: str) -> bool:
    """Whether a stream has this run id already."""
    return (folder_of(state, run_id) / _TERMS).exists()


def check(settings: Settings, state: Path, run_id: str) -> None:
    """Checks that a stream of this id was begun on the same terms, if it was begun.

    Raises UserError where it was not: what it has counted would not fit.
    """
    path = folder_of(state, run_id) / _TERMS
    if not path.exists():
        return
    before, now = json.loads(path.read_text()), asdict(_terms(settings))
    other = [name for name in now if now[name] != before.get(name)]
    if other:
        raise UserError(
            f"--run-id {run_id}: that stream was begun with another {' and '.join(other)}, and what"
            " it has counted would not fit; go on with the same, or begin anew under another run id"
        )


def keep(settings: Settings, state: Path, run_id: str) -> None:
    """Keeps the terms of a stream that begins."""
    path = folder_of(state, run_id) / _TERMS
    path.parent.mkdir(exist_ok=True)
    with warehouse.written_aside(path) as aside:
        aside.write_text(json.dumps(asdict(_terms(settings))))


def begun(settings: Settings, run_id: str, started_at: datetime | None) -> runs.Run:
    """The run of a stream that runs now, and did so first at `started_at`, if it goes on."""
    return runs.Run(
        run_id=run_id,
        mode="streaming",
        status="running",
        range_start=None,
        range_end=None,
        meters=tuple(meter.name for meter in settings.meters),
        started_at=started_at or datetime.now(UTC),
        finished_at=None,
        catalog_digest=settings.catalog.digest,
        rates_digest=settings.book.digest,
    )


def ended(record: runs.Run, status: str) -> runs.Run:
    """The same run at its end."""
    return replace(record, status=status, finished_at=datetime.now(UTC))


def _terms(settings: Settings) -> Terms:
    stream = settings.stream
    if stream is None:
        raise ValueError("a run that is no stream")
    inputs = [stream.subscription] if stream.subscription else list(map(str, stream.folders))
    names = [meter.name for meter in settings.meters]
    scope = [settings.scope.start_us, settings.scope.end_us]
    return Terms(settings.catalog.digest, settings.source.name, inputs, names, scope)
