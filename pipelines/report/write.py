"""A report of an output, from its views to a file."""

from datetime import date
from pathlib import Path

from pipelines.bigquery.dataset import PREFIX
from pipelines.problems import UserError
from pipelines.report.axis import axis_of
from pipelines.report.head import facts, figures
from pipelines.report.model import Page, Section
from pipelines.report.page import html
from pipelines.report.period import asked_period, settled
from pipelines.report.rows import Rows, opened
from pipelines.report.sections import customers, money, trust, usage
from pipelines.warehouse import written_aside


def write_report(output: str, file: str, start: str | None, end: str | None) -> Path:
    """Writes the report of an output, a folder or bigquery://project.dataset; gives its path.

    `start` and `end` are days, the second not included. A file of that name is replaced as a whole.
    Raises UserError before anything is written, and JobFailedError where BigQuery fails.
    """
    first, last = asked_period(start, end)
    path = Path(file).expanduser()
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UserError(f"--file {file}: name a file in a folder that is there")
    with opened(output) as rows:
        page = html(_page(rows, output, first, last), output)
    try:
        with written_aside(path) as aside:
            aside.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--file {file} cannot be written: {error.strerror or error}") from error
    return path


def _page(rows: Rows, output: str, first: date | None, last: date | None) -> Page:
    period = settled(rows, first, last)
    forecasts = money.forecasts(rows)
    ledger, sums = trust.balance(rows)
    unrated, (backfill, windows) = usage.unrated(rows), trust.backfill(rows)
    of_usage: list[Section] = []
    if period:
        axis = axis_of(rows, period)
        of_usage = [
            money.cost(rows, period, axis),
            usage.usage(rows, period, axis),
            customers.top(rows, period),
            customers.dimensions(rows, period),
            money.change(rows, period),
            money.month(rows, forecasts),
        ]
    sections = [
        *(of_usage or [Section("Usage", empty="No run has metered anything yet.")]),
        *([unrated] if unrated else []),
        trust.rejects(rows, first, last),
        trust.delay(rows, first, last),
        *([backfill] if backfill else []),
        ledger,
    ]
    lacking = len(unrated.tables[0].rows) if unrated else 0
    name = (
        output.removeprefix(PREFIX) if output.startswith(PREFIX) else Path(output).absolute().name
    )
    return Page(
        f"Usage and cost of {name}",
        facts(rows, output, period),
        figures(forecasts, sums, trust.late_events(rows), lacking, windows),
        sections,
    )
