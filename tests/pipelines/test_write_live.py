"""Batches of a pipeline in the tables of its process."""

from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to
from live_rows import counts, events, live_store
from stored_rows import Store

import transforms.arrow_coder  # noqa: F401 -- registers the coder for record batches
from pipelines.live_tables import LiveTables
from pipelines.write_live import WriteLive

PAUSES_S = {"usage": 0.001, "events": 0.001}


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


def test_a_pipeline_without_open_tables_fails_and_says_so(store: Store) -> None:
    with (
        pytest.raises(Exception, match="run r has no open tables"),
        beam.Pipeline("FnApiRunner") as pipeline,
    ):
        _ = pipeline | beam.Create([events(1)]) | WriteLive(str(store.out), "r", "events")
