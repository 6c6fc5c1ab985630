"""The demo: an hour of real requests, metered and priced, and shown as tables."""

import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from pipelines import warehouse
from pipelines.beam_options import beam_options
from pipelines.run import run_batch
from pipelines.settings import Asked, settle
from pipelines.summary import plain, show_summary

_USAGE = """
SELECT customer_id, strftime(window_start, '%H:%M'), meter, quantity, unit_price, per, cost
FROM usage_current
ORDER BY customer_id, window_start, meter, rate_effective_from, rate_label
"""
_BY_HOUR = """
SELECT customer_id, strftime(window_start, '%H:%M'), SUM(cost), currency
FROM usage_current WHERE cost IS NOT NULL
GROUP BY customer_id, window_start, currency ORDER BY customer_id, window_start
"""
Row = tuple[Any, ...]

_LEDGER = """
SELECT COALESCE(meter, 'all'), outcome, COALESCE(reason, ''), SUM(events)::BIGINT
FROM ledger_current GROUP BY meter, outcome, reason ORDER BY meter NULLS FIRST, outcome, reason
"""


def example(name: str) -> Path:
    """A file of the example: of the checkout, or of the installed package."""
    checkout = Path(__file__).parent.parent / "examples" / "azure-llm-2023" / name
    if checkout.exists():
        return checkout
    return Path(str(resources.files("pipelines"))) / "examples" / "azure-llm-2023" / name


def run_demo(console: Console) -> None:
    """Runs the job into a new folder and prints usage, cost and ledger."""
    out = Path(tempfile.mkdtemp(prefix="meterbeam-demo-"))
    asked = Asked(
        catalog=str(example("catalog.yaml")),
        rates=str(example("rates.csv")),
        inputs=[str(example("requests.csv"))],
        output=str(out),
        source="azure",
        run_id="demo",
    )
    console.print("Metering 28,185 requests to two LLM services, 2023-11-16 18:15 to 19:14 UTC …")
    summary = run_batch(settle(asked), beam_options([]))
    connection = warehouse.connect(out)
    usage = connection.execute(_USAGE).fetchall()
    by_hour = connection.execute(_BY_HOUR).fetchall()
    ledger = connection.execute(_LEDGER).fetchall()
    connection.close()
    _print_usage(console, usage)
    _print_costs(console, by_hour)
    _print_ledger(console, ledger)
    console.print()
    show_summary(console, summary)
    _print_next(console, out)


def _print_usage(console: Console, rows: list[Row]) -> None:
    title = "Usage: where a price changed within the hour (at 18:45), each price has its row"
    table = _table(title, ["customer", "hour", "meter"], ["quantity", "price", "per", "cost, USD"])
    for customer, hour, meter, *amounts in rows:
        shown = ["no rate" if amount is None else plain(amount) for amount in amounts]
        table.add_row(customer, hour, meter, *shown)
    console.print(table)


def _print_costs(console: Console, rows: list[Row]) -> None:
    table = _table("Cost by customer and hour", ["customer", "hour"], ["cost"])
    for customer, hour, cost, currency in rows:
        table.add_row(customer, hour, f"{plain(cost)} {currency}")
    console.print(table)


def _print_ledger(console: Console, rows: list[Row]) -> None:
    title = "Ledger: every event is accounted for"
    table = _table(title, ["meter", "outcome", "reason"], ["events"])
    for meter, outcome, reason, events in rows:
        table.add_row(meter, outcome, reason, f"{events:,}")
    console.print(table)


def _table(title: str, texts: list[str], numbers: list[str]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for name in texts:
        table.add_column(name, no_wrap=True)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _print_next(console: Console, out: Path) -> None:
    console.print(f"\nThe tables are in {out}\nLook further:", soft_wrap=True)
    for sql in ("SELECT * FROM cost_by_customer", "SELECT * FROM ledger_balance"):
        line = f'  meterbeam query --output {out} "{sql}"'
        console.print(line, soft_wrap=True, highlight=False)
    console.print(f"The meters and prices are in {example('catalog.yaml').parent}", soft_wrap=True)
