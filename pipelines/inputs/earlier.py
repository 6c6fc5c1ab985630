"""What a run may ask of an earlier output before it reads it, be it a folder or a dataset.

All of these take the `path` of an input that `holds_events`, and raise InputReadError.
"""

from collections.abc import Collection
from types import ModuleType

from pipelines.inputs import archive
from pipelines.inputs.event_files import Amount, Needed

_TABLE = "bigquery://"


def clock_arrivals(path: str, sources_with_recorded_arrival: Collection[str]) -> bool:
    """Whether it has events that arrived by the clock of a batch run, when that began."""
    return bool(_of(path).clock_arrivals(path, sources_with_recorded_arrival))


def sources(path: str) -> set[str]:
    """The names of the sources that its events are of."""
    found: set[str] = _of(path).sources(path)
    return found


def is_live(path: str) -> bool:
    """Whether a stream may be writing into it."""
    return bool(_of(path).is_live(path))


def amount(path: str, needed: Needed | None = None) -> Amount:
    """How much of it there is to read."""
    found: Amount = _of(path).amount(path, needed)
    return found


def _of(path: str) -> ModuleType:
    if not path.startswith(_TABLE):
        return archive
    # the service's client takes a while to import, and folders do without
    from pipelines.inputs import bigquery  # noqa: PLC0415

    return bigquery
