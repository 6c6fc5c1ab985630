"""The values of a catalog file: each function reads one, or raises ValueError that says why not."""

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from rates.row import COLUMNS as RATE_COLUMNS
from transforms.catalog import AGGREGATIONS, TIME_FORMATS, nearest
from transforms.catalog_problems import shown
from transforms.lengths import parse_length, parse_window
from transforms.paths import Path, parse_path
from transforms.sources import BUILT_IN
from transforms.tables import USAGE
from transforms.yaml_nodes import Null

LONGEST = 256  # characters of an event type or a customer

_METER_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_COLUMNS = dict.fromkeys(USAGE.names, "usage") | dict.fromkeys(RATE_COLUMNS, "the rates")
_TAKEN = {"current": "usage_current"}  # views of a meter and of all of them

Read = TypeVar("Read")


def text(value: Any) -> str:
    """Read any text, as written."""
    if not isinstance(value, str):
        raise ValueError(f"must be a text, not {kind(value)}")  # noqa: TRY004 - pydantic's rule
    if isinstance(value, Null) and not value:
        raise ValueError('there is no text here; the empty text is written ""')
    return str(value)


def kind(value: Any) -> str:
    """Name what a value is, in YAML's words."""
    if isinstance(value, Null):
        return "nothing"
    if isinstance(value, str):
        return f"the text {shown(value)}"
    return "a list" if isinstance(value, list) else "a mapping"


def meter_name(value: Any) -> str:
    """Read the name of a meter."""
    name = text(value)
    if not _METER_NAME.fullmatch(name):
        raise ValueError(
            f"{shown(name)} is not a lower-case letter and up to 62 lower-case letters, digits or _"
        )
    if name in _TAKEN:
        raise ValueError(f"{shown(name)} is taken: {_TAKEN[name]} is the view of all meters")
    return name


def source_name(value: Any) -> str:
    """Read the name of a source of one's own."""
    name = _label(text(value))
    if name in BUILT_IN:
        raise ValueError(f"the source {shown(name)} is built in; give this one another name")
    return name


def dimension_name(value: Any) -> str:
    """Read the name of a dimension, which becomes a column beside those of usage and rates."""
    name = _label(text(value))
    owner = _COLUMNS.get(name.lower())
    if owner:
        raise ValueError(
            f"{shown(name)} is a column of {owner}; give the dimension another name,"
            " as in {another_name: path}"
        )
    return name


def event_type(value: Any) -> str:
    """Read an event type, or another text that events need."""
    found = text(value)
    if not 1 <= len(found) <= LONGEST:
        raise ValueError(
            f"{shown(found)} has {len(found)} characters, and must have 1 to {LONGEST}"
        )
    return found


def path(value: Any) -> Path:
    """Read the path of a meter."""
    return _parsed(value, parse_path)


def path_text(value: Any) -> str:
    """Read the path of a meter, and leave it as written."""
    path(value)
    return str(value)


def listed_dimension(value: Any) -> tuple[str, Path]:
    """Read a dimension that is given by its path only, which names it too."""
    found = path(value)
    return dimension_name(found.dotted), found


def root_path(value: Any) -> tuple[str, ...]:
    """Read the path of a source, which starts at the whole record with `$.` or without."""
    return path(value).keys


def properties(value: Any) -> tuple[str, ...]:
    """Read where bare paths start: a path, or `.` for the whole record."""
    return () if value == "." else root_path(value)


def length(value: Any) -> int:
    """Read a length, in microseconds."""
    return _parsed(value, parse_length)


def positive_length(value: Any) -> int:
    """Read a length above zero, in microseconds."""
    found = length(value)
    if not found:
        raise ValueError(f"{shown(value)}: must be longer than nothing")
    return found


def window(value: Any) -> int:
    """Read the length of a window, in microseconds."""
    return _parsed(value, parse_window)


def aggregation(value: Any) -> str:
    """Read the name of an aggregation."""
    return _one_of(value, AGGREGATIONS, "no aggregation")


def time_format(value: Any) -> str:
    """Read the name of a format of times."""
    return _one_of(value, TIME_FORMATS, "no format of times")


def only(right: str) -> Callable[[Any], str]:
    """Make the reader of a key that takes one text only."""

    def read(value: Any) -> str:
        if text(value) != right:
            raise ValueError(f"must be {right}, not {shown(value)}")
        return right

    return read


def _one_of(value: Any, names: Iterable[str], what: str) -> str:
    name = text(value)
    if name not in names:
        raise ValueError(f"{shown(name)} is {what}{nearest(name, names)}")
    return name


def _parsed(value: Any, parse: Callable[[str], Read]) -> Read:
    found = text(value)
    try:
        return parse(found)
    except ValueError as error:
        raise ValueError(f"{shown(found)}: {error}") from None


def _label(name: str) -> str:
    if not name or name != name.strip() or not name.isprintable():
        raise ValueError(
            f"{shown(name)}: a name has a character, no space at its ends, no control characters"
        )
    return name
