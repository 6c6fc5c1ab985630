"""The folder of a live table: files are merged, hidden and removed under readers."""

import ctypes
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from live_rows import events, found, live_store, names, raw, usage, wait_for
from stored_rows import Store

from pipelines.compaction import FAN_IN, SETTLED_BYTES
from pipelines.live_folder import LiveFolder
from pipelines.live_tables import LiveTables
from transforms.tables import LEDGER


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return live_store(tmp_path / "out")


def test_a_path_that_was_listed_leads_to_its_file_after_it_was_merged(tmp_path: Path) -> None:
    now = 0.0
    folder = LiveFolder(tmp_path, "usage", "r", grace_s=2, clock=lambda: now)
    folder.open()
    for number in range(FAN_IN):
        folder.write([usage(number)])
    shelf = folder.shelves.due(SETTLED_BYTES)
    paths = list(folder.path.glob("*/*.parquet"))
    assert shelf is not None
    folder.merge([shelf], lambda: None)
    merged = set(folder.path.glob("*/*.parquet")) - set(paths)

    def found_at(moment: float) -> set[Path]:
        nonlocal now
        now = moment
        folder.hide(now)
        folder.remove(now)
        return found(folder.path)

    assert len(paths) == FAN_IN
    assert len(merged) == 1
    assert found_at(0.9) == {*paths, *merged}
    assert (found_at(1), len(folder.shelves)) == (merged, 1)
    assert all(path.exists() for path in paths)
    assert (found_at(59.9), all(path.exists() for path in paths)) == (merged, True)
    assert (found_at(60), any(path.exists() for path in paths)) == (merged, False)
    folder.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["usage"]


def test_real_files_are_merged_by_that_plan_without_losing_a_row(tmp_path: Path) -> None:
    now = 0.0
    folder = LiveFolder(tmp_path, "ledger", "r", grace_s=0, clock=lambda: now)
    folder.open()
    for number in range(1000):
        now = number * 10.0
        row = {"run_id": "r", "outcome": "received", "events": number}
        folder.write([pa.RecordBatch.from_pylist([row], schema=LEDGER)])
        while shelf := folder.shelves.due(SETTLED_BYTES):
            folder.merge([shelf], lambda: None)
        folder.hide(now)
        folder.remove(now)
        assert len(folder.shelves) <= 3 * FAN_IN
    files = found(folder.path)
    assert len(files) == len(folder.shelves)
    rows = pq.ParquetDataset(sorted(files), schema=LEDGER).read().sort_by("events")
    assert rows["events"].to_pylist() == list(range(1000))


def test_a_system_that_cannot_exchange_names_hides_as_well(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    with LiveTables(store.out, "r", {"usage": 0.0}, grace_s=0) as tables:
        for number in range(FAN_IN * FAN_IN):
            tables.put("usage", usage(number), 0)
            wait_for(tables, "usage", number + 1)
    assert (raw(store, "usage"), len(names(store, "usage"))) == (FAN_IN * FAN_IN, 1)


def test_a_row_group_holds_some_megabytes_whatever_is_merged(tmp_path: Path) -> None:
    payload = os.urandom(1 << 19).hex()
    folder = LiveFolder(tmp_path, "events", "r", grace_s=0)
    folder.open()
    for number in range(FAN_IN):
        folder.write([events(number, payload=payload)])
    folder.merge(folder.shelves.rest(), lambda: None, settled=True)
    (merged,) = folder.path.glob("*.parquet")
    assert pq.read_metadata(merged).num_rows == FAN_IN
    assert pq.read_metadata(merged).num_row_groups == 2
