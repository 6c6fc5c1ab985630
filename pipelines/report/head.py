"""The top of a page: what it is about, and the key figures."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from pipelines.report.model import MOST_ROWS, Figure
from pipelines.report.period import Period
from pipelines.report.rows import Row, Rows
from pipelines.report.sections.money import MOST_CURRENCIES
from pipelines.report.texts import NONE, name_of, percent, short, text_of

_RUNS = """
SELECT run_id, mode, status, started_at, finished_at, catalog_digest, rates_digest
FROM runs ORDER BY started_at DESC, run_id DESC
"""
_DIGEST = 12  # characters that tell digests apart


def facts(rows: Rows, output: str, period: Period | None) -> list[tuple[str, str]]:
    """What the page was made of, by name."""
    runs = rows.of(_RUNS)
    told = [
        ("Output", output),
        ("Period", f"{period}, by event time, UTC" if period else "no usage yet"),
        ("Made", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
        ("Runs", _statuses(runs)),
    ]
    last = next((row for row in runs if row["status"] != "failed"), None)
    if last is None:
        return told
    ended = f"finished {text_of(last['finished_at'])}" if last["finished_at"] else "running"
    return [
        *told,
        ("Latest run", f"{name_of(last['run_id'])}, {last['mode']}, {ended}"),
        ("Catalog", _digest(last["catalog_digest"])),
        ("Rates", _digest(last["rates_digest"])),
    ]


def figures(
    forecasts: Sequence[Row], ledger: Sequence[Row], late: int, unrated: int, windows: int
) -> list[Figure]:
    """Money first, then whether it can be relied on."""
    runs = [row for row in ledger if row["meter"] is None]
    received, rejected = (sum(row[name] for row in runs) for name in ("received", "rejected"))
    duplicates = sum(row["duplicate"] for row in runs)
    off = sum(not row["balanced"] for row in ledger)
    balanced = f"{off:,} of {len(ledger):,} sums do not" if off else f"{len(ledger):,} sums checked"
    return [
        *_money(forecasts),
        Figure("Events received", f"{received:,}", f"{duplicates:,} duplicates, in all runs"),
        Figure("Rejected", percent(rejected, received), f"{rejected:,} of {received:,} received"),
        Figure("Late", f"{late:,}", "times too late for a meter"),
        Figure("Ledger balances", "no" if off else "yes" if ledger else NONE, balanced, off > 0),
        Figure("Without a price", _at_most(unrated), "groups of usage", unrated > 0),
        Figure("To backfill", _at_most(windows), "windows", windows > 0),
    ]


def _money(forecasts: Sequence[Row]) -> list[Figure]:
    """A figure for each currency; with only one the forecast has its own."""
    shown = []
    for row in forecasts[:MOST_CURRENCIES]:
        currency, whole = row["currency"], f"{row['month']:%B %Y}"
        so_far, ends = _amount(row["cost_so_far"], currency), _amount(row["forecast"], currency)
        days = f"{row['days_elapsed']} of {row['days_in_month']} days"
        if len(forecasts) == 1:
            shown += [Figure(f"Cost of {whole}", so_far, days), Figure("Forecast", ends, whole)]
        else:
            shown.append(Figure(f"Cost of {whole}", so_far, f"{days}, forecast {ends}"))
    return shown


def _amount(amount: Decimal | None, currency: str) -> str:
    return NONE if amount is None else f"{short(amount)} {currency}"


def _at_most(count: int) -> str:
    return f"over {MOST_ROWS}" if count > MOST_ROWS else f"{count:,}"


def _statuses(runs: Sequence[Row]) -> str:
    kinds = [row["status"] for row in runs]
    named = (f"{kinds.count(kind):,} {kind}" for kind in dict.fromkeys(sorted(kinds)))
    return ", ".join(named) or "none"


def _digest(text: str | None) -> str:
    return text[:_DIGEST] if text else NONE
