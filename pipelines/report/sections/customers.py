"""Who and what the cost of a month comes from: customers, and the values of dimensions."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from pipelines.report.charts import Ranked, ranking
from pipelines.report.model import Chart, Section, Table
from pipelines.report.period import Period
from pipelines.report.rows import Row, Rows
from pipelines.report.sections.money import MOST_CURRENCIES, most_used
from pipelines.report.texts import added, name_of, total

_PLACES, _VALUES, _CHARTS = 10, 6, 6
_NULL = "none"
_TOP = f"""
SELECT currency, place, customer_id, cost, share_percent
FROM top_customers
WHERE month = @month
QUALIFY ROW_NUMBER() OVER (PARTITION BY currency ORDER BY place, customer_id) <= {_PLACES}
ORDER BY currency, place, customer_id
"""  # noqa: S608 - a number of ours
_ALL = """
SELECT
  currency, COUNT(*) AS usage_rows,
  SUM(TRUNC(cost)) AS whole, SUM(cost - TRUNC(cost)) AS rest
FROM top_customers WHERE month = @month GROUP BY currency
"""
_BY_DIMENSION = """
SELECT
  meter, dimension, value, currency, cost, event_count,
  SUM(ABS(TRUNC(cost))) OVER (PARTITION BY meter, dimension, currency) AS weight,
  ROW_NUMBER() OVER (
    PARTITION BY meter, dimension, currency ORDER BY cost DESC NULLS LAST, value
  ) AS place
FROM cost_by_dimension
WHERE month = @month AND currency IS NOT NULL
QUALIFY place <= 200
ORDER BY
  SUM(usage_rows) OVER (PARTITION BY currency) DESC, weight DESC, meter, dimension, currency, place
"""
_REST = """
SELECT
  meter, dimension, currency, COUNT(*) AS value_count,
  SUM(TRUNC(cost)) AS whole, SUM(cost - TRUNC(cost)) AS rest
FROM cost_by_dimension
WHERE month = @month AND currency IS NOT NULL
GROUP BY meter, dimension, currency
"""


def top(rows: Rows, period: Period) -> Section:
    """The ten customers with the highest cost of a month, and all others as one."""
    found = rows.of(_TOP, month=period.month)
    title = f"Top customers in {period.month:%B %Y}"
    if not found:
        return Section(title, empty="No usage with a rate in this month.")
    everybody = rows.of(_ALL, month=period.month)
    charts = [
        _customers([row for row in found if row["currency"] == whole["currency"]], whole)
        for currency in most_used(everybody)[:MOST_CURRENCIES]
        for whole in everybody
        if whole["currency"] == currency
    ]
    table = Table(
        "Top customers",
        ["currency", "place", "customer", "cost", "share, % (cut to 4 decimals)"],
        [tuple(row.values()) for row in found],
        _sql("top_customers", period.month, "currency, place"),
        full=len(charts) > 1,
    )
    return Section(title, "Of the month in which the period ends.", charts, [table])


def _customers(found: Sequence[Row], whole: Row) -> Chart:
    named = [(name_of(row["customer_id"]), row["cost"]) for row in found]
    bars = _with_rest(named, total(whole["whole"], whole["rest"]), whole["usage_rows"])
    return ranking(f"Cost by customer, {whole['currency']}", whole["currency"], bars)


def dimensions(rows: Rows, period: Period) -> Section:
    """Cost by the values of each dimension, those with the highest cost first."""
    found = rows.of(_BY_DIMENSION, month=period.month)
    title = f"Cost by dimension in {period.month:%B %Y}"
    if not found:
        return Section(title, empty="No usage with a rate and a dimension in this month.")
    wholes = {_key(row): row for row in rows.of(_REST, month=period.month)}
    keys = list(dict.fromkeys(map(_key, found)))
    charts = []
    for key in keys[:_CHARTS]:
        own = [row for row in found if _key(row) == key][:_VALUES]
        named = [(_NULL if r["value"] is None else name_of(r["value"]), r["cost"]) for r in own]
        whole = wholes[key]
        bars = _with_rest(named, total(whole["whole"], whole["rest"]), whole["value_count"])
        meter, dimension, currency = key
        charts.append(ranking(f"{meter} by {name_of(dimension)}, {currency}", currency, bars))
    columns = ["meter", "dimension", "value", "currency", "cost", "events"]
    table = Table(
        "Cost by dimension",
        columns,
        [list(row.values())[: len(columns)] for row in found],
        _sql("cost_by_dimension", period.month, "meter, dimension, cost DESC"),
    )
    more = f" {_CHARTS} of {len(keys)} are drawn." if len(keys) > _CHARTS else ""
    note = "Costs of different dimensions of a meter are the same money, not to be added up."
    return Section(title, note + more, charts, [table])


def _key(row: Row) -> tuple[str, str, str]:
    return row["meter"], row["dimension"], row["currency"]


def _with_rest(
    named: Sequence[tuple[str, Decimal | None]], whole: Decimal, count: int
) -> list[Ranked]:
    bars = [Ranked(name, cost or Decimal(0)) for name, cost in named]
    if count > len(bars):
        rest = added(whole, *(-bar.amount for bar in bars))
        bars.append(Ranked(f"{count - len(bars):,} others", rest, is_rest=True))
    return bars


def _sql(view: str, month: date, order: str) -> str:
    return f"SELECT * FROM {view} WHERE month = '{month}' ORDER BY {order}"  # noqa: S608 - shown, not run
