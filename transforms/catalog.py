"""The catalog a run works with: meters and sources, checked, immutable and picklable.

`catalog_file.load_catalog` makes these from YAML. Lengths are int64 microseconds (`*_us`).
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Literal, get_args

from transforms.paths import Path

Aggregation = Literal["sum", "count", "unique_count", "min", "max", "avg", "latest"]
TimeFormat = Literal["rfc3339", "epoch_s", "epoch_ms", "epoch_us"]
AGGREGATIONS: tuple[Aggregation, ...] = get_args(Aggregation)
TIME_FORMATS: tuple[TimeFormat, ...] = get_args(TimeFormat)

Keys = tuple[str, ...]  # the way down a record from its root


@dataclass(frozen=True)
class Meter:
    """How events of some types become one quantity per customer, dimensions and window."""

    name: str
    description: str | None
    event_types: tuple[str, ...]
    where: tuple[tuple[Path, frozenset[str]], ...]  # each path must hold one of its texts
    aggregation: Aggregation
    value: Path | None  # None for count
    dimensions: tuple[tuple[str, Path], ...]  # sorted by name
    window_us: int
    allowed_lateness_us: int
    unit: str | None


@dataclass(frozen=True)
class TextField:
    """A text of each record, at `path`, or one `const` for all; `as_text` takes numbers too."""

    path: Keys | None
    const: str | None = None
    as_text: bool = False


@dataclass(frozen=True)
class TimeField:
    """A time of each record; `assume_utc` takes an RFC 3339 time without an offset as UTC."""

    path: Keys
    format: TimeFormat = "rfc3339"
    assume_utc: bool = False


@dataclass(frozen=True)
class Source:
    """Where the records of one kind keep what every event has, and their properties."""

    name: str
    event_type: TextField
    customer_id: TextField
    timestamp: TimeField
    id: TextField | None = None
    id_scope: Keys | None = None  # an id is unique within this text, else within customer and type
    received_at: TimeField | None = None
    properties: Keys = ()  # where bare paths start; () is the whole record
    objects: tuple[Keys, ...] = ()  # what must be an object, or absent

    def resolve(self, path: Path) -> Keys:
        """Give the keys of a meter's path from the root of this source's records."""
        return path.keys if path.whole_record else (*self.properties, *path.keys)


@dataclass(frozen=True)
class Catalog:
    """One catalog file: its meters in their order, and its sources with the built-in ones."""

    name: str  # the file, for messages
    meters: tuple[Meter, ...]
    sources: Mapping[str, Source] = field(hash=False)
    future_tolerance_us: int
    dedup_horizon_us: int
    digest: str  # SHA-256 of the file's bytes, in hex

    def __post_init__(self) -> None:
        object.__setattr__(self, "sources", MappingProxyType(dict(self.sources)))

    def __reduce__(self) -> tuple[Any, ...]:
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        values["sources"] = dict(self.sources)  # a read-only view does not pickle
        return type(self), tuple(values.values())

    def source(self, name: str) -> Source:
        """Find the source of this name; ValueError names the nearest one there is."""
        if name not in self.sources:
            raise ValueError(f"{self.name} has no source {name!r}{nearest(name, self.sources)}")
        return self.sources[name]

    def meter(self, name: str) -> Meter:
        """Find the meter of this name; ValueError names the nearest one there is."""
        for meter in self.meters:
            if meter.name == name:
                return meter
        names = [meter.name for meter in self.meters]
        raise ValueError(f"{self.name} has no meter {name!r}{nearest(name, names)}")


def nearest(name: str, right: Iterable[str]) -> str:
    """End a message about a wrong name: with the right one it is most like, or all of them."""
    names = {each.lower(): each for each in sorted(right)}
    close = difflib.get_close_matches(name.lower(), names, n=1)
    if close:
        return f"; did you mean {names[close[0]]!r}?"
    return f"; there is {', '.join(names.values())}" if names else ""
