"""Batches whose files are gone come from the tables, so that every step sees the same again."""

import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tail_desk import HOUR, NOON, found_in, record
from tail_run import RUN, TailRun, tables_of

from pipelines.problems import UserError
from transforms.timestamps import format_time

SHELF = f"0-{'a' * 32}"
HOSTILE = [
    record(1),
    record(2).replace(b"\n", b"\r\n"),
    record(3, note="a\u00e9\u2028b"),
    record(3),
    b'{"event_type":"call","customer_id":"c","timestamp":"2026-01-15T10:00:00Z"}\r\r\n',
    b'  {"event_type":"call","customer_id":"c","timestamp":"2026-01-15T10:00:00Z"} \t\n',
    record(4, timestamp=format_time(NOON + 24 * HOUR)),
    record(5, customer_id=7),
    record(6, timestamp="soon"),
    b"\n",
    b" \t\r\n",
    b"\xff\xfe\n",
    b"\xff{}\r\r\n",
    b"[]\n",
    b"null\r\n",
    b"\0\n",
    b'{"a":1,"a":2}\n',
    b"\xef\xbb\xbf{}\n",
    b"x" * (1 << 20) + b"x\n",
    b"\xff\xfe\xc3" * 400_000 + "\ufffd\u00e9".encode() + b"\n",
    b" " * (2 << 20) + b"\n",
]


def test_they_are_the_same_for_every_step(tmp_path: Path) -> None:
    run = TailRun(tmp_path)
    run.append("a.ndjson", b"".join(HOSTILE) + record(7).rstrip() + b"\r")
    (run.files / "_END").touch()
    first = run.batches()
    run.store(*first)
    (run.files / "a.ndjson").unlink()
    again = run.restart()
    assert len(again) == len(first)
    for before, after in zip(first, again, strict=True):
        assert after[1:] == before[1:]
        assert found_in([after.block])[0] == found_in([before.block])[0]
        assert (after.block.path, after.block.rates) == (before.block.path, before.block.rates)
        wanted = tables_of(before.block)
        assert after.block.archived == bool(wanted["events"].num_rows)
        assert tables_of(replace(after.block, archived=False)) == wanted
    assert run.reader.ended


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(HOSTILE[:-3]), min_size=1), st.integers(1, 5))
def test_any_records_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], batch_rows: int
) -> None:
    run = TailRun(tmp_path_factory.mktemp("run"), batch_rows=batch_rows)
    run.append("a.ndjson", b"".join(lines))
    first = run.batches()
    run.store(*first)
    (run.files / "a.ndjson").unlink()
    again = run.restart()
    assert found_in(batch.block for batch in again) == found_in(batch.block for batch in first)
    for before, after in zip(first, again, strict=True):
        unarchived = replace(after.block, archived=False)
        assert tables_of(unarchived) == tables_of(before.block)


def test_rows_that_were_written_twice_are_taken_once(tmp_path: Path) -> None:
    run = TailRun(tmp_path)
    run.append("a.ndjson", record(1) + b"[]\n")
    first = run.batches()
    run.store(*first, *first)
    (run.files / "a.ndjson").unlink()
    (again,) = run.restart()
    assert found_in([again.block]) == found_in([first[0].block])


def test_files_of_a_table_may_be_merged_while_they_are_read(tmp_path: Path) -> None:
    run = TailRun(tmp_path)
    run.append("a.ndjson", b"".join(record(i) for i in range(30)))
    first = run.batches()
    run.store(*first)
    folder = run.out / "events" / RUN.run_id
    (folder / SHELF).mkdir()
    for path in folder.glob("*.parquet"):
        path.rename(folder / SHELF / path.name)
    (run.files / "a.ndjson").unlink()
    run.reader.close()
    run.reader = run.open()
    shutil.rmtree(run.out / "events")
    assert found_in(batch.block for batch in run.batches()) == found_in(
        batch.block for batch in first
    )


def test_files_that_stay_are_open_only_while_they_are_read(tmp_path: Path) -> None:
    run = TailRun(tmp_path, batch_rows=1)
    run.append("a.ndjson", b"".join(record(i) + b"[]\n" for i in range(30)))
    first = run.batches()
    run.store(*first)
    (run.files / "a.ndjson").unlink()
    again = run.restart()
    assert found_in(batch.block for batch in again) == found_in(batch.block for batch in first)
    opened = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.exists()]
    assert [path for path in opened if str(run.out) in path and ".parquet" in path] == []


@pytest.mark.parametrize("left", [b"", b"PAR1" + bytes(60)], ids=["empty", "torn"])
def test_a_file_that_a_power_failure_left_empty_has_no_batches(tmp_path: Path, left: bytes) -> None:
    run = TailRun(tmp_path)
    run.append("a.ndjson", b"".join(record(i) for i in range(6)))
    first = run.batches()
    run.store(*first)
    folder = run.out / "events" / RUN.run_id
    torn = min(folder.glob("*.parquet"), key=lambda path: pq.read_table(path)["origin"][0].as_py())
    torn.write_bytes(left)
    again = run.restart()
    assert found_in(batch.block for batch in again) == found_in(batch.block for batch in first)
    assert [batch.block.archived for batch in again] == [False, True]
    (run.files / "a.ndjson").unlink()
    with pytest.raises(UserError, match=r"a\.ndjson: .* bytes 0 to \d+"):
        run.restart()


def test_events_of_a_batch_that_the_journal_lost_are_not_those_of_another(tmp_path: Path) -> None:
    run = TailRun(tmp_path)
    run.append("a.ndjson", b"".join(record(i) for i in range(6)))
    first = run.batches()
    run.store(first[1])
    with (run.tail.journal / "journal").open("r+b") as file:
        file.truncate(2 * 64)
    again = run.restart()
    assert [batch.block.archived for batch in again] == [False, False]
    assert [batch.block.data for batch in again] == [batch.block.data for batch in first]


def test_rejects_of_events_and_of_meters_are_no_records(tmp_path: Path) -> None:
    run = TailRun(tmp_path)
    run.append("a.ndjson", record(1) + b"[]\n")
    first = run.batches()
    run.store(*first)
    (file,) = (run.out / "rejects" / RUN.run_id).glob("*.parquet")
    (row,) = pq.read_table(file).to_pylist()
    schema = pq.read_schema(file)
    more = [
        row | {"reason": "conflict", "origin": f"{run.files}/a.ndjson:0", "payload": None},
        row | {"reason": "too_late", "origin": f"{run.files}/a.ndjson:0", "meter": "calls"},
        row | {"reason": "refused", "origin": "0123456789abcdef", "payload": "{}"},
    ]
    pq.write_table(pq.read_table(file).from_pylist([row, *more], schema), file)
    (run.files / "a.ndjson").unlink()
    (again,) = run.restart()
    assert found_in([again.block]) == found_in([first[0].block])


@pytest.mark.parametrize("table", ["events", "rejects"])
def test_records_that_are_nowhere_any_more_are_named(tmp_path: Path, table: str) -> None:
    run = TailRun(tmp_path)
    run.append("a.ndjson", record(1) + b"[]\n")
    run.append("b.ndjson", b"[]\n[]\n")
    run.store(*run.batches())
    run.append("a.ndjson", record(2))
    shutil.rmtree(run.out / table)
    (run.files / "a.ndjson").unlink()
    with pytest.raises(UserError, match=r"a\.ndjson: .* bytes 0 to \d+"):
        run.restart()


def test_records_that_are_in_no_table_stop_a_stream_before_it_begins(tmp_path: Path) -> None:
    run = TailRun(tmp_path)
    run.append("a.ndjson", record(1))
    run.batches()
    (run.files / "a.ndjson").unlink()
    with pytest.raises(UserError, match=r"a\.ndjson"):
        run.open()
    run.append("a.ndjson", record(1))
    assert len(run.restart()) == 1


@pytest.mark.parametrize("more", [0, 5])
def test_another_file_of_the_same_name_is_not_taken_for_it(tmp_path: Path, more: int) -> None:
    run = TailRun(tmp_path)
    run.append("a.ndjson", b"".join(record(i) for i in range(5)))
    first = run.batches()
    run.store(*first)
    (run.files / "a.ndjson").write_bytes(b"".join(record(10 + i) for i in range(more)))
    run.append("b.ndjson", record(20))
    again = run.restart()
    assert found_in(batch.block for batch in again[: len(first)]) == found_in(
        batch.block for batch in first
    )
    # and nothing of it is read: where its lines begin nobody knows
    assert [batch.block.path for batch in again[len(first) :]] == [f"{run.files}/b.ndjson"]
    assert run.reader.progress.lost == 1


def test_other_files_are_gone_on_with(tmp_path: Path) -> None:
    run = TailRun(tmp_path)
    run.append("a.ndjson", record(1))
    run.append("b.ndjson", record(2))
    run.store(*run.batches())
    (run.files / "a.ndjson").unlink()
    run.append("b.ndjson", record(3))
    assert [batch.block.start for batch in run.restart()] == [0, 0, len(record(2))]
