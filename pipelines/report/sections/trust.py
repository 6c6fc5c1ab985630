"""Whether the numbers can be relied on: rejects, delay, ledger, and windows to mend."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from pipelines.report.axis import coarse_axis
from pipelines.report.charts import Ranked, over_time, ranking
from pipelines.report.encodings import FULL, HALF
from pipelines.report.line_charts import Line, delays
from pipelines.report.model import MOST_ROWS, Chart, Section, Table
from pipelines.report.period import Period, midnight
from pipelines.report.rows import Row, Rows
from pipelines.report.texts import name_of

_TYPES = 4
_YEAR = timedelta(days=365)
_REJECTS = """
SELECT day, reason, meter, rejects FROM rejects_by_day
WHERE day BETWEEN @first AND @last OR day IS NULL
ORDER BY day, rejects, reason, meter
"""
_DELAY = """
SELECT day, event_type, events, p50_ms, p95_ms, p99_ms, max_ms FROM ingest_delay
WHERE day BETWEEN @first AND @last ORDER BY day, event_type
"""
_LEDGER = """
SELECT run_id, meter, received, accepted, duplicate, matched, metered, counted, rejected, balanced
FROM ledger_balance ORDER BY balanced, run_id DESC, meter
"""
_LATE = "SELECT SUM(rejects) AS late FROM rejects_by_day WHERE reason = 'too_late'"
_BACKFILL = f"""
SELECT meter, window_start, window_end, reason, events FROM windows_to_backfill
ORDER BY events DESC, window_start DESC, meter, reason LIMIT {MOST_ROWS + 1}
"""  # noqa: S608 - a number of ours


def rejects(rows: Rows, first: date | None, last: date | None) -> Section:
    """What was refused, by reason; `too_late` are valid events that came after their time."""
    found, days = _arrived(rows.of(_REJECTS, **_bounds(first, last)))
    if not found:
        return Section("Late and rejected events", empty="None were late or rejected.")
    sums: dict[str, int] = defaultdict(int)
    for row in found:
        sums[row["reason"]] += row["rejects"]
    ranked = sorted(sums.items(), key=lambda each: (-each[1], each[0]))
    bars = [Ranked(reason, Decimal(count)) for reason, count in ranked]
    charts = [ranking("Rejects by reason", "rejects", bars)]
    if days:
        axis = coarse_axis(days)
        points = [(midnight(row["day"]), Decimal(row["rejects"])) for row in found if row["day"]]
        caption = f"Rejects by {axis.step} of arrival"
        charts.append(over_time(caption, "rejects", axis.bars(points), HALF))
    table = Table(
        "Rejects by day, reason and meter",
        ["day", "reason", "meter", "rejects"],
        [tuple(row.values()) for row in reversed(found)],
        "SELECT * FROM rejects_by_day",
    )
    note = (
        f"By day of arrival, {_said(days)}. Late events, which stay in the table of events, have"
        " the reason too_late; an event may be late for several meters."
    )
    return Section("Late and rejected events", note, charts, [table])


def delay(rows: Rows, first: date | None, last: date | None) -> Section:
    """How long after they happened events arrived."""
    found, days = _arrived(rows.of(_DELAY, **_bounds(first, last)))
    if not found:
        return Section("Ingest delay", empty="No events.")
    note = (
        f"From event time to arrival, by day of arrival, {_said(days)}. Where arrivals are not"
        " recorded, a batch run takes its own start for each: then this says how old its input was."
    )
    counts: dict[str, int] = defaultdict(int)
    for row in found:
        counts[row["event_type"]] += row["events"]
    types = sorted(counts, key=lambda kind: (-counts[kind], kind))
    width = FULL if len(types) == 1 else HALF
    charts = [
        _delay_chart(kind, [row for row in found if row["event_type"] == kind], width)
        for kind in types[:_TYPES]
    ]
    table = Table(
        "Ingest delay by day and event type, milliseconds",
        ["day", "event type", "events", "p50", "p95", "p99", "longest"],
        [tuple(row.values()) for row in reversed(found)],
        "SELECT * FROM ingest_delay",
    )
    more = f" {_TYPES} of {len(types)} event types are drawn." if len(types) > _TYPES else ""
    return Section("Ingest delay", note + more, charts, [table])


def _delay_chart(kind: str, found: Sequence[Row], width: int) -> Chart:
    series = [
        Line(name, [(midnight(row["day"]), Decimal(row[f"{name}_ms"])) for row in found])
        for name in ("p50", "p95", "p99")
    ]
    return delays(f"{name_of(kind)}: delay that 50, 95 and 99 % did not exceed", series, width)


def late_events(rows: Rows) -> int:
    """How often an event was too late for a meter, in all runs."""
    return int(rows.of(_LATE)[0]["late"] or 0)


def balance(rows: Rows) -> tuple[Section, list[Row]]:
    """The ledger of each run, and its rows."""
    found = rows.of(_LEDGER)
    note = (
        "For a run, received = accepted + duplicate + rejected; for each of its meters, matched ="
        " metered + rejected, and metered is what the usage rows count."
    )
    if not found:
        return Section("Ledger", note, empty="No run yet."), found
    columns = ["run", "meter", "received", "accepted", "duplicate", "matched", "metered", "counted"]
    table = Table(
        "Ledger balance, those that do not balance first",
        [*columns, "rejected", "balanced"],
        [tuple(row.values()) for row in found],
        "SELECT * FROM ledger_balance",
    )
    return Section("Ledger", note, tables=[table]), found


def backfill(rows: Rows) -> tuple[Section | None, int]:
    """The windows that a backfill would mend, where there are some, and how many are listed."""
    found = rows.of(_BACKFILL)
    if not found:
        return None, 0
    table = Table(
        "Windows and the events they lack",
        ["meter", "window start", "window end", "reason", "events"],
        [tuple(row.values()) for row in found],
        "SELECT * FROM windows_to_backfill",
    )
    return Section("Windows to backfill", "What a backfill would mend.", tables=[table]), len(found)


def _bounds(first: date | None, last: date | None) -> dict[str, date]:
    return {"first": first or date.min, "last": last or date.max}


def _arrived(found: Sequence[Row]) -> tuple[list[Row], Period | None]:
    """The rows of the latest year of arrivals, and those without one; and the days."""
    days = [row["day"] for row in found if row["day"] is not None]
    if not days:
        return list(found), None
    first = max(min(days), max(days) - _YEAR)
    kept = [row for row in found if row["day"] is None or row["day"] >= first]
    return kept, Period(first, max(days))


def _said(days: Period | None) -> str:
    return str(days) if days else "where it is known"
