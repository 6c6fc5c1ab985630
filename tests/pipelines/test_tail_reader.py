"""A stream that starts again gives out the same batches, then goes on."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tail_desk import NOON, record, records_of
from tail_run import TailRun

from pipelines.open_tails import close_tail, open_tail, opened, progress
from pipelines.problems import UserError
from pipelines.stopping import STOP
from pipelines.tail_reader import Batch
from transforms.sources import RECORDED
from transforms.timestamps import SECOND

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def run(tmp_path: Path) -> TailRun:
    return TailRun(tmp_path)


@pytest.fixture
def stopping() -> Iterator[None]:
    yield
    STOP.clear()


def said(batch: Batch) -> tuple[object, ...]:
    """All that a batch says, in values that compare."""
    block = replace(batch.block, archived=False)
    return (*vars(block).values(), batch.stamp_ms, batch.watermark_us)


def test_the_same_batches_are_given_out_again(run: TailRun) -> None:
    run.append("a.ndjson", b"".join(record(i) for i in range(8)) + b'{"id"')
    run.append("b.ndjson", b"\r\n\n" + b"x" * 2_000_000 + b"\n" + record(9))
    first = run.batches()
    assert [len(records_of(batch.block)) for batch in first] == [3, 0, 3, 0, 2, 1]
    again = run.restart()
    assert [said(batch) for batch in again] == [said(batch) for batch in first]
    run.append("a.ndjson", b":8}\n")
    more = run.batches(len(again))
    assert [records_of(batch.block) for batch in more] == [[b'{"id":8}']]
    assert [said(batch) for batch in run.restart()] == [said(batch) for batch in [*first, *more]]


def test_what_decides_is_pinned_by_the_first_time(run: TailRun) -> None:
    run.append("a.ndjson", record(1))
    (first,) = run.batches()
    assert first.block.clock_us == NOON + SECOND
    assert (first.stamp_ms, first.block.rates) == ((NOON + SECOND) // 1000, "v1")
    (again,) = run.restart()
    assert again.block.clock_us == NOON + SECOND
    assert (again.stamp_ms, again.block.rates) == ((NOON + SECOND) // 1000, "v1")


def test_new_batches_come_after_all_that_were_given_out(tmp_path: Path) -> None:
    run = TailRun(tmp_path, RECORDED)
    run.append("a.ndjson", record(1, NOON) + record(2, NOON - 5 * SECOND))
    (first,) = run.batches()
    run.restart()
    run.append("b.ndjson", record(3, NOON - 9 * SECOND))
    (late,) = run.batches(1)
    assert late.stamp_ms > first.stamp_ms
    assert 1000 * late.stamp_ms >= first.watermark_us


def test_it_is_behind_while_batches_are_full(run: TailRun) -> None:
    run.append("a.ndjson", b"".join(record(i) for i in range(7)))
    behind = []
    for number in range(3):
        assert run.reader.batch(number) is not None
        behind.append(run.reader.behind)
    assert behind == [True, True, False]


def test_a_batch_asked_for_twice_is_the_same(run: TailRun) -> None:
    run.append("a.ndjson", b"".join(record(i) for i in range(8)))
    first = run.batches()
    assert [said(batch) for batch in run.batches()] == [said(batch) for batch in first]
    assert said(run.batches(1)[0]) == said(first[1])


def test_a_journal_that_lost_its_end_is_no_ground_to_go_on_from(run: TailRun) -> None:
    with pytest.raises(UserError, match="ends before batch 7"):
        run.reader.batch(7)


def test_batches_whose_events_are_in_the_table_are_archived(run: TailRun) -> None:
    run.append("a.ndjson", b"".join(record(i) for i in range(8)))
    run.append("b.ndjson", b"[]\n[]\n")
    first = run.batches()
    assert not any(batch.block.archived for batch in first)
    by_start = {(batch.block.path[-8:], batch.block.start): batch for batch in first}
    size = len(record(0))
    run.store(by_start["a.ndjson", 3 * size], by_start["b.ndjson", 0])
    archived = [
        (batch.block.path[-8:], batch.block.start)
        for batch in run.restart()
        if batch.block.archived
    ]
    assert archived == [("a.ndjson", 3 * size)]
    run.append("a.ndjson", record(9))
    assert not run.batches(len(first))[0].block.archived


def test_a_stop_gives_out_what_was_seen_and_ends(run: TailRun, stopping: None) -> None:
    del stopping
    run.append("a.ndjson", record(1))
    assert len(run.batches()) == 1
    assert not run.reader.ended
    STOP.set()
    run.append("a.ndjson", record(2))
    assert run.reader.batch(1) is None
    assert run.reader.ended


def test_a_stop_ends_a_replay(run: TailRun, stopping: None) -> None:
    del stopping
    run.append("a.ndjson", b"".join(record(i) for i in range(8)))
    run.batches()
    STOP.set()
    assert run.restart() == []
    assert run.reader.ended
    STOP.clear()
    assert len(run.restart()) == 3


def test_a_process_says_how_far_it_has_come(run: TailRun) -> None:
    tail = replace(run.tail, batch_us=3600 * SECOND)
    run.reader.close()
    assert progress().files == 0
    run.append("a.ndjson", b"".join(record(i) for i in range(5)))
    reader = open_tail(tail)
    try:
        assert opened(tail) is reader
        assert reader.batch(0) is not None
        assert reader.batch(1) is None
        now = progress()
        assert (now.files, now.behind_bytes, now.lost) == (1, 2 * len(record(0)), 0)
        assert now.last_arrival_us == now.watermark_us
        assert open_tail(tail) is not reader
        assert (progress().replayed, progress().journalled) == (0, 1)
        assert opened(tail).batch(0) is not None
        assert progress().replayed == 1
    finally:
        close_tail(tail)
    assert progress().files == 0


FOLLOW = """
import json, sys, time
from pipelines.tail_reader import Tail, TailReader
from transforms.sources import NATIVE

class Rates:
    def current(self):
        return str(time.time_ns())

reader = TailReader(Tail((sys.argv[1],), sys.argv[2], "r1", NATIVE, 0, 7, 1000, Rates()))
number = 0
while True:
    batch = reader.batch(number)
    if batch is not None:
        block = batch.block
        said = [block.path, block.start, block.data.decode(), block.clock_us, block.rates]
        print(json.dumps([number, *said, batch.stamp_ms, batch.watermark_us]), flush=True)
        number += 1
    elif reader.ended:
        break
    else:
        time.sleep(0.001)
"""


def follower(files: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", FOLLOW, str(files), str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_killed_at_any_moment_it_loses_nothing_and_gives_nothing_out_twice(tmp_path: Path) -> None:
    files = tmp_path / "in"
    files.mkdir()
    drawn = random.Random(7)  # noqa: S311 - for moments, not secrets
    written: dict[str, bytes] = {}
    printed: dict[int, str] = {}

    def write(lines: int) -> None:
        for _ in range(lines):
            name = f"{drawn.randrange(3)}.ndjson"
            line = b'{"n":%d}\n' % drawn.randrange(10**6)
            written[name] = written.get(name, b"") + line
            with (files / name).open("ab") as file:
                file.write(line)

    def heard(line: str) -> int:
        number = json.loads(line)[0]
        assert printed.setdefault(number, line) == line
        return number

    for _ in range(6):
        write(20)
        with follower(files, tmp_path / "out") as process:
            assert process.stdout is not None
            known, wanted = len(printed), drawn.randrange(1, 30)
            while wanted:
                write(drawn.randrange(3))
                # new ones, and sometimes a moment within those given out again
                if heard(process.stdout.readline()) >= known or drawn.random() < 0.05:
                    wanted -= 1
                    write(1)
            os.kill(process.pid, 9)
            for line in process.stdout:
                if line.endswith("\n"):
                    heard(line)
    (files / "_END").touch()
    with follower(files, tmp_path / "out") as process:
        assert process.stdout is not None
        numbers = [heard(line) for line in process.stdout]
    assert process.returncode == 0
    assert numbers == list(range(len(printed)))
    given: dict[str, bytes] = {}
    for number in numbers:
        _, path, start, data, *_ = json.loads(printed[number])
        name = Path(path).name
        assert start == len(given.get(name, b""))
        given[name] = given.get(name, b"") + data.encode()
    assert given == written
