"""Names that a catalog gives twice where they must differ, found whatever else is wrong with it."""

from collections.abc import Iterable, Iterator
from typing import Any

from transforms.catalog_problems import Location
from transforms.paths import parse_path

Place = tuple[Location, Any]  # where a value stands, and the value
Repeat = tuple[str, Location, Location]  # a name, where it stands again and where it stood first


def repeats(content: Any) -> Iterator[Repeat]:
    """Find meters, event types of a meter and dimensions of a meter with the same name."""
    meters = [place for place in _inside((), content, "meters") if isinstance(place[1], dict)]
    yield from _pairs(((*at, "name"), meter.get("name")) for at, meter in meters)
    for at, meter in meters:
        yield from _pairs(_inside(at, meter, "event_type"))
        dimensions = _inside(at, meter, "dimensions")
        yield from _pairs((place, _column(place, value)) for place, value in dimensions)


def _inside(at: Location, mapping: Any, key: str) -> Iterator[Place]:
    """Give the members of the list or mapping that stands at a key, if one does."""
    value = mapping.get(key) if isinstance(mapping, dict) else None
    members = enumerate(value) if isinstance(value, list) else ()
    yield from (((*at, key, place), member) for place, member in members)
    if isinstance(value, dict):
        yield from (((*at, key, name), member) for name, member in value.items())


def _column(at: Location, value: Any) -> str | None:
    """Give the name of a dimension as columns are told apart: without case."""
    if isinstance(at[-1], str):
        return at[-1].lower()
    try:
        return parse_path(value).dotted.lower() if isinstance(value, str) else None
    except ValueError:
        return None  # the path is a problem of its own


def _pairs(names: Iterable[Place]) -> Iterator[Repeat]:
    first: dict[str, Location] = {}
    for at, name in names:
        if not isinstance(name, str) or not name:
            continue
        if name in first:
            yield name, at, first[name]
        first.setdefault(name, at)
