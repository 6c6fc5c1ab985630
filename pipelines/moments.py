"""Times and shares as a user gives them on the command line."""

import re
from decimal import Decimal

from pipelines.problems import UserError
from transforms.timestamps import parse_time

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SHARE = re.compile(r"([0-9]+(?:\.[0-9]+)?)%")
_WHOLE = Decimal(100)


def moment(option: str, text: str | None) -> int | None:
    """`--from` and `--to`: RFC 3339, or a date for its midnight in UTC; µs since the epoch."""
    if text is None:
        return None
    at = parse_time(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text)
    if at is None:
        raise UserError(
            f"{option} {text}: not a time; write a date (2026-01-15) or RFC 3339 with an offset"
            " (2026-01-15T10:00:00Z)"
        )
    return at


def share(option: str, text: str | None) -> Decimal | None:
    """`--max-rejects`: a percentage such as `5%` or `0.1%`, as a share of 1."""
    if text is None:
        return None
    found = _SHARE.fullmatch(text)
    if found is None or Decimal(found[1]) > _WHOLE:
        raise UserError(f"{option} {text}: not a share; write a percentage from 0% to 100%")
    return Decimal(found[1]) / _WHOLE
