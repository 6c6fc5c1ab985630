"""The command `meterbeam`: run, backfill, check, query, tables, report, demo."""

import sys
from dataclasses import fields
from typing import Any, Literal

import click
from rich.console import Console

from pipelines import log_lines
from pipelines.beam_import import import_beam, names_services
from pipelines.exit_codes import Reporting, ReportingGroup, end_at_once
from pipelines.process import keep_memory

_PLAIN_WIDTH = 100
# known before any other, see `Reporting`
_LOG_FORMAT = click.option(
    log_lines.OPTION,
    type=click.Choice(log_lines.FORMS),
    default="text",
    show_default=True,
    expose_value=False,
    help="How notices, errors and logs are written to standard error.",
)

# Beam takes a second to import, so the commands import what they need when they are called


def console() -> Console:
    """Standard output: as wide as the terminal, and always the same width elsewhere."""
    return Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH)


@click.group(cls=ReportingGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="meterbeam")
def main() -> None:
    """Meter usage: from events to quantities and money, exactly, with a ledger that balances."""


@main.command(cls=Reporting, context_settings={"ignore_unknown_options": True})
@click.option("--catalog", required=True, metavar="C.yaml", help="Meters and sources.")
@click.option("--rates", metavar="R", help="Rate table: a CSV file, or a folder of them.")
@click.option(
    "--input",
    "inputs",
    required=True,
    multiple=True,
    metavar="IN",
    help="Files or a glob (.ndjson .jsonl .csv, also .gz .zst; .parquet), local or gs://, or the"
    " folder of an earlier output; with --streaming tail:DIR or pubsub://project/subscription."
    " May be given again.",
)
@click.option("--output", required=True, metavar="OUT", help="Folder for tables and warehouse.")
@click.option("--source", default="native", show_default=True, help="Kind of the records.")
@click.option("--streaming", is_flag=True, help="Run live, until the input ends.")
@click.option("--as-streamed", is_flag=True, help="Decide what is late by recorded arrivals.")
@click.option("--from", "start", metavar="T", help="First event time: a date, or RFC 3339.")
@click.option("--to", "end", metavar="T", help="End of event times, not included.")
@click.option("--meters", metavar="a,b", help="Only these meters.")
@click.option("--replace", is_flag=True, help="Take the place of runs that cover these windows.")
@click.option(
    "--max-rejects", metavar="5%", help="Fail when more of what was received is rejected."
)
@click.option("--run-id", metavar="ID", help="Name of the run; by default its time.")
@click.option("--early", metavar="S", help="Show a change within so many seconds [1; 0: at once].")
@click.option("--batch-rows", type=click.IntRange(1), help="Rows of a micro-batch at most [20000].")
@click.option("--batch-ms", type=click.IntRange(0), help="How long one is gathered at most [20].")
@click.option("--rates-refresh", metavar="S", help="How often rates are read again [60].")
@click.option(
    "--buckets",
    type=click.IntRange(1, 4096),
    hidden=True,
    help="Pieces in which Dataflow or Flink keep event keys, for the life of a stream [64].",
)
@click.option(
    "--block-bytes",
    type=click.IntRange(1, 1 << 30),
    default=32 << 20,
    hidden=True,
    help="About how many bytes are read at a time.",
)
@_LOG_FORMAT
@click.option("--verbose", is_flag=True, help="Log what the job does, with traces of failures.")
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
@click.argument("beam", nargs=-1, type=click.UNPROCESSED, metavar="[BEAM OPTIONS]")
def run(*, verbose: bool, quiet: bool, beam: tuple[str, ...], **given: Any) -> None:
    """Run the metering job over files, or live with --streaming.

    Any option of Apache Beam may follow, for example --runner DirectRunner.

    Exit code 0: done. 1: the job failed, or there were more rejects than --max-rejects. 2: wrong
    arguments, catalog, rates or input; then nothing was written.
    """
    _begin(verbose=verbose, elsewhere=bool(beam), lasts=given["streaming"])
    from pipelines.beam_options import beam_options  # noqa: PLC0415
    from pipelines.run import run_batch  # noqa: PLC0415
    from pipelines.settings import Asked, settle  # noqa: PLC0415
    from pipelines.stream_settings import StreamAsked  # noqa: PLC0415
    from pipelines.summary import show_summary  # noqa: PLC0415

    names = [name for each in run.params for name in each.opts]
    stream = StreamAsked(**{each.name: given.pop(each.name) for each in fields(StreamAsked)})
    settings = settle(Asked(**given, stream=stream))
    if given["streaming"]:
        from pipelines.run_stream import run_stream  # noqa: PLC0415

        summary = run_stream(settings, beam_options(beam, names, "PrismRunner"), quiet=quiet)
        if summary is None:  # the job goes on elsewhere
            return
    elif settings.dataset:
        from pipelines.bigquery.batch import run_into  # noqa: PLC0415

        options = beam_options(beam, names)
        summary = run_into(settings.dataset, settings, options, quiet=quiet)
    else:
        summary = run_batch(settings, beam_options(beam, names), quiet=quiet)
    if summary and not quiet:  # of a job that was launched there is none
        show_summary(console(), summary)


@main.command(cls=Reporting, context_settings={"ignore_unknown_options": True})
@click.option("--catalog", required=True, metavar="C.yaml", help="Meters and sources.")
@click.option("--rates", metavar="R", help="Rate table: a CSV file, or a folder of them.")
@click.option(
    "--output", required=True, metavar="OUT", help="A folder, or bigquery://project.dataset."
)
@click.option("--from", "start", metavar="T", help="First window: a date, or RFC 3339.")
@click.option("--to", "end", metavar="T", help="End of windows, not included.")
@click.option("--meters", metavar="a,b", help="Only these meters.")
@click.option("--dry-run", is_flag=True, help="Only show what there is to do.")
@click.option("--max-rejects", metavar="5%", help="Fail when more of what is read is rejected.")
@click.option("--run-id", metavar="ID", help="Name of the run; by default its time.")
@_LOG_FORMAT
@click.option("--verbose", is_flag=True, help="Log what the job does, with traces of failures.")
@click.option("--quiet", is_flag=True, help="No progress and no summaries.")
@click.argument("beam", nargs=-1, type=click.UNPROCESSED, metavar="[BEAM OPTIONS]")
def backfill(
    *, dry_run: bool, verbose: bool, quiet: bool, beam: tuple[str, ...], **given: str
) -> None:
    """Meter again what lacks events: the windows that windows_to_backfill lists.

    It reads the events of the output itself, and takes the place of what is there for these
    windows. Exit codes are those of `meterbeam run`.
    """
    _begin(verbose=verbose, elsewhere=bool(beam))
    from pipelines.backfill import Backfill, asked_for  # noqa: PLC0415
    from pipelines.beam_options import beam_options  # noqa: PLC0415

    options = beam_options(beam, [name for each in backfill.params for name in each.opts])
    Backfill(asked_for(**given), options, dry_run, quiet).run(console())


@main.command()
@click.option("--catalog", required=True, metavar="C.yaml", help="Meters and sources.")
@click.option("--rates", metavar="R", help="Rate table: a CSV file, or a folder of them.")
def check(catalog: str, rates: str | None) -> None:
    """Say all that is wrong with a catalog and its rates, with line and key."""
    from pipelines.check import warnings  # noqa: PLC0415
    from pipelines.settings import check_files  # noqa: PLC0415

    loaded, book = check_files(catalog, rates)
    for warning in warnings(loaded, book) if rates else ():
        click.echo(f"warning: {warning}")
    click.echo(f"{catalog}: {len(loaded.meters)} meters, {len(book.rates)} rates: right")


@main.command()
@click.option(
    "--output",
    required=True,
    metavar="OUT",
    help="Folder of earlier runs, or bigquery://project.dataset.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="How to print the rows.",
)
@click.argument("sql")
def query(output: str, form: Literal["table", "csv", "json"], sql: str) -> None:
    """Run SQL over the tables and views of an output."""
    from pipelines.query import run_query  # noqa: PLC0415

    run_query(output, sql, form)


@main.command()
@click.option(
    "--output", required=True, metavar="OUT", help="A folder, or bigquery://project.dataset."
)
@click.option("--catalog", metavar="C.yaml", help="Its meters get a view usage_<meter> each.")
@click.option("--print-sql", is_flag=True, help="Print the statements, and do nothing.")
def tables(output: str, catalog: str | None, *, print_sql: bool) -> None:
    """Make the tables and views of an output, where they are missing or out of date.

    Runs do so, too: this is for who wants them there before, or made by other tools.
    """
    from pipelines.settings import check_files  # noqa: PLC0415
    from pipelines.table_maker import Output  # noqa: PLC0415

    made = Output(output, check_files(catalog, None)[0] if catalog else None)
    for line in (f"{sql};\n" for sql in made.sql()) if print_sql else made.make():
        click.echo(line)


@main.command()
@click.option(
    "--output", required=True, metavar="OUT", help="A folder, or bigquery://project.dataset."
)
@click.option(
    "--file", default="report.html", show_default=True, metavar="F.html", help="Where to write it."
)
@click.option("--from", "start", metavar="DAY", help="First day, in UTC.")
@click.option("--to", "end", metavar="DAY", help="The day after the last.")
def report(output: str, file: str, start: str | None, end: str | None) -> None:
    """Write what an output says as one HTML file: usage, cost, rejects, delay and ledger.

    Without --from and --to it is about the last 92 days that have usage.
    """
    from pipelines.report.write import write_report  # noqa: PLC0415

    click.echo(f"wrote {write_report(output, file, start, end)}")


@main.command()
def demo() -> None:
    """Meter an hour of real requests to two LLM services, and show usage, cost and ledger."""
    _begin()
    from pipelines.demo import run_demo  # noqa: PLC0415

    run_demo(console())


def _begin(*, verbose: bool = False, elsewhere: bool = False, lasts: bool = False) -> None:
    """Sets up this process for the job; a stream lasts."""
    keep_memory(of_arrow=not lasts)
    log_lines.begin(verbose=verbose)
    import_beam(with_services=elsewhere or names_services(click.get_current_context().params))
    from pipelines.beam_memory import remember_specs  # noqa: PLC0415

    remember_specs()


def program() -> None:
    """The command as a program of its own."""
    end_at_once(main)
