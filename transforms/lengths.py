"""Lengths of time as a catalog writes them: a whole number and s, m, h or d."""

import re

DAY_US = 86_400_000_000
LONGEST_US = 36_500 * DAY_US  # a hundred years; times and lengths stay far from int64's end

_LENGTH = re.compile(r"([0-9]{1,18})([smhd])")
_UNITS_US = {"d": DAY_US, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000}


def parse_length(text: str) -> int:
    """Read a length, in microseconds; ValueError says what is wrong with it."""
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise ValueError("a length is a whole number and s, m, h or d, like 90s, 15m, 6h or 7d")
    length_us = int(match[1]) * _UNITS_US[match[2]]
    if length_us > LONGEST_US:
        raise ValueError(f"a length is at most {length_text(LONGEST_US)}")
    return length_us


def parse_window(text: str) -> int:
    """Read the length of a window, in microseconds: 1m to 1d, and a whole part of a day."""
    window_us = parse_length(text)
    if not _UNITS_US["m"] <= window_us <= DAY_US:
        raise ValueError("a window is 1m to 1d long")
    if DAY_US % window_us:
        raise ValueError("a window divides a day into equal parts, like 5m, 1h, 6h or 1d")
    return window_us


def length_text(length_us: int) -> str:
    """Write a length of whole seconds in the largest unit that leaves no rest."""
    unit = next(unit for unit, us in _UNITS_US.items() if not length_us % us)
    return f"{length_us // _UNITS_US[unit]}{unit}"
