"""The bars of a chart over time: as fine as the period and the windows allow."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from pipelines.report.charts import Bar
from pipelines.report.period import Period, midnight
from pipelines.report.rows import Rows
from pipelines.report.texts import added

_DAILY, _WEEKLY = 92, 750  # days up to which a bar is a day, a week
_FINE_DAYS, _FINE_BARS = 2, 96
_FINE = {"minute": 1, "5 minutes": 5, "10 minutes": 10, "15 minutes": 15, "30 minutes": 30} | {
    "hour": 60
}
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPAN = """
SELECT
  MIN(window_start) AS first_start,
  MAX(window_end) AS last_end,
  MAX(UNIX_MICROS(window_end) - UNIX_MICROS(window_start)) AS longest_us
FROM usage_current
WHERE DATE(window_start, 'UTC') BETWEEN @first AND @last
"""


@dataclass(frozen=True)
class Axis:
    """Where bars begin, where the last one ends, and what each stands for."""

    starts: Sequence[datetime]
    end: datetime
    step: str
    is_fine: bool

    def bars(self, amounts: Iterable[tuple[datetime, Decimal]]) -> list[Bar]:
        """The amounts, exactly added in the bars in which they begin; bars without any are 0."""
        sums = [Decimal(0)] * len(self.starts)
        for at, amount in amounts:
            place = bisect_right(self.starts, at) - 1
            sums[place] = added(sums[place], amount)
        ends = [*self.starts[1:], self.end]
        return [Bar(*each) for each in zip(self.starts, ends, sums, strict=True)]


def axis_of(rows: Rows, period: Period) -> Axis:
    """Bars of less than a day for up to two days, where no window is longer; else of whole days."""
    return (period.days <= _FINE_DAYS and _fine(rows, period)) or coarse_axis(period)


def _fine(rows: Rows, period: Period) -> Axis | None:
    (span,) = rows.of(_SPAN, first=period.first, last=period.last)
    if span["longest_us"] is None:
        return None
    longest = timedelta(microseconds=int(span["longest_us"]))
    for name, minutes in _FINE.items():
        step = timedelta(minutes=minutes)
        first = _EPOCH + (span["first_start"] - _EPOCH) // step * step
        count = -((first - span["last_end"]) // step)
        if step >= longest and count <= _FINE_BARS:
            return Axis(
                [first + n * step for n in range(count)], first + count * step, name, is_fine=True
            )
    return None


def coarse_axis(period: Period) -> Axis:
    """Bars of days, weeks or months, as many as can be told apart."""
    step = "day" if period.days <= _DAILY else "week" if period.days <= _WEEKLY else "month"
    starts = [midnight(day) for day in _days(period, step)]
    return Axis(starts, midnight(period.last + _DAY), step, is_fine=False)


def _days(period: Period, step: str) -> Iterator[date]:
    at = period.first
    while at <= period.last:
        yield at
        if step == "day":
            at += _DAY
        elif step == "week":
            at += (7 - at.weekday()) * _DAY
        else:
            at = (at.replace(day=28) + 4 * _DAY).replace(day=1)
