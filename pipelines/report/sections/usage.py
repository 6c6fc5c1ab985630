"""What was used: quantities over time, and what of it has no price."""

from collections.abc import Sequence
from decimal import Decimal

from pipelines.report.axis import Axis
from pipelines.report.charts import over_time
from pipelines.report.encodings import HALF
from pipelines.report.model import MOST_ROWS, Chart, Section, Table
from pipelines.report.period import Period, midnight
from pipelines.report.rows import Row, Rows
from pipelines.report.texts import total

_CHARTS = 6
_TOTALS = """
SELECT
  meter, unit,
  SUM(TRUNC(quantity)) AS whole, SUM(quantity - TRUNC(quantity)) AS rest,
  SUM(event_count) AS events, SUM(usage_rows) AS usage_rows,
  SUM(out_of_range_rows) AS out_of_range_rows
FROM usage_by_day
WHERE day BETWEEN @first AND @last
GROUP BY meter, unit
ORDER BY events DESC, meter, unit
"""
_BY_DAY = """
SELECT
  day, meter, unit,
  SUM(TRUNC(quantity)) AS whole, SUM(quantity - TRUNC(quantity)) AS rest,
  SUM(event_count) AS events
FROM usage_by_day
WHERE day BETWEEN @first AND @last
GROUP BY day, meter, unit
"""
_BY_WINDOW = """
SELECT
  window_start, meter, unit,
  SUM(TRUNC(quantity)) AS whole, SUM(quantity - TRUNC(quantity)) AS rest,
  SUM(event_count) AS events
FROM usage_current
WHERE DATE(window_start, 'UTC') BETWEEN @first AND @last
GROUP BY window_start, meter, unit
"""
_UNRATED = f"""
SELECT meter, customer_id, dimensions, unit, first_window, last_window, usage_rows, event_count
FROM unrated_usage
ORDER BY event_count DESC, meter, customer_id, dimensions
LIMIT {MOST_ROWS + 1}
"""  # noqa: S608 - a number of ours


def usage(rows: Rows, period: Period, axis: Axis) -> Section:
    """A chart for each of the meters with most events, a row for each of them all."""
    found = rows.of(_TOTALS, first=period.first, last=period.last)
    if not found:
        return Section("Usage", empty="No usage in the period.")
    sql = _BY_WINDOW if axis.is_fine else _BY_DAY
    points = rows.of(sql, first=period.first, last=period.last)
    charts = [_chart(points, axis, row) for row in found[:_CHARTS]]
    table = Table(
        "Usage in the period",
        ["meter", "unit", "quantity", "events", "usage rows", "out of range"],
        [
            (
                row["meter"],
                row["unit"],
                _quantity(row),
                *_whole(row, "events", "usage_rows", "out_of_range_rows"),
            )
            for row in found
        ],
        "SELECT * FROM usage_by_day",
    )
    more = f" {_CHARTS} of {len(found)} meters are drawn." if len(found) > _CHARTS else ""
    note = "Where quantities cannot be added up (max, avg, unique_count …), events are drawn."
    return Section("Usage", note + more, charts, [table])


def _chart(found: Sequence[Row], axis: Axis, row: Row) -> Chart:
    points = []
    for each in found:
        if (each["meter"], each["unit"]) == (row["meter"], row["unit"]):
            at = each["window_start"] if axis.is_fine else midnight(each["day"])
            adds = row["whole"] is not None
            amount = total(each["whole"], each["rest"]) if adds else Decimal(each["events"])
            points.append((at, amount))
    unit = (row["unit"] or "quantity") if row["whole"] is not None else "events"
    caption = f"{row['meter']} by {axis.step}, {unit}"
    return over_time(caption, unit, axis.bars(points), HALF)


def _quantity(row: Row) -> Decimal | None:
    return None if row["whole"] is None else total(row["whole"], row["rest"])


def _whole(row: Row, *names: str) -> list[int]:
    return [int(row[name]) for name in names]


def unrated(rows: Rows) -> Section | None:
    """Usage without a price, where there is some."""
    found = rows.of(_UNRATED)
    if not found:
        return None
    columns = ["meter", "customer", "dimensions", "unit", "first window", "last window"]
    table = Table(
        "Usage that no rate matches",
        [*columns, "usage rows", "events"],
        [tuple(row.values()) for row in found],
        "SELECT * FROM unrated_usage",
    )
    note = "No rate matches this usage of any time, so it has no cost, which is not a cost of 0."
    return Section("Usage without a price", note, tables=[table])
