"""RFC 3339 times to microseconds since the epoch: one by one, and a column at once.

Both read `T` or a space, upper or lower case, with an offset or Z, to the microsecond (more digits
are cut), years 1 to 9999 as written and in UTC. A second of 60 is refused.
"""

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import text_parts
from transforms.tables import TIME

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
LAST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)

# how many powers of ten a unit is above a microsecond
EPOCH_POWERS = {"epoch_s": 6, "epoch_ms": 3, "epoch_us": 0}
LONGEST_EXPONENT = 12

_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:([Zz])|([+-])([0-9]{2}):([0-9]{2}))?"
)
_DAYS_IN_MONTH = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
# where the digits and the punctuation of YYYY-MM-DDTHH:MM:SS stand
_DIGITS = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18)
_MARKS = ((4, b"-"), (7, b"-"), (10, b"Tt "), (13, b":"), (16, b":"))
_SECONDS_END = 19
_PIECE = 1024  # so many are read with one that Arrow does not read
_LONGEST = 40  # of those read as columns; a time with more digits is read by itself


def parse_time(text: str, *, assume_utc: bool = False) -> int | None:
    """One RFC 3339 time in µs, or None; `assume_utc` takes one without an offset as UTC."""
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.group(1, 2, 3, 4, 5, 6))
    micros = int((found.group(7) or "0")[:6].ljust(6, "0"))
    try:
        moment = datetime(year, month, day, hour, minute, second, micros, tzinfo=UTC)
    except ValueError:
        return None
    offset = 0
    if found.group(9):
        hours, minutes = int(found.group(10)), int(found.group(11))
        if hours > 23 or minutes > 59:
            return None
        offset = (hours * 60 + minutes) * 60 * SECOND * (-1 if found.group(9) == "-" else 1)
    elif not found.group(8) and not assume_utc:
        return None
    at = micros_of(moment) - offset
    return at if FIRST <= at <= LAST else None


def parse_epoch(digits: str, unit: str) -> int | None:
    """A canonical number of seconds, milli- or microseconds, cut down to whole microseconds."""
    mantissa, _, exponent = digits.partition("e")
    if len(exponent) > LONGEST_EXPONENT:
        exponent = exponent[:LONGEST_EXPONENT]  # as far out of range as it was
    power = EPOCH_POWERS[unit] + int(exponent or 0)
    whole = mantissa.lstrip("-")
    if len(whole) + power > len(str(LAST)):
        return None
    if power >= 0:
        at = int(whole) * 10**power
    else:  # what is cut off is not zero: a canonical mantissa does not end in one
        at = int(whole[:power] or 0) + mantissa.startswith("-")
    at = -at if mantissa.startswith("-") else at
    return at if FIRST <= at <= LAST else None


def parse_times(
    texts: pa.StringArray, *, assume_utc: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """A column of RFC 3339 times: microseconds, and a mask of those that were read.

    Those not read (0 in the result) may still be times: `parse_time` has the last word on them.
    """
    unusual = len(texts) - _usual(texts)
    if not unusual and (at := _by_arrow(texts)) is not None:
        return at, np.ones(len(texts), bool)
    if unusual * _PIECE <= len(texts) > _PIECE:  # few are not read, so most pieces have none
        pieces = (texts[first : first + _PIECE] for first in range(0, len(texts), _PIECE))
        parsed = [parse_times(piece, assume_utc=assume_utc) for piece in pieces]
        at, read = map(np.concatenate, zip(*parsed, strict=True))
        return at, read
    at, read = np.zeros(len(texts), np.int64), np.zeros(len(texts), bool)
    lengths = pc.fill_null(pc.binary_length(texts), 0).to_numpy()
    for length in np.unique(lengths).tolist():
        if not _SECONDS_END <= length <= _LONGEST:
            continue
        rows = np.flatnonzero(lengths == length)
        chosen = texts if len(rows) == len(texts) else texts.take(pa.array(rows))
        at[rows], read[rows] = _one_length(_characters(chosen, length), assume_utc=assume_utc)
    return at, read


def _usual(texts: pa.StringArray) -> int:
    """How many texts end in Z and have seconds, as most times do."""
    bounds, chars = text_parts(texts.drop_null())
    ends = bounds[1:][np.diff(bounds) > _SECONDS_END]
    return int(np.count_nonzero(chars[ends - 1] == ord("Z")))


def _by_arrow(texts: pa.StringArray) -> np.ndarray | None:
    """Usual times, which Arrow reads as we do, and in a tenth of the time.

    Of what it takes beyond that only a year of 0 is left; a text that is none fails all of them.
    """
    try:
        at = texts.cast(TIME).view(pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    return at if at.min(initial=FIRST) >= FIRST else None


def _characters(texts: pa.StringArray, length: int) -> np.ndarray:
    """Texts of one length, without nulls, as a matrix of bytes, a row each."""
    bounds, chars = text_parts(texts)
    return chars[bounds[0] : bounds[-1]].reshape(len(texts), length)


def _one_length(chars: np.ndarray, *, assume_utc: bool) -> tuple[np.ndarray, np.ndarray]:
    """Each row ends in Z, in an offset, or (taken as UTC) in neither."""
    length = chars.shape[1]
    zulu = (chars[:, -1] | 0x20) == ord("z")
    if zulu.all() and length > _SECONDS_END:
        return _body(chars[:, :-1])
    at, read = np.zeros(len(chars), np.int64), np.zeros(len(chars), bool)
    shifted = np.zeros(len(chars), bool)
    if length >= _SECONDS_END + 6:
        sign = chars[:, -6]
        shifted = ((sign == ord("+")) | (sign == ord("-"))) & (chars[:, -3] == ord(":")) & ~zulu
    kinds = [(zulu, length - 1), (shifted, length - 6)]
    if assume_utc:
        kinds.append((~zulu & ~shifted, length))
    for rows, end in kinds:
        if end >= _SECONDS_END and rows.any():
            at[rows], read[rows] = _body(chars[rows][:, :end])
    if shifted.any():
        offset, fine = _offset(chars[shifted][:, -6:])
        at[shifted] -= offset
        read[shifted] &= fine & (at[shifted] >= FIRST) & (at[shifted] <= LAST)
    return np.where(read, at, 0), read


def _offset(chars: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    digits = chars[:, (1, 2, 4, 5)].astype(np.int64) - ord("0")
    fine = ((digits >= 0) & (digits <= 9)).all(axis=1)
    hours, minutes = digits[:, 0] * 10 + digits[:, 1], digits[:, 2] * 10 + digits[:, 3]
    fine &= (hours <= 23) & (minutes <= 59)
    sign = np.where(chars[:, 0] == ord("-"), -1, 1)
    return (hours * 60 + minutes) * (60 * SECOND) * sign, fine


def _body(chars: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """YYYY-MM-DDTHH:MM:SS with or without a fraction."""
    read = np.ones(len(chars), bool)
    for place, allowed in _MARKS:
        read &= np.isin(chars[:, place], np.frombuffer(allowed, np.uint8))
    micros = np.zeros(len(chars), np.int64)
    if chars.shape[1] > _SECONDS_END:
        read &= (chars[:, _SECONDS_END] == ord(".")) & (chars.shape[1] > _SECONDS_END + 1)
        for place in range(_SECONDS_END + 1, chars.shape[1]):
            digit = chars[:, place].astype(np.int64) - ord("0")
            read &= (digit >= 0) & (digit <= 9)
            power = _SECONDS_END + 6 - place
            if power >= 0:
                micros += digit * 10**power
    d = {}
    for place in _DIGITS:
        d[place] = chars[:, place].astype(np.int64) - ord("0")
        read &= (d[place] >= 0) & (d[place] <= 9)
    year = d[0] * 1000 + d[1] * 100 + d[2] * 10 + d[3]
    month, day = d[5] * 10 + d[6], d[8] * 10 + d[9]
    hour, minute, second = d[11] * 10 + d[12], d[14] * 10 + d[15], d[17] * 10 + d[18]
    read &= (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1)
    read &= (hour <= 23) & (minute <= 59) & (second <= 59)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    in_month = _DAYS_IN_MONTH[np.where(read, month, 0)] + (leap & (month == 2))
    read &= day <= in_month
    days = _days_from_civil(year, month, day)
    at = days * DAY + hour * HOUR + minute * (60 * SECOND) + second * SECOND + micros
    return np.where(read, at, 0), read


def _days_from_civil(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Days since 1970-01-01 in the proleptic Gregorian calendar.

    Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil. The year
    starts in March, so that the leap day is its last.
    """
    year = year - (month <= 2)
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def format_time(at_us: int) -> str:
    """Microseconds since the epoch as RFC 3339 in UTC, e.g. 2026-01-15T10:30:00Z."""
    return moment_of(at_us).isoformat().replace("+00:00", "Z")


def moment_of(at_us: int) -> datetime:
    """Microseconds since the epoch as a datetime in UTC."""
    return EPOCH + timedelta(microseconds=at_us)


def micros_of(moment: datetime) -> int:
    """A datetime as microseconds since the epoch: whole numbers, where `timestamp()` is a float."""
    return (moment - EPOCH) // timedelta(microseconds=1)
