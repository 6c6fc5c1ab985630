"""The days a report is about."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from pipelines.moments import moment
from pipelines.problems import UserError
from pipelines.report.rows import Rows

_DAY_US = 86_400_000_000
_DAYS = 92  # as many as a report has unless it is told
_DAY = timedelta(days=1)
_SPAN = "SELECT MIN(day) AS first_day, MAX(day) AS last_day FROM cost_by_day"


@dataclass(frozen=True)
class Period:
    """Days in UTC, both ends included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many there are."""
        return (self.last - self.first).days + 1

    @property
    def month(self) -> date:
        """The first day of the month in which it ends."""
        return self.last.replace(day=1)

    def __str__(self) -> str:
        """As a reader wants it."""
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"


def asked_period(start: str | None, end: str | None) -> tuple[date | None, date | None]:
    """The days that `--from` and `--to` name: the latter is the first that no longer counts."""
    first, after = _day("--from", start), _day("--to", end)
    if first and after and after <= first:
        raise UserError(f"--to {end} has to be later than --from {start}")
    return first, after and after - _DAY


def settled(rows: Rows, first: date | None, last: date | None) -> Period | None:
    """The days asked for; where an end is open, those that have usage, at most 92."""
    if not first or not last:
        (found,) = rows.of(_SPAN)
        if found["last_day"] is None:
            return Period(first or last, last or first) if first or last else None  # type: ignore[arg-type]
        last = last or max(found["last_day"], first or found["last_day"])
        default = max(found["first_day"], last - (_DAYS - 1) * _DAY)
        first = first or min(default, last)
    return Period(first, last)


def midnight(day: date) -> datetime:
    """The moment a day begins."""
    return datetime.combine(day, time(), UTC)


def _day(option: str, text: str | None) -> date | None:
    at = moment(option, text)
    if at is None:
        return None
    if at % _DAY_US:
        raise UserError(f"{option} {text}: a report goes by whole days in UTC; write a date")
    return date(1970, 1, 1) + timedelta(days=at // _DAY_US)
