"""A live run that is killed, or cannot write: nothing written is lost, nothing shown twice."""

import math
import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from live_rows import counts, found, live_store, names, raw, usage, wait_for
from stored_rows import Store, usage_row

from pipelines.compaction import FAN_IN, SETTLED_BYTES
from pipelines.live_files import LiveTableError
from pipelines.live_folder import LiveFolder
from pipelines.live_queue import QUEUE_BYTES
from pipelines.live_tables import LiveTables
from transforms.tables import USAGE

ROOT = Path(__file__).parent.parent.parent
PAUSES_S = {"usage": 0.001, "events": 0.001}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return live_store(tmp_path / "out")


# Writes rows of numbers that grow, and says which of them are in the files by now.
CHILD = """
import sys
from pathlib import Path
sys.path[:0] = ["tests/pipelines", "tests"]
from live_rows import LiveTables, events, usage
first = int(sys.argv[2])
with LiveTables(Path(sys.argv[1]), "r", {"usage": 0.001, "events": 0.001}, 0.02) as tables:
    print("open", flush=True)
    for number in range(first, first + 100_000):
        tables.put("usage", usage(number), 0)
        tables.put("events", events(number), 0)
        print(tables.written["usage"], tables.written["events"], number + 1, flush=True)
"""


def test_a_killed_run_loses_nothing_written_and_shows_nothing_twice(store: Store) -> None:
    chance = random.Random(1)  # noqa: S311 -- which moments does not matter
    put, at_least = 0, {"usage": 0, "events": 0}
    for _ in range(4):
        command = [sys.executable, "-c", CHILD, str(store.out), str(put)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "open\n"
            for _ in range(chance.randrange(1, 600)):
                said = child.stdout.readline()
            child.kill()
            said += child.stdout.read()
        lines = [line.split() for line in said.splitlines(keepends=True) if line.endswith("\n")]
        usage_written, events_written, put = map(int, lines[-1])
        ((usage_seen, events_seen),) = counts(store)
        assert usage_seen >= at_least["usage"] + usage_written
        assert events_seen >= at_least["events"] + events_written
        at_least = {"usage": usage_seen, "events": events_seen}
        put += 1  # one more may have come in
        assert max(usage_seen, events_seen) <= put
    # of the last file it wrote, or merged: half of it may be there
    half = [name for table in PAUSES_S for name in names(store, table) if name[0] == "."]
    with LiveTables(store.out, "r", PAUSES_S, grace_s=0):
        assert counts(store) == [tuple(at_least.values())]
        found = [name for table in PAUSES_S for name in names(store, table)]
        assert not set(half) & set(found)
    assert counts(store) == [tuple(at_least.values())]
    # nor is a row in two files any more
    assert {table: raw(store, table) for table in PAUSES_S} == at_least
    assert [len(names(store, table)) for table in PAUSES_S] == [1, 1]
    assert not list(store.out.glob(".*"))


@pytest.mark.parametrize("hidden", [False, True])
def test_what_was_superseded_when_the_process_died_goes_later(store: Store, hidden: bool) -> None:
    folder = LiveFolder(store.out, "usage", "r", grace_s=0)
    folder.open()
    for number in range(FAN_IN):
        folder.write([usage(number)])
    shelf = folder.shelves.due(SETTLED_BYTES)
    assert shelf is not None
    folder.merge([shelf], lambda: None)
    (folder.path / ".half.parquet").write_bytes(b"PAR1")
    if hidden:
        folder.hide(math.inf)
    assert raw(store, "usage") == (FAN_IN if hidden else 2 * FAN_IN)
    assert counts(store) == [(FAN_IN, 0)]
    with LiveTables(store.out, "r", PAUSES_S, grace_s=0) as tables:
        assert counts(store) == [(FAN_IN, 0)]
        tables.put("usage", usage(FAN_IN), 0)
    assert (raw(store, "usage"), counts(store)) == (FAN_IN + 1, [(FAN_IN + 1, 0)])
    assert [path.suffix for path in folder.path.iterdir()] == [".parquet"]
    assert not list(store.out.glob(".*"))


@pytest.mark.parametrize(
    "left",
    [b"", b"PAR1" + bytes(60), bytes(60) + b"\x30\0\0\0PAR1"],
    ids=["empty", "torn", "no footer"],
)
def test_a_file_that_a_power_failure_emptied_is_removed(
    store: Store, caplog: pytest.LogCaptureFixture, left: bytes
) -> None:
    folder = store.out / "usage" / "r"
    (folder / f"0-{'a' * 32}").mkdir(parents=True)
    for path in (folder / "a.parquet", folder / f"0-{'a' * 32}" / "b.parquet"):
        path.write_bytes(left)
    with LiveTables(store.out, "r", PAUSES_S, grace_s=0) as tables:
        tables.put("usage", usage(0), 0)
    assert counts(store) == [(1, 0)]
    assert all(name in caplog.text for name in ("a.parquet", "b.parquet"))
    assert len(names(store, "usage")) == 1


FULL = """
import random, resource, sys
from pathlib import Path
sys.path[:0] = ["tests/pipelines", "tests"]
from live_rows import LiveTables, events, usage, wait_for
from pipelines.live_files import LiveTableError
import pytest
with pytest.raises(LiveTableError) as stopped:
    with LiveTables(Path(sys.argv[1]), "r", {"usage": 0.001, "events": 0.001}) as tables:
        tables.put("events", events(1), 0)
        wait_for(tables, "events", 1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        tables.put("events", events(2, payload=random.randbytes(int(sys.argv[2])).hex()), 0)
        while True:
            tables.put("usage", usage(0), 0)
print(stopped.value)
with pytest.raises(LiveTableError) as closed:
    tables.close()
assert str(closed.value) == str(stopped.value)
"""


@pytest.mark.parametrize("size", [200_000, 2_000_000])
def test_a_full_disk_is_said_at_the_next_put_and_at_the_end(store: Store, size: int) -> None:
    command = [sys.executable, "-c", FULL, str(store.out), str(size)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{store.out / 'events' / 'r'} cannot be written: ")
    assert store.query("SELECT event_key FROM events") == [("1",)]
    assert not [name for name in names(store, "events") if name.startswith(".")]


def test_an_error_wakes_who_waits_to_put(store: Store) -> None:
    with pytest.raises(LiveTableError, match="usage/r"):
        run_into_a_missing_folder(store)
    assert counts(store) == [(1, 0)]


def run_into_a_missing_folder(store: Store) -> None:
    folder = store.out / "usage" / "r"
    batch = pa.RecordBatch.from_pylist([usage_row("r", 1, unit="x" * QUEUE_BYTES)], schema=USAGE)
    with LiveTables(store.out, "r", {"usage": 0.001}) as tables:
        tables.put("usage", usage(0), 0)
        wait_for(tables, "usage", 1)
        folder.rename(folder.with_name("elsewhere"))
        while True:
            tables.put("usage", batch, 0)


def test_an_error_of_merging_names_the_file(store: Store) -> None:
    with pytest.raises(LiveTableError, match=r"usage/r/0-[0-9a-f/]+.parquet cannot be read"):
        merge_what_was_damaged(store)


def merge_what_was_damaged(store: Store) -> None:
    with LiveTables(store.out, "r", {"usage": 0.001}) as tables:
        tables.put("usage", usage(0), 0)
        wait_for(tables, "usage", 1)
        found(store.out / "usage" / "r").pop().write_bytes(b"nonsense")
        for number in range(1, 10_000):
            tables.put("usage", usage(number), 0)
            wait_for(tables, "usage", number + 1)
