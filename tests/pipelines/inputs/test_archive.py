"""An earlier output read as input: each event of the runs that count once, as it came."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.inputs import (
    Block,
    InputReadError,
    clock_arrivals,
    find_inputs,
    read_blocks,
    split_into_pieces,
)
from transforms.tables import EVENTS, RUNS

Row = tuple[str, str, str, int, int, str]
"""Source, origin, key, event time, arrival, payload."""


def run(out: Path, run_id: str, mode: str, statuses: list[str], rows: list[Row]) -> None:
    """One run of an output, its events in two files, and one that is still being written."""
    for status in statuses:
        folder = out / "runs" / run_id
        folder.mkdir(parents=True, exist_ok=True)
        told = {"run_id": run_id, "mode": mode, "status": status, "started_at": 1000}
        row = {name: told.get(name) for name in RUNS.names}
        pq.write_table(pa.Table.from_pylist([row], RUNS), folder / f"{status}.parquet")
    folder = out / "events" / run_id
    folder.mkdir(parents=True)
    names = ["source", "origin", "event_key", "event_time", "received_at", "payload"]
    for i, part in enumerate((rows[::2], rows[1::2])):
        events = [
            dict.fromkeys(EVENTS.names, "x") | dict(zip(names, row, strict=True)) for row in part
        ]
        pq.write_table(
            pa.Table.from_pylist(events, EVENTS), folder / f"{i}.parquet", row_group_size=2
        )
    (folder / ".2.parquet").write_bytes(b"half a file")


def read(out: Path, block_bytes: int = 1000) -> list[Block]:
    (file,) = find_inputs([str(out)])
    (piece,) = split_into_pieces(file, block_bytes)
    return list(read_blocks(piece, block_bytes))


def rows_of(blocks: list[Block]) -> list[tuple[str, str, int, str]]:
    """Source, origin, arrival, payload."""
    rows = []
    for block in blocks:
        assert block.source is not None
        assert block.origins is not None
        assert block.origins.type == pa.string()
        assert block.arrivals is not None
        lines = block.data.decode().split("\n")
        assert lines.pop() == ""
        columns = block.origins.to_pylist(), block.arrivals.tolist(), lines
        rows += [(block.source, *row) for row in zip(*columns, strict=True)]
    return rows


def test_events_of_runs_that_count_are_read_as_they_came(tmp_path: Path) -> None:
    out = tmp_path / "o*[u]t=1's"
    run(
        out,
        "batch",
        "batch",
        ["running", "succeeded"],
        [("native", "/a:0", "k", 1, 7, '{"a": 1}\r')],
    )
    run(
        out, "retried", "batch", ["failed", "succeeded"], [("native", "/a:9", "k", 1, 7, '{"é":2}')]
    )
    run(out, "failed", "batch", ["running", "failed"], [("native", "/a:1", "k", 1, 7, "failed")])
    run(out, "begun", "batch", ["running"], [("native", "/a:2", "k", 1, 7, "begun")])
    run(out, "live=*", "streaming", ["running"], [("cloudevents", "m1", "k", 1, 8, '{"b":\n1}')])
    run(out, "down", "streaming", ["failed"], [("native", "/a:4", "k", 1, 9, "{}")])
    (out / "events/_columns.parquet").write_bytes(b"not of a run")
    assert sorted(rows_of(read(out))) == [
        ("cloudevents", "m1", 8, '{"b": 1}'),
        ("native", "/a:0", 7, '{"a": 1}\r'),
        ("native", "/a:4", 9, "{}"),
        ("native", "/a:9", 7, '{"é":2}'),
    ]
    assert {block.path for block in read(out)} == {str(out)}


rows = st.tuples(
    st.sampled_from(["native", "other"]),
    st.sampled_from(["/a:0", "/a:1", "/b:0"]),
    st.sampled_from(["k1", "k2"]),
    st.integers(1, 2),
    st.integers(1, 4),
    st.text(alphabet="xy", max_size=20),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(rows, max_size=12), min_size=1, max_size=3), st.integers(1, 100))
def test_each_event_is_read_once_the_first_to_arrive(
    tmp_path_factory: pytest.TempPathFactory, runs: list[list[Row]], block_bytes: int
) -> None:
    out = tmp_path_factory.mktemp("out")
    for i, events in enumerate(runs):
        run(out, f"r{i}", "streaming", ["running"], events)
    found = rows_of(read(out, block_bytes))
    first: dict[tuple[str, str, str, int], set[tuple[str, str, int, str]]] = {}
    for source, origin, key, at, arrival, payload in (row for events in runs for row in events):
        same = first.setdefault((source, origin, key, at), set())
        if not same or arrival < min(row[2] for row in same):
            same.clear()
        if not same or arrival == min(row[2] for row in same):
            same.add((source, origin, arrival, payload))
    assert len(found) == len(first)
    assert set(found) <= set().union(*first.values())


def test_an_output_without_events_is_empty(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    (tmp_path / "runs").mkdir()
    assert read(tmp_path) == []
    assert not clock_arrivals(str(tmp_path), set())


def test_a_damaged_output_is_an_error_that_names_it(tmp_path: Path) -> None:
    run(tmp_path, "r", "streaming", ["running"], [])
    (tmp_path / "events/r/9.parquet").write_bytes(b"no file of this kind")
    with pytest.raises(InputReadError, match=f"^{tmp_path} cannot be read: "):
        read(tmp_path)
    run(tmp_path, "b", "batch", ["succeeded"], [])
    with pytest.raises(InputReadError, match=f"^{tmp_path} cannot be read: "):
        clock_arrivals(str(tmp_path), set())


@pytest.mark.parametrize(
    ("rows", "recorded", "clocked"),
    [
        ([("native", "/a:0", "k", 1, 1000, "{}")], set(), True),
        (
            [("native", "/a:0", "k", 1, 999, "{}"), ("n", "/a:1", "k", 1, 1000, "{}")],
            {"native"},
            True,
        ),
        ([("native", "/a:0", "k", 1, 1000, "{}")], {"native"}, False),
        ([("native", "/a:0", "k", 1, 1001, "{}")], set(), False),
    ],
)
def test_arrivals_by_the_clock_of_a_batch_run_are_known(
    tmp_path: Path, rows: list[Row], recorded: set[str], *, clocked: bool
) -> None:
    # the events of a run that streams, of which some were read from an earlier output
    run(tmp_path, "b", "batch", ["failed"], [])
    run(tmp_path, "s", "streaming", ["running"], rows)
    assert clock_arrivals(str(tmp_path), recorded) is clocked
