"""What a run says of itself at its end."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from pipelines import runs, warehouse
from pipelines.summary import Summary, summarize
from runs_desk import Desk, event

RUN = runs.Run(
    run_id="monday",
    mode="batch",
    status="succeeded",
    range_start=None,
    range_end=None,
    meters=("tokens",),
    started_at=datetime(2026, 1, 15, tzinfo=UTC),
    finished_at=None,
    catalog_digest="",
    rates_digest=None,
)


def summary(out: Path) -> Summary:
    with warehouse.connect(out, pending=RUN.run_id) as pending:
        return summarize(pending, RUN)


def test_rows_that_a_retry_wrote_twice_count_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    lines = [event(1, 5, 10), event(2, 6, 10), event(3, 7, 11)]
    desk.run("--input", desk.file("a.ndjson", *lines), "--run-id", RUN.run_id)
    first = summary(desk.out)
    for path in (desk.out / "usage" / RUN.run_id).glob("*.parquet"):
        shutil.copyfile(path, path.with_stem(f"{path.stem}-again"))
    assert summary(desk.out) == first
    assert (first.groups, first.unrated) == (4, 2)
