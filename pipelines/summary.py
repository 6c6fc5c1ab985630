"""What a run did, read back from what it wrote."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

import duckdb
from rich import box
from rich.console import Console
from rich.table import Table

from pipelines import runs


@dataclass(frozen=True)
class Summary:
    """The ledger of a run in short, how many rows of usage it wrote, and what they cost."""

    run: runs.Run
    received: int
    accepted: int
    duplicates: int
    rejects: tuple[tuple[str, str | None, int], ...]  # reason, meter, how many
    groups: int
    costs: tuple[tuple[str, Decimal], ...]
    unrated: int

    @property
    def seconds(self) -> float:
        """How long the run took."""
        finished = self.run.finished_at or self.run.started_at
        return (finished - self.run.started_at).total_seconds()


_LEDGER = """
SELECT outcome, reason, meter, SUM(events)::BIGINT FROM ledger_current
WHERE run_id = ? AND (meter IS NULL OR outcome = 'rejected')
GROUP BY outcome, reason, meter ORDER BY meter NULLS FIRST, reason
"""
# whole units and the rest apart: their sums fit where a sum of 38 digits would not
_USAGE = """
SELECT currency, SUM(TRUNC(cost))::HUGEINT, SUM(cost - TRUNC(cost)), COUNT(*),
  COUNT(*) FILTER (WHERE rate_label IS NULL)
FROM {usage} WHERE run_id = ? GROUP BY currency ORDER BY currency
"""
# the view looks for rows that a retry wrote twice, which takes longest; the ledger has each event
# once, so where the rows count as many events as the ledger, none of them is there twice
_NONE_TWICE = """
SELECT (SELECT SUM(event_count) FROM stored.usage WHERE run_id = $run)
  = (SELECT SUM(events) FROM ledger_current WHERE run_id = $run AND outcome = 'metered')
"""
# a stream writes a row again whenever it has grown
_LATEST = """(
  SELECT * FROM usage QUALIFY ROW_NUMBER() OVER (
    PARTITION BY run_id, meter, customer_id, dimensions, window_start, window_end,
      rate_label, rate_effective_from, unit_price, per, currency
    ORDER BY event_count DESC, written_at DESC
  ) = 1
)"""


def summarize(pending: duckdb.DuckDBPyConnection, run: runs.Run) -> Summary:
    """The summary of a run that is not visible yet but in `pending`, and whose ledger balances."""
    ledger = pending.execute(_LEDGER, [run.run_id]).fetchall()
    rows = _LATEST if run.mode == "streaming" else _rows(pending, run.run_id)
    usage = pending.execute(_USAGE.format(usage=rows), [run.run_id]).fetchall()
    return summary_of(run, ledger, usage)


def _rows(pending: duckdb.DuckDBPyConnection, run_id: str) -> str:
    """What has each row of a batch run once."""
    (once,) = pending.execute(_NONE_TWICE, {"run": run_id}).fetchone() or (None,)
    return "stored.usage" if once else "usage"


def summary_of(
    run: runs.Run, ledger: Sequence[Sequence[Any]], usage: Sequence[Sequence[Any]]
) -> Summary:
    """The same from rows.

    ledger: outcome, reason, meter, events; usage: currency, the cost in whole units and the rest
    of it, how many rows, and how many of them without a rate.
    """
    own = {outcome: events for outcome, reason, meter, events in ledger if reason is None}
    return Summary(
        run,
        own.get("received", 0),
        own.get("accepted", 0),
        own.get("duplicate", 0),
        tuple((reason, meter, events) for _, reason, meter, events in ledger if reason),
        sum(rows for *_, rows, _ in usage),
        tuple((name, _total(whole, rest)) for name, whole, rest, *_ in usage if name),
        sum(unrated for *_, unrated in usage),
    )


def _total(whole: int | None, rest: Decimal | None) -> Decimal:
    with localcontext(prec=100):
        return Decimal(whole or 0) + (rest or 0)


def show_summary(console: Console, summary: Summary) -> None:
    """Prints it as a table."""
    table = Table(show_header=False, title_justify="left", box=box.SIMPLE)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("events received", f"{summary.received:,}")
    table.add_row("accepted", f"{summary.accepted:,}")
    table.add_row("duplicates", f"{summary.duplicates:,}")
    for reason, meter, events in summary.rejects:
        table.add_row(f"rejected: {reason}{f' ({meter})' if meter else ''}", f"{events:,}")
    table.add_row("usage rows", f"{summary.groups:,}")
    if summary.unrated:
        table.add_row("without a rate", f"{summary.unrated:,}")
    for currency, cost in summary.costs:
        table.add_row(f"cost, {currency}", plain(cost))
    seconds = max(summary.seconds, 1e-6)
    table.add_row("seconds", f"{seconds:,.1f}")
    table.add_row("events/s", f"{summary.received / seconds:,.0f}")
    console.print(f"Run {summary.run.run_id}", soft_wrap=True, highlight=False)
    console.print(table)


def plain(amount: Decimal) -> str:
    """An amount's digits, without exponent and without zeros that say nothing."""
    text = f"{amount:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
