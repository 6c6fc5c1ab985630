"""How growing files are cut into batches, and which file is next."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tail_desk import HOUR, NOON, Desk, found_in, record, recorded_desk

from pipelines.inputs.find import InputFile
from pipelines.inputs.lines import read_lines
from transforms.timestamps import SECOND

MIB = 1 << 20


def test_one_is_full_at_a_number_of_lines(tmp_path: Path) -> None:
    desk = Desk(tmp_path, batch_lines=2, batch_us=HOUR)
    desk.append("a.ndjson", b"".join(record(i) for i in range(5)))
    ranges = [(fresh.block.start, fresh.end) for fresh in desk.given()]
    size = len(record(0))
    assert ranges == [(0, 2 * size), (2 * size, 4 * size)]


def test_one_is_given_out_when_its_time_has_passed(tmp_path: Path) -> None:
    desk = Desk(tmp_path, batch_us=5 * SECOND)
    desk.append("a.ndjson", record(1))
    for _ in range(5):
        assert desk.given() == []
        desk.append("a.ndjson", record(2))
    assert desk.numbers() == [1, 2, 2, 2, 2, 2]
    assert desk.given() == []


def test_its_time_begins_when_its_first_line_is_whole(tmp_path: Path) -> None:
    desk = Desk(tmp_path, batch_us=2 * SECOND)
    desk.append("a.ndjson", record(1)[:-1])
    assert desk.given() == desk.given() == desk.given() == []
    desk.append("a.ndjson", b"\n")
    assert desk.given() == desk.given() == []
    assert desk.numbers() == [1]


def test_one_is_full_at_8_mib(tmp_path: Path) -> None:
    desk = Desk(tmp_path, batch_lines=10**9, batch_us=HOUR)
    line = b"x" * 99_999 + b"\n"
    desk.append("a.ndjson", 200 * line)
    # the end of a backlog does not wait
    sizes = [len(fresh.block.data) for fresh in desk.given()]
    assert sizes == [83 * len(line), 83 * len(line), 34 * len(line)]


def test_a_line_over_the_limit_is_never_held(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    size = 64 * MIB
    desk.append("a.ndjson", record(1))
    with (desk.folder / "a.ndjson").open("ab") as file:
        for _ in range(64):
            file.write(b"x" * MIB)
    tracemalloc.start()
    try:
        assert desk.numbers() == [1]
        assert desk.tail.idle
        desk.append("a.ndjson", b"\n" + record(2))
        large, after = desk.given()
        assert tracemalloc.get_traced_memory()[1] < 12 * MIB
    finally:
        tracemalloc.stop()
    start = len(record(1))
    assert large.block.data == b""
    assert large.block.oversized == ((start, b"x" * 65536),)
    assert (large.end, after.block.start) == (start + size + 1, start + size + 1)


def test_a_line_of_white_space_is_no_record_however_long(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.append("a.ndjson", b" " * 3 * MIB + b"\n" + record(1))
    assert found_in(fresh.block for fresh in desk.given()) == (
        {3 * MIB + 1: record(1).strip()},
        {},
    )


LIMIT = 12
contents = st.lists(
    st.sampled_from(
        [b"\n", b"\r\n", b"\r", b" ", b"\t", b"\0", b"{}", b'{"a":1}', b"\xff", b"abcd"]
    )
    | st.integers(LIMIT - 2, 3 * LIMIT).map(lambda size: b"x" * size)
    | st.integers(LIMIT - 2, LIMIT + 2).map(lambda size: b"\n" + b"x" * size + b"\n")
    | st.integers(LIMIT - 2, LIMIT + 2).map(lambda size: b"\n" + b"x" * size + b"\r\n")
    | st.integers(LIMIT - 2, 3 * LIMIT).map(lambda size: b" " * size)
).map(b"".join)


@contextmanager
def small_limits() -> Iterator[None]:
    """As if a record might have but 12 bytes, and a batch 40."""
    sizes = {"LARGEST_RECORD": LIMIT, "KEPT_OF_OVERSIZED": 5, "_STEP": LIMIT}
    tail = sizes | {"LONGEST_BATCH": 40, "_FIRST_STEP": 3}
    with (
        mock.patch.multiple("pipelines.inputs.tail_file", **tail),
        mock.patch.multiple("pipelines.inputs.lines", **sizes, _TAIL_STEP=3),
    ):
        yield


@settings(max_examples=300)
@given(contents, st.lists(st.integers(0, 60)), st.integers(1, 5), st.integers(0, 2))
def test_however_it_grows_a_file_has_the_records_that_batch_finds_in_it(
    tmp_path_factory: pytest.TempPathFactory,
    content: bytes,
    cuts: list[int],
    batch_lines: int,
    batch_s: int,
) -> None:
    desk = Desk(
        tmp_path_factory.mktemp("grows"), batch_lines=batch_lines, batch_us=batch_s * SECOND
    )
    with small_limits():
        blocks = []
        begin = 0
        for cut in [*sorted(min(cut, len(content)) for cut in cuts), len(content)]:
            desk.append("a.ndjson", content[begin:cut])
            begin = cut
            blocks += [fresh.block for fresh in desk.given()]
        desk.end()
        blocks += [fresh.block for fresh in desk.given()]
        file = InputFile(desk.path("a.ndjson"), "lines", None, len(content))
        assert found_in(blocks) == found_in(read_lines(file, 0, None, 1000))
    assert desk.tail.ended
    assert desk.reports == []


def test_a_backlog_of_many_files_comes_in_the_order_of_arrival(tmp_path: Path) -> None:
    desk = recorded_desk(tmp_path, batch_lines=3)
    arrivals = [NOON - HOUR + i * SECOND for i in range(60)]
    for i, arrival in enumerate(arrivals):
        desk.append(f"{(i * 7) % 5}.ndjson", record(i, arrival))
    found = desk.given()
    assert len(found) == 20
    firsts = [fresh.first_us for fresh in found]
    assert all(first is not None and first < NOON for first in firsts)
    # three of a file are read at once, and there are five files
    assert all(abs(i - order) <= 10 for i, order in enumerate(_order(found)))


def test_what_is_held_back_is_what_may_be_read_next(tmp_path: Path) -> None:
    desk = recorded_desk(tmp_path, batch_lines=1)
    desk.append("a.ndjson", record(1, NOON - 9) + record(2, NOON - 5))
    desk.append("b.ndjson", record(3, NOON - 7))
    found = [(fresh.first_us, fresh.last_us, fresh.held_us) for fresh in desk.given()]
    assert found == [
        (NOON - 9, NOON - 9, NOON - 9),  # what is left of a may be as old
        (NOON - 5, NOON - 5, NOON - 7),
        (NOON - 7, NOON - 7, None),
    ]


def test_files_that_say_no_arrival_take_turns(tmp_path: Path) -> None:
    desk = Desk(tmp_path, batch_lines=1)
    for name in ("a", "b", "c"):
        desk.append(f"{name}.ndjson", b"".join(record(i) for i in range(4)))
    found = [fresh.block.path[-8:] for fresh in desk.given()]
    assert found == ["a.ndjson", "b.ndjson", "c.ndjson"] * 4


def test_one_that_says_no_arrival_takes_turns_with_the_earliest(tmp_path: Path) -> None:
    desk = recorded_desk(tmp_path, batch_lines=1)
    desk.append("bad.ndjson", b"no json\n" * 50)
    desk.append("good.ndjson", b"".join(record(i, NOON + i) for i in range(50)))
    found = [fresh.block.path == desk.path("bad.ndjson") for fresh in desk.given()]
    assert 20 <= sum(found[:50]) <= 30


def test_arrivals_are_looked_for_among_several_lines_of_each_end(tmp_path: Path) -> None:
    desk = recorded_desk(tmp_path)
    bad = b'{"received_at":7}\n\n \n[]\n'
    lines = record(1, NOON - 9) + record(2, NOON - 8) + record(3, NOON - 7)
    desk.append("a.ndjson", bad + lines + bad)
    (fresh,) = desk.given()
    assert (fresh.first_us, fresh.last_us) == (NOON - 9, NOON - 7)


def test_an_arrival_in_the_future_is_not_believed(tmp_path: Path) -> None:
    desk = recorded_desk(tmp_path)
    desk.append("a.ndjson", record(1, NOON) + record(2, NOON + HOUR))
    (fresh,) = desk.given()
    assert (fresh.first_us, fresh.last_us) == (NOON, NOON)


def test_a_rejected_record_still_says_when_it_arrived(tmp_path: Path) -> None:
    desk = recorded_desk(tmp_path)
    desk.append("a.ndjson", record(1, NOON - 9, customer_id=7))
    (fresh,) = desk.given()
    assert fresh.first_us == NOON - 9


def _order(found: list) -> list[int]:
    firsts = [fresh.first_us for fresh in found]
    return [sorted(firsts).index(first) for first in firsts]
