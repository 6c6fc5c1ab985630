"""A backfill of a dataset: from its own events, to the digits of a backfill of a folder."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from bigquery_emulator import PROJECT, Emulator, emulating_bigquery
from click.testing import Result

from pipelines.bigquery.batch import shapes
from pipelines.bigquery.client import connected
from pipelines.bigquery.dataset import Dataset
from pipelines.bigquery.load import load_table
from pipelines.bigquery.tables import make_tables
from pipelines.bigquery.views import write_views
from pipelines.runs import Run
from pipelines.views.dialects import bigquery_name
from runs_desk import event
from stream_desk import StreamDesk
from transforms.catalog_file import load_catalog
from transforms.tables import TABLES

CATALOG = """\
version: 1
defaults: {allowed_lateness: 1h}
meters:
  - {name: tokens, event_type: llm, aggregation: sum, value: tokens, dimensions: [model]}
  - {name: peak, event_type: llm, aggregation: max, value: tokens, window: 1d}
"""
_OWN = {"run_id", "written_at"}


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with emulating_bigquery() as emulator:
        yield emulator


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StreamDesk]:
    """Temporary folders are made beside its files: after the test none is there any more."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield StreamDesk(tmp_path, CATALOG)
    assert not list(folder.glob("meterbeam-*"))


def line(number: int, hour: int, arrives: str, tokens: object = 1, **more: object) -> bytes:
    arrival = f"2026-01-{arrives}:00Z"
    return (event(number, tokens, hour, received_at=arrival, **more) + "\n").encode()


HOSTILE = (
    line(9, 11, "03T04:40", 7, timestamp="2026-01-03T04:30:00Z")
    + line(1, 10, "15T10:40", "1.000000000000000001", customer_id="c'\"\\")
    + line(2, 11, "15T11:40", 2)
    + line(2, 11, "15T11:40", 2)
    + line(3, 11, "15T11:41", "many")
    + b'non"sense\n'
    + line(4, 10, "15T13:30", "99999999999999999999.5")
    + line(9, 10, "15T13:31", 8)  # a conflict with one of the 3rd
    + line(5, 12, "16T13:30", 5)
)


def load(service: Emulator, desk: StreamDesk) -> Dataset:
    """A dataset with the tables of the desk's output, a live run's among them."""
    dataset = Dataset(PROJECT, service.dataset())
    catalog = load_catalog("c.yaml", desk.catalog.read_bytes())
    with connected(dataset) as client:
        make_tables(client, dataset)
        write_views(client, dataset, shapes(catalog.meters))
        for table in TABLES:
            for folder in sorted((desk.out / table).glob("*/")):
                place = desk.folder / "loaded" / table / folder.name
                place.mkdir(parents=True)
                for file in folder.glob("**/[!.]*.parquet"):
                    pq.write_table(pq.ParquetFile(file).read(), place / file.name)
                rows = pq.read_table(desk.out / "runs" / folder.name).to_pylist()[0]
                load_table(client, dataset, table, Run(**rows), place)
    return dataset


def ask(service: Emulator, dataset: Dataset, view: str) -> list[str]:
    rows = service.query(f"SELECT * FROM {dataset.table(bigquery_name(view))}")  # noqa: S608 - ours
    return sorted(map(said, rows))


def local(desk: StreamDesk, view: str) -> list[str]:
    columns = [name for (name, *_) in desk.ask(f"DESCRIBE {view}")]
    rows = desk.ask(f"SELECT * FROM {view}")  # noqa: S608 - ours
    return sorted(said(dict(zip(columns, row, strict=True))) for row in rows)


def said(row: dict[str, Any]) -> str:
    return str({k: str(v) for k, v in sorted(row.items()) if k not in _OWN}).replace("UTC", "")


def backfill(desk: StreamDesk, output: object, *more: object, fails: int = 0) -> Result:
    given = ["--quiet", "--catalog", desk.catalog, "--rates", desk.rates, "--output", output]
    done = desk.here([str(each) for each in ["backfill", *given, *more]], fails)
    assert "Traceback" not in done.output
    return done


def test_a_dataset_is_mended_as_a_folder_is_and_then_nothing_is_left(
    service: Emulator, desk: StreamDesk
) -> None:
    desk.append("a.ndjson", HOSTILE)
    desk.end()
    desk.here(desk.streaming())
    dataset = load(service, desk)
    listed = ask(service, dataset, "windows_to_backfill")
    assert listed == local(desk, "windows_to_backfill")
    assert len(listed) == 3
    before = local(desk, "usage_current")
    shown = [backfill(desk, out, "--dry-run").stdout for out in (desk.out, f"bigquery://{dataset}")]
    for text in shown:
        assert "To backfill: 4 events in 1 run, which reads 8 events" in text
    assert "of payloads" in shown[1]
    assert ask(service, dataset, "usage_current") == before
    assert "Mended 3 of 3" in backfill(desk, desk.out).stdout
    assert "Mended 3 of 3" in backfill(desk, f"bigquery://{dataset}").stdout
    after = local(desk, "usage_current")
    assert after != before
    assert ask(service, dataset, "usage_current") == after
    assert "nothing to backfill" in backfill(desk, f"bigquery://{dataset}").stdout
    assert ask(service, dataset, "usage_current") == after


def test_the_events_of_a_dataset_are_an_input_like_those_of_a_folder(
    service: Emulator, desk: StreamDesk
) -> None:
    desk.append("a.ndjson", HOSTILE)
    file = desk.inputs / "a.ndjson"
    desk.here(desk.arguments("--input", file, "--run-id", "first"))
    failing = ["--input", file, "--max-rejects", "0%", "--run-id", "failed", "--replace"]
    desk.here(desk.arguments(*failing), fails=1)
    dataset = load(service, desk)
    events = f"bigquery://{dataset}.events"
    for name, given in (("local", desk.out), ("read", events)):
        folder = desk.folder / name
        desk.here(
            desk.arguments("--as-streamed", "--input", given, "--source", "native", out=folder)
        )
    for view in ("usage_current", "rejects", "events", "windows_to_backfill"):
        own, other = (
            sorted(said(row) for row in rows(desk, desk.folder / name, view))
            for name in ("local", "read")
        )
        assert own == other, view
    # late files into the dataset itself: its own events are among the inputs, so it may
    desk.append("b.ndjson", line(7, 10, "15T10:41", 1000))
    more = [desk.inputs / "b.ndjson", desk.out]
    for each in (events, desk.out):
        out = f"bigquery://{dataset}" if each == events else desk.out
        arguments = desk.arguments("--input", more[0], "--input", each, out=out)  # type: ignore[arg-type]
        desk.here(arguments)
    assert ask(service, dataset, "usage_current") == local(desk, "usage_current")


def rows(desk: StreamDesk, out: Path, view: str) -> list[dict[str, Any]]:
    columns = [name for (name, *_) in desk.ask(f"DESCRIBE {view}", out)]
    found = desk.ask(f"SELECT * FROM {view}", out)  # noqa: S608 - ours
    return [dict(zip(columns, row, strict=True)) for row in found]


def test_what_is_no_table_of_events_is_named_before_anything_is_written(
    service: Emulator, desk: StreamDesk
) -> None:
    dataset = Dataset(PROJECT, service.dataset())
    asked = desk.arguments("--input", f"bigquery://{dataset}.events")
    said = desk.here(asked, fails=2).stderr
    assert f"bigquery://{dataset}.events: " in said
    assert "name the events of a dataset" in said
    service.query(f"CREATE TABLE {dataset.table('runs')} (run_id STRING)")
    service.query(f"CREATE TABLE {dataset.table('events')} (run_id STRING, payload INT64)")
    said = desk.here(asked, fails=2).stderr
    for words in ("has no column origin", "has a column payload of type INTEGER"):
        assert f"bigquery://{dataset}.events: {words}" in said
    for name in ("bigquery://p.events", "bigquery://project.dataset.usage"):
        said = desk.here(desk.arguments("--input", name), fails=2).stderr
        assert f"{name}: events are named as bigquery://project.dataset.events" in said
    said = desk.here(desk.arguments("--input", f"bigquery://{PROJECT}.none.events"), fails=2).stderr
    assert "bq mk --dataset" in said
    assert not desk.out.exists()
