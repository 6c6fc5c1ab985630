"""The catalog, for files that are known to be valid: nothing is checked here."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml

from oracle.times import length_us

Keys: TypeAlias = tuple[str, ...]

_SEGMENT = re.compile(r'"([^"]*)"|([^."]+)')
_EPOCH_PLACES = {"epoch_s": 6, "epoch_ms": 3, "epoch_us": 0}


@dataclass(frozen=True)
class TextField:
    """Where a text is found in the record, or what it always is."""

    keys: Keys = ()
    const: str | None = None
    takes_numbers: bool = False


@dataclass(frozen=True)
class TimeField:
    """Where a time is found; `places` is None for RFC 3339."""

    keys: Keys
    places: int | None = None
    zone_may_lack: bool = False


@dataclass(frozen=True)
class Source:
    """How a record is read; `scope` is what an id is unique in, beside customer and type."""

    name: str
    event_type: TextField
    customer_id: TextField
    timestamp: TimeField
    id: TextField | None
    received_at: TimeField | None
    properties: Keys
    objects: tuple[Keys, ...]
    scope: Keys | None = None


@dataclass(frozen=True)
class Meter:
    """One meter; all its paths start at the root of the record."""

    name: str
    event_types: frozenset[str]
    where: tuple[tuple[Keys, frozenset[str]], ...]
    aggregation: str
    value: Keys | None
    dimensions: tuple[tuple[str, Keys], ...]
    window: int
    lateness: int
    unit: str | None

    @property
    def reads_numbers(self) -> bool:
        """Tell whether the value has to be a number."""
        return self.value is not None and self.aggregation != "unique_count"


@dataclass(frozen=True)
class Catalog:
    """What one run needs of the file: the paths of its meters are those of one source."""

    source: Source
    meters: tuple[Meter, ...]
    future_tolerance: int


def read_catalog(text: str, source: str) -> Catalog:
    """Read a valid catalog as records of this source are metered by it."""
    content = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - all scalars stay as written
    defaults = {"window": "1h", "allowed_lateness": "1d", "future_tolerance": "5m"}
    defaults |= content.get("defaults") or {}
    chosen = _BUILT_IN.get(source) or _mapped(source, content["sources"][source])
    meters = tuple(_meter({**defaults, **meter}, chosen) for meter in content["meters"])
    return Catalog(chosen, meters, length_us(defaults["future_tolerance"]))


def _meter(written: Mapping[str, Any], source: Source) -> Meter:
    dimensions = written.get("dimensions") or {}
    if not isinstance(dimensions, Mapping):
        dimensions = {name: name for name in dimensions}
    value = written.get("value")
    return Meter(
        name=written["name"],
        event_types=frozenset(_listed(written["event_type"])),
        where=tuple(
            (_keys(path, source), frozenset(_listed(texts)))
            for path, texts in (written.get("where") or {}).items()
        ),
        aggregation=written["aggregation"],
        value=_keys(value, source) if value else None,
        dimensions=tuple((name, _keys(path, source)) for name, path in sorted(dimensions.items())),
        window=length_us(written["window"]),
        lateness=length_us(written["allowed_lateness"]),
        unit=written.get("unit"),
    )


def _listed(one_or_more: str | Sequence[str]) -> Sequence[str]:
    return [one_or_more] if isinstance(one_or_more, str) else one_or_more


def _keys(path: str, source: Source) -> Keys:
    return _root_keys(path[2:]) if path.startswith("$.") else source.properties + _root_keys(path)


def _root_keys(path: str) -> Keys:
    return tuple(quoted or bare for quoted, bare in _SEGMENT.findall(path))


def _mapped(name: str, written: Mapping[str, Any]) -> Source:
    base = () if written["properties"] == "." else _root_keys(written["properties"])
    return Source(
        name=name,
        event_type=_text_field(written["event_type"]),
        customer_id=_text_field(written["customer_id"]),
        timestamp=_time_field(written["timestamp"]),
        id=_text_field(written["id"]) if "id" in written else None,
        received_at=_time_field(written["received_at"]) if "received_at" in written else None,
        properties=base,
        objects=(base,) if base else (),
    )


def _text_field(written: str | Mapping[str, str]) -> TextField:
    if isinstance(written, str):
        return TextField(_root_keys(written))
    if "const" in written:
        return TextField(const=written["const"])
    return TextField(_root_keys(written["path"]), takes_numbers=written.get("as") == "text")


def _time_field(written: str | Mapping[str, str]) -> TimeField:
    if isinstance(written, str):
        return TimeField(_root_keys(written))
    places = _EPOCH_PLACES.get(written.get("format", "rfc3339"))
    return TimeField(_root_keys(written["path"]), places, zone_may_lack="zone" in written)


def _native(name: str, received_at: TimeField | None) -> Source:
    return Source(
        name=name,
        event_type=TextField(("event_type",)),
        customer_id=TextField(("customer_id",)),
        timestamp=TimeField(("timestamp",)),
        id=TextField(("id",)),
        received_at=received_at,
        properties=("properties",),
        objects=(("properties",), ("metadata",)),
    )


_BUILT_IN = {
    "native": _native("native", None),
    "recorded": _native("recorded", TimeField(("received_at",))),
    "cloudevents": Source(
        name="cloudevents",
        event_type=TextField(("type",)),
        customer_id=TextField(("subject",)),
        timestamp=TimeField(("time",)),
        id=TextField(("id",)),
        received_at=None,
        properties=("data",),
        objects=(("data",),),
        scope=("source",),
    ),
}
