"""What usage costs: over time, in this month, and against the period before."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import cast

from pipelines.report.axis import Axis
from pipelines.report.charts import over_time, pairs
from pipelines.report.encodings import FULL, HALF
from pipelines.report.line_charts import Line, lines
from pipelines.report.model import Chart, Section, Table
from pipelines.report.period import Period, midnight
from pipelines.report.rows import Row, Rows
from pipelines.report.texts import added, total

MOST_CURRENCIES = 4
_MOST_METERS = 8
_BY_DAY = """
SELECT day, currency, cost, usage_rows, unrated_rows, out_of_range_rows
FROM cost_by_day WHERE day BETWEEN @first AND @last ORDER BY day, currency
"""
_BY_WINDOW = """
SELECT
  window_start, currency, SUM(TRUNC(cost)) AS whole, SUM(cost - TRUNC(cost)) AS rest
FROM usage_current
WHERE DATE(window_start, 'UTC') BETWEEN @first AND @last AND cost IS NOT NULL
GROUP BY window_start, currency
"""
_FORECAST = """
SELECT month, currency, cost_so_far, days_elapsed, days_in_month, forecast
FROM cost_forecast ORDER BY currency
"""
_MONTH = """
SELECT day, currency, cost FROM cost_by_day
WHERE day >= @first AND day < @until AND currency IS NOT NULL ORDER BY currency, day
"""
_CHANGE = """
SELECT period, period_start, currency, meter, cost, previous_cost, change, change_percent
FROM cost_change
WHERE period_start <= @last
QUALIFY DENSE_RANK() OVER (PARTITION BY period ORDER BY period_start DESC) = 1
ORDER BY period, currency, cost DESC, meter
"""


def cost(rows: Rows, period: Period, axis: Axis) -> Section:
    """Cost over time, a chart for each currency."""
    days = rows.of(_BY_DAY, first=period.first, last=period.last)
    points: dict[str, list[tuple[datetime, Decimal]]] = defaultdict(list)
    if axis.is_fine:
        for row in rows.of(_BY_WINDOW, first=period.first, last=period.last):
            points[row["currency"]].append((row["window_start"], total(row["whole"], row["rest"])))
    else:
        for row in days:
            if row["cost"] is not None:
                points[row["currency"]].append((midnight(row["day"]), row["cost"]))
    shown = most_used(days)[:MOST_CURRENCIES]
    charts = [
        over_time(f"Cost by {axis.step}, {currency}", currency, axis.bars(points[currency]))
        for currency in shown
        if points[currency]
    ]
    table = Table(
        "Cost by day",
        ["day", "currency", "cost", "usage rows", "without a rate", "out of range"],
        [tuple(row.values()) for row in reversed(days)],
        f"SELECT * FROM cost_by_day WHERE day BETWEEN '{period.first}' AND '{period.last}'",  # noqa: S608 - shown, not run
    )
    return Section("Cost", "By the start of the window, in UTC.", charts, [table] if days else [])


def most_used(rows: Sequence[Row]) -> list[str]:
    """The currencies, those with most rows of usage first."""
    counts: Counter[str] = Counter()
    for row in rows:
        if row["currency"] is not None:
            counts[row["currency"]] += row["usage_rows"]
    return sorted(counts, key=lambda currency: (-counts[currency], currency))


def forecasts(rows: Rows) -> list[Row]:
    """The latest month of the output, a row for each currency."""
    return rows.of(_FORECAST)


def month(rows: Rows, found: Sequence[Row]) -> Section:
    """The month so far, and where it ends if it goes on as it did."""
    note = (
        "If the month goes on as in its whole days until now: cost so far,"
        " divided by the days elapsed, times the days of the month."
        " It is about the latest month that has usage."
    )
    if not found:
        return Section("Forecast of the month", note, empty="No usage with a rate yet.")
    drawn = [row for row in found if row["forecast"] is not None][:MOST_CURRENCIES]
    days = rows.of(_MONTH, first=found[0]["month"], until=_day_after(found[0]))
    charts = [_so_far(days, row, FULL if len(drawn) == 1 else HALF) for row in drawn]
    table = Table(
        "Forecast",
        ["month", "currency", "cost so far", "days elapsed", "days in all", "forecast"],
        [tuple(row.values()) for row in found],
    )
    return Section("Forecast of the month", note, charts, [table])


def _day_after(row: Row) -> date:
    """The first day that does not count any more."""
    return cast("date", row["month"] + timedelta(days=int(row["days_elapsed"])))


def _so_far(days: Sequence[Row], row: Row, width: int) -> Chart:
    after = row["month"] + timedelta(days=int(row["days_in_month"]))
    sums, so_far = [(midnight(row["month"]), Decimal(0))], Decimal(0)
    costs = {
        each["day"]: each["cost"]
        for each in days
        if each["currency"] == row["currency"] and each["cost"] is not None
    }
    for number in range(int(row["days_elapsed"])):
        day = row["month"] + timedelta(days=number)
        so_far = added(so_far, costs.get(day, Decimal(0)))
        sums.append((midnight(day + timedelta(days=1)), so_far))
    series = [Line("cost so far", sums)]
    if _day_after(row) < after:
        series.append(Line("forecast", [sums[-1], (midnight(after), row["forecast"])]))
    caption = f"Cost of {row['month']:%B %Y}, added up, {row['currency']}"
    return lines(caption, row["currency"], series, width)


def change(rows: Rows, period: Period) -> Section:
    """Cost against the period before: the month, week or day that has one before it."""
    found = rows.of(_CHANGE, last=period.last)
    title = "Change against the previous period"
    note = "The latest month, week and day that begin within the period, whole or not."
    if not found:
        return Section(title, note, empty="No usage with a rate.")
    kinds = ("month", "week", "day")
    by_kind = {kind: [row for row in found if row["period"] == kind] for kind in kinds}
    told = next((k for k in kinds if any(_has_before(row) for row in by_kind[k])), None)
    charts = _against(by_kind[told], told) if told else []
    columns = ["meter", "currency", "cost", "previous", "change", "change, %"]
    tables = [
        Table(
            f"The {kind} from {by_kind[kind][0]['period_start']}",
            columns,
            [
                [
                    row[name]
                    for name in (
                        "meter",
                        "currency",
                        "cost",
                        "previous_cost",
                        "change",
                        "change_percent",
                    )
                ]
                for row in by_kind[kind]
            ],
            f"SELECT * FROM cost_change WHERE period = '{kind}' ORDER BY period_start DESC",  # noqa: S608 - shown, not run
            closed=kind != (told or "month"),
        )
        for kind in kinds
        if by_kind[kind]
    ]
    nothing = "" if told else " No period before these has a cost, so there is nothing to compare."
    return Section(title, note + nothing, charts, tables)


def _has_before(row: Row) -> bool:
    return row["previous_cost"] is not None


def _against(found: Sequence[Row], kind: str) -> list[Chart]:
    charts = []
    for currency in most_used([{**row, "usage_rows": 1} for row in found])[:MOST_CURRENCIES]:
        own = [row for row in found if row["currency"] == currency and row["cost"] is not None]
        own.sort(key=lambda row: -max(row["cost"], row["previous_cost"] or 0))
        named = [(r["meter"], r["cost"], r["previous_cost"] or Decimal(0)) for r in own]
        if named:
            of = f" ({_MOST_METERS} of {len(named)} meters)" if len(named) > _MOST_METERS else ""
            caption = f"Cost of the {kind} and of the one before, {currency}{of}"
            charts.append(pairs(caption, currency, named[:_MOST_METERS]))
    return charts
