"""Instants: int microseconds since 1970-01-01T00:00Z."""

import re
from datetime import UTC, datetime, timedelta

from oracle.amounts import Exact

MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_US = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
LAST_US = (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC) - EPOCH) // MICROSECOND
HOUR_US = 3_600_000_000
LENGTHS_US = {"s": 1_000_000, "m": 60_000_000, "h": HOUR_US, "d": 24 * HOUR_US}

_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)


def rfc3339_us(text: str, *, zone_may_lack: bool = False) -> int | None:
    """Read an RFC 3339 time; None where it is none, or leaves years 1 to 9999."""
    found = _RFC3339.fullmatch(text)
    if found is None or not (found[8] or zone_may_lack):
        return None
    micros = int(((found[7] or "") + "000000")[:6])
    offset = _offset_us(found[8] or "Z")
    try:
        written = datetime(*(int(found[part]) for part in range(1, 7)), micros, tzinfo=UTC)  # type: ignore[misc, arg-type]  # six parts
    except ValueError:
        return None
    return None if offset is None else _in_years((written - EPOCH) // MICROSECOND - offset)


def _offset_us(zone: str) -> int | None:
    if zone in "Zz":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 23 or minutes > 59:
        return None
    offset = hours * LENGTHS_US["h"] + minutes * LENGTHS_US["m"]
    return -offset if zone[0] == "-" else offset


def epoch_us(number: Exact, places: int) -> int | None:
    """Read a time since the epoch, 10^places µs to its unit, cut down to the microsecond."""
    if number.magnitude > 20:  # beyond any year; all below is cheap to scale
        return None
    return _in_years(number.floor_scaled(places))


def _in_years(instant: int) -> int | None:
    return instant if FIRST_US <= instant <= LAST_US else None


def length_us(text: str) -> int:
    """Read a length such as 15m."""
    return int(text[:-1]) * LENGTHS_US[text[-1]]


def moment_us(text: str) -> int:
    """Read a moment of a rate table: a date, or an RFC 3339 time."""
    instant = rfc3339_us(text if len(text) > len("2026-01-01") else f"{text}T00:00:00Z")
    if instant is None:
        raise ValueError(f"not a date or RFC 3339 time: {text}")
    return instant


def floor_us(instant: int, length: int) -> int:
    """Give the start of the aligned span that holds the instant."""
    return instant // length * length
