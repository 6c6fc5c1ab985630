"""What the cells of a rate table may hold: exact decimals, and moments in UTC."""

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache

from rates.problems import shown

DECIMALS = 18  # of DECIMAL(38,18)
WHOLE_DIGITS = 20
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_AMOUNT = re.compile(
    r"(?P<sign>[+-]?)(?=\.?[0-9])(?P<whole>[0-9]*)\.?(?P<part>[0-9]*)"
    r"(?:[eE](?P<exponent>[+-]?[0-9]+))?"
)
_MOMENT = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ](?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.(?P<part>[0-9]+))?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<hours>[0-9]{2}):(?P<minutes>[0-9]{2})))?"
)
_LONGEST_EXPONENT = 6  # digits; a cell is too short for its digits to make up for more


def parse_amount(text: str) -> Decimal:
    """Read a plain or scientific decimal that fits DECIMAL(38,18), judged by its value.

    Raises ValueError, with a text for the author of the table, for anything else.
    """
    found = _AMOUNT.fullmatch(text)
    if not found:
        raise ValueError(f"{shown(text)} is not a decimal number (like 0.25, -3 or 2.5e-6)")
    part = found["part"]
    digits = (found["whole"] + part).lstrip("0")
    if not digits:
        return Decimal(0)
    significant = digits.rstrip("0")
    power = _exponent(found["exponent"]) - len(part) + len(digits) - len(significant)
    if power < -DECIMALS:
        raise ValueError(f"{shown(text)} has more than {DECIMALS} decimals")
    if len(significant) + power > WHOLE_DIGITS:
        raise ValueError(f"{shown(text)} is not below 10^{WHOLE_DIGITS}")
    zeros = max(power, 0)
    return Decimal(f"{found['sign']}{significant}{'0' * zeros}e{power - zeros}")


def _exponent(text: str | None) -> int:
    if text is None:
        return 0
    sign, digits = (-1 if text[0] == "-" else 1), text.lstrip("+-0")
    return sign * (int(digits or 0) if len(digits) <= _LONGEST_EXPONENT else 10**_LONGEST_EXPONENT)


def parse_per(text: str) -> Decimal:
    """Read the size of the lot a price is for: a decimal above zero."""
    amount = parse_amount(text)
    if amount <= 0:
        raise ValueError(f"{shown(text)} is not above 0")
    return amount


@lru_cache(maxsize=4096)  # a price list has few moments and many rows
def parse_moment(text: str) -> int:
    """Read a date (its midnight, UTC) or an RFC 3339 time as microseconds since the epoch.

    Digits past the microsecond are cut, as they are of event times. Raises ValueError, with a
    text for the author of the table, where there is no such moment or no offset.
    """
    found = _MOMENT.fullmatch(text)
    if not found:
        raise ValueError(
            f"{shown(text)} is neither a date (2026-01-31) nor an RFC 3339 time with an offset "
            "or Z (2026-01-31T12:00:00Z)"
        )
    try:
        moment = datetime.fromisoformat(f"{found['date']}T{found['time'] or '00:00:00'}")
        micros = int((found["part"] or "")[:6].ljust(6, "0"))
        moment = moment.replace(microsecond=micros, tzinfo=_zone(found)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{shown(text)} is no moment of the years 1 to 9999") from None
    return (moment - EPOCH) // MICROSECOND


def _zone(found: re.Match[str]) -> timezone:
    if not found["sign"]:
        return UTC
    hours, minutes = int(found["hours"]), int(found["minutes"])
    offset = timedelta(hours=hours, minutes=minutes)
    if minutes >= 60:  # noqa: PLR2004 - minutes in an hour
        raise ValueError("no such offset")
    return timezone(-offset if found["sign"] == "-" else offset)


def moment_text(micros: int) -> str:
    """Write microseconds since the epoch as the RFC 3339 time a message shows."""
    return (EPOCH + micros * MICROSECOND).isoformat().replace("+00:00", "Z")
