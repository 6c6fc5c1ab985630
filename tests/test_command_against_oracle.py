"""What the command writes, read back through the views, is what the oracle says."""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle import Outcome, meter_batch, split_records
from pipelines import warehouse
from pipelines.command import main
from strategies import Case, CaseOptions
from test_against_oracle import EVENTS, REJECTS, cases_and_options, counted, rejects, usage
from transforms.timestamps import format_time


def arguments(folder: Path, case: Case, asked: CaseOptions) -> list[str]:
    (folder / "catalog.yaml").write_text(case.catalog)
    args = ["run", "--catalog", str(folder / "catalog.yaml"), "--source", case.source, "--quiet"]
    args += ["--output", str(folder / "out"), "--block-bytes", str(max(case.block_size, 1 << 14))]
    if case.rates:
        (folder / "rates").mkdir()
        for name, text in case.rates.items():
            (folder / "rates" / name).write_text(text, newline="")
        args += ["--rates", str(folder / "rates")]
    (folder / "in").mkdir()
    for name, content in case.files:
        (folder / "in" / name).write_bytes(content)
        args += ["--input", str(folder / "in" / name)]
    args += ["--as-streamed"] if asked.as_streamed else []
    args += ["--from", format_time(asked.from_us)] if asked.from_us is not None else []
    args += ["--to", format_time(asked.to_us)] if asked.to_us is not None else []
    return [*args, "--meters", ",".join(asked.meters)] if asked.meters else args


def rows_of(out: Path, view: str) -> list[dict[str, Any]]:
    with warehouse.connect(out) as connection:
        table = connection.sql(f"SELECT * FROM {view}").to_arrow_table()  # noqa: S608 - our views
    times = {f.name: pa.int64() for f in table.schema if pa.types.is_timestamp(f.type)}
    for name, kind in times.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, table.column(name).cast(kind))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def expected(folder: Path, case: Case, asked: CaseOptions) -> Outcome:
    (run,) = rows_of(folder / "out", "runs")
    paths = [(str(folder / "in" / name), content) for name, content in case.files]
    return meter_batch(
        case.catalog,
        case.rates,
        [record for path, content in paths for record in split_records(path, content)],
        source=case.source,
        started_at_us=run["started_at"],
        as_streamed=asked.as_streamed,
        from_us=asked.from_us,
        to_us=asked.to_us,
        meters=asked.meters,
    )


@given(cases_and_options(), st.sampled_from(["FnApiRunner", "FnApiRunner", "DirectRunner"]))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_views_of_a_run_say_what_the_oracle_says(
    drawn: tuple[Case, CaseOptions], runner: str
) -> None:
    case, asked = drawn
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        done = CliRunner().invoke(main, [*arguments(folder, case, asked), "--runner", runner])
        assert done.exit_code == 0, done.output
        assert_as_told(folder, case, asked)


def assert_as_told(folder: Path, case: Case, asked: CaseOptions) -> None:
    """The tables of the one run of `folder` say what the oracle says, and its ledger balances."""
    wanted = expected(folder, case, asked)
    out = folder / "out"
    ledger = Counter(
        {
            (row["period_start"], row["meter"], row["outcome"], row["reason"]): row["events"]
            for row in rows_of(out, "ledger_current")
        }
    )
    assert ledger == wanted.ledger
    for found, told in (
        (counted(rows_of(out, "events"), EVENTS), counted(wanted.events, EVENTS)),
        (counted(rejects(rows_of(out, "rejects")), REJECTS), counted(wanted.rejects, REJECTS)),
        (usage(rows_of(out, "usage_current")), usage(wanted.usage)),
    ):
        assert (found - told, told - found) == (Counter(), Counter())
    assert all(row["balanced"] for row in rows_of(out, "ledger_balance"))
