"""Batches of a pipeline in the tables of its process."""

from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Timestamp
from live_rows import counts, events, live_store, rejects, usage, wait_for
from stored_rows import Store

import transforms.arrow_coder  # noqa: F401 -- registers the coder for record batches
from pipelines.live_tables import LiveTables
from pipelines.write_live import WriteLive

PAUSES_S = {"usage": 0.001, "events": 0.001}
NEVER_S = 3600.0
NOW_MS = 1_768_478_400_000
ROWS = {"events": events(1), "rejects": rejects(1)}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return live_store(tmp_path / "out")


def test_a_pipeline_puts_its_batches_and_counts_their_rows(store: Store) -> None:
    batches = [events(1, 2), events(3), events().slice(0, 0)]
    with LiveTables(store.out, "r", PAUSES_S, grace_s=0) as tables:
        with beam.Pipeline("FnApiRunner") as pipeline:
            rows = pipeline | beam.Create(batches) | WriteLive(str(store.out), "r", "events")
            assert_that(rows, equal_to([2, 1, 0]))
        with LiveTables(store.out, "other", PAUSES_S):
            pass
    assert tables.written["events"] == 3
    assert counts(store) == [(0, 3)]


@pytest.mark.parametrize("table", ["events", "rejects"])
def test_all_before_the_first_batch_that_waits_is_safe(store: Store, table: str) -> None:
    pauses_s = {"events": NEVER_S, "rejects": NEVER_S, "usage": NEVER_S}  # after the first file
    with LiveTables(store.out, "r", pauses_s, grace_s=0) as tables:
        for each in ("events", "rejects"):
            put(store, each, ROWS[each], 10)
            wait_for(tables, each, 1)
        assert tables.safe_up_to() > NOW_MS
        put(store, table, ROWS[table], NOW_MS, NOW_MS + 7)
        assert tables.safe_up_to() == NOW_MS - 1
        put(store, "usage", usage(1), 5)
        assert tables.safe_up_to() == NOW_MS - 1


def put(store: Store, table: str, batch: pa.RecordBatch, *stamps_ms: int) -> None:
    """A pipeline puts a batch once for each stamp."""
    stamped = beam.Map(lambda ms: TimestampedValue(batch, Timestamp(micros=1000 * ms)))
    with beam.Pipeline("FnApiRunner") as pipeline:
        batches = pipeline | beam.Create(stamps_ms) | stamped.with_output_types(pa.RecordBatch)
        _ = batches | WriteLive(str(store.out), "r", table)


def test_a_pipeline_without_open_tables_fails_and_says_so(store: Store) -> None:
    with (
        pytest.raises(Exception, match="run r has no open tables"),
        beam.Pipeline("FnApiRunner") as pipeline,
    ):
        _ = pipeline | beam.Create([events(1)]) | WriteLive(str(store.out), "r", "events")
