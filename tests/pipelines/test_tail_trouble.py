"""Files that go, shrink or are replaced while they are followed; and thousands of them."""

import os
from pathlib import Path
from unittest import mock

import pytest
from tail_desk import HOUR, NOON, Desk, record, recorded_desk

from transforms.timestamps import SECOND


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_file_that_goes_before_it_was_read_is_reported_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path, batch_us=HOUR)
    desk.append("a.ndjson", record(1))
    desk.append("b.ndjson", record(2))
    assert desk.given() == []
    Path(desk.path("a.ndjson")).unlink()
    assert desk.given() == desk.given() == []
    assert len(desk.reports) == 1
    assert desk.path("a.ndjson") in desk.reports[0]
    assert desk.tail.watch.lost == 1
    desk.end()
    assert desk.numbers() == [2]
    assert desk.tail.ended


def test_a_file_that_goes_after_it_was_read_is_nothing_to_report(desk: Desk) -> None:
    desk.append("a.ndjson", record(1))
    assert desk.numbers() == [1]
    Path(desk.path("a.ndjson")).unlink()
    assert desk.given() == []
    assert (desk.reports, desk.tail.watch.followed) == ([], 0)


def test_one_that_comes_back_is_gone_on_with(desk: Desk, tmp_path: Path) -> None:
    desk.append("a.ndjson", record(1))
    assert desk.numbers() == [1]
    aside = Path(desk.path("a.ndjson")).rename(tmp_path / "aside")
    assert desk.given() == []
    aside.rename(desk.path("a.ndjson"))
    desk.append("a.ndjson", record(2))
    assert desk.numbers() == [2]
    assert desk.reports == []


def test_one_that_is_written_anew_in_its_place_is_reported_though_it_is_longer(desk: Desk) -> None:
    desk.append("a.ndjson", record(1) + record(2))
    assert desk.numbers() == [1, 2]
    Path(desk.path("a.ndjson")).write_bytes(b"".join(record(n) for n in (3, 4, 5, 6)))
    assert desk.given() == []
    assert len(desk.reports) == 1
    assert "was cut or replaced after records of it were read" in desk.reports[0]


def test_a_copy_that_goes_on_in_its_place_is_gone_on_with(desk: Desk) -> None:
    desk.append("a.ndjson", record(1))
    assert desk.numbers() == [1]
    desk.append(".copy", record(1) + record(2))
    Path(desk.path(".copy")).rename(desk.path("a.ndjson"))
    assert desk.numbers() == [2]
    assert desk.reports == []


@pytest.mark.parametrize("size", [0, 1, 5])
def test_another_file_in_its_place_is_reported_and_not_read(desk: Desk, size: int) -> None:
    desk.append("a.ndjson", record(1))
    assert desk.numbers() == [1]
    desk.append(".other", b"".join(record(i) for i in range(2, 2 + size)))
    Path(desk.path(".other")).rename(desk.path("a.ndjson"))
    desk.append("b.ndjson", record(9))
    assert desk.numbers() == [9]
    desk.append("a.ndjson", 9 * record(8))
    desk.passes(10 * SECOND)
    assert desk.numbers() == []
    assert len(desk.reports) == 1
    assert "new name" in desk.reports[0]


def test_a_file_cut_short_of_what_was_read_is_reported_and_left(desk: Desk) -> None:
    desk.append("a.ndjson", record(1) + record(2))
    assert desk.numbers() == [1, 2]
    os.truncate(desk.path("a.ndjson"), 10)
    desk.append("b.ndjson", record(3))
    assert desk.numbers() == [3]
    assert desk.tail.watch.lost == 1


def test_a_file_cut_before_its_end_was_read_is_reported_and_gone_on_with(tmp_path: Path) -> None:
    desk = Desk(tmp_path, batch_lines=1, batch_us=HOUR)
    desk.append("a.ndjson", record(1))
    assert desk.numbers() == [1]
    desk.append("a.ndjson", b'{"id":2}')
    assert desk.given() == []
    os.truncate(desk.path("a.ndjson"), len(record(1)))
    assert desk.given() == []
    desk.append("a.ndjson", record(3))
    assert desk.numbers() == [3]
    assert len(desk.reports) == 1


def test_a_file_cut_between_a_look_and_the_reading_is_no_end(tmp_path: Path) -> None:
    desk = Desk(tmp_path, batch_us=HOUR)
    desk.append("a.ndjson", record(1))
    desk.append("b.ndjson", record(2))
    assert desk.given() == []
    os.truncate(desk.path("a.ndjson"), 3)
    desk.passes(HOUR)
    assert [fresh.block.path for fresh in [desk.tail.take(desk.now)] if fresh] == [
        desk.path("b.ndjson")
    ]
    assert len(desk.reports) == 1


def test_a_file_that_cannot_be_read_yet_is_tried_again(desk: Desk) -> None:
    desk.append("a.ndjson", record(1))
    with mock.patch("pipelines.inputs.tail_file.os.pread", side_effect=OSError(5, "no answer")):
        assert desk.given() == desk.given() == []
    assert len(desk.reports) == 1
    assert desk.numbers() == [1]


def test_a_file_that_cannot_be_read_a_second_time_is_tried_again(tmp_path: Path) -> None:
    desk = recorded_desk(tmp_path)
    desk.append("a.ndjson", record(1, NOON))
    first = "pipelines.inputs.tail_file.TailFile.first_lines"
    with mock.patch(first, side_effect=OSError(5, "no answer")):
        assert desk.given() == []
    assert desk.numbers() == [1]


def test_a_folder_that_goes_is_reported_once(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    desk = Desk(folder)
    assert desk.given() == []
    folder.rename(tmp_path / "out")
    assert desk.given() == desk.given() == []
    assert len(desk.reports) == 1


def test_a_folder_that_cannot_be_listed_does_not_end_before_it_can(desk: Desk) -> None:
    desk.append("a.ndjson", record(1))
    desk.end()
    with mock.patch("pipelines.inputs.tail_folder.os.listdir", side_effect=OSError(5, "no")):
        assert desk.given() == []
        assert not desk.tail.ended
    assert desk.numbers() == [1]
    assert desk.tail.ended


def test_looking_at_those_where_nothing_is_new_costs_little(desk: Desk) -> None:
    for i in range(2000):
        desk.append(f"{i}.ndjson", record(i))
    assert sorted(desk.numbers()) == list(range(2000))
    for _ in range(20):
        desk.given()
    with (
        mock.patch("pipelines.inputs.tail_watch.os.stat", wraps=os.stat) as stat,
        mock.patch("pipelines.inputs.tail_folder.os.listdir", wraps=os.listdir) as listed,
    ):
        for _ in range(1000):  # two seconds
            desk.passes(2000)
            desk.tail.poll(desk.now)
    # each file five times a second
    assert stat.call_count <= 11 * 2000
    assert listed.call_count <= 1


def test_one_that_grows_is_looked_at_each_time(desk: Desk) -> None:
    for i in range(500):
        desk.append(f"{i}.ndjson", record(i))
    for _ in range(20):
        desk.given()
    desk.append("7.ndjson", record(7))
    assert desk.numbers() == [7]
    for _ in range(10):
        desk.append("7.ndjson", record(7))
        desk.passes(2000)
        desk.tail.poll(desk.now)
        assert desk.tail.take(desk.now) is not None
