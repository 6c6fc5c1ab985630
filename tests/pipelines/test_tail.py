"""Which bytes of growing files are records, and when the stream of them ends."""

import os
from pathlib import Path
from unittest import mock

import pytest
from tail_desk import HOUR, Desk, record

from pipelines.inputs.tail_folder import TailFolder
from transforms.timestamps import SECOND

MIB = 1 << 20


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_line_counts_once_its_end_is_there(desk: Desk) -> None:
    desk.append("a.ndjson", b'{"id":1}\n{"id"')
    assert desk.lines() == [b'{"id":1}']
    desk.append("a.ndjson", b":2}")
    assert desk.lines() == []
    desk.append("a.ndjson", b"\n")
    assert desk.lines() == [b'{"id":2}']


def test_a_last_line_without_an_end_counts_where_the_folder_has_ended(desk: Desk) -> None:
    desk.append("a.ndjson", b'{"id":1}\n{"id":2}')
    desk.append("b.jsonl", b'{"id":3}')
    assert desk.lines() == [b'{"id":1}']
    desk.end()
    assert sorted(desk.lines()) == [b'{"id":2}', b'{"id":3}']
    assert desk.tail.ended


def test_files_may_come_and_grow_at_any_time(desk: Desk) -> None:
    assert desk.given() == []
    desk.append("a.ndjson", record(1))
    assert desk.numbers() == [1]
    desk.append("b.jsonl", record(2))
    desk.append("a.ndjson", record(3))
    assert sorted(desk.numbers()) == [2, 3]
    assert not desk.tail.ended


@pytest.mark.parametrize(
    "name", [".a.ndjson", "_a.ndjson", "a.json", "a.ndjson.gz", "a.csv", "ndjson", "_END.jsonl"]
)
def test_other_names_are_no_inputs(desk: Desk, name: str) -> None:
    desk.append(name, record(1))
    assert desk.given() == []
    assert desk.tail.watch.followed == 0


def test_a_folder_or_pipe_of_such_a_name_is_no_input(desk: Desk) -> None:
    (desk.folder / "a.ndjson").mkdir()
    os.mkfifo(desk.folder / "b.ndjson")
    assert desk.given() == []


def test_a_name_that_is_not_utf8_is_reported_and_passed_over(desk: Desk) -> None:
    with Path(os.fsdecode(bytes(desk.folder) + b"/\xff.ndjson")).open("wb") as file:
        file.write(record(1))
    desk.append("b.ndjson", record(2))
    assert desk.numbers() == [2]
    assert len(desk.reports) == 1
    assert "not UTF-8" in desk.reports[0]


def test_a_file_is_read_where_a_link_leads(desk: Desk, tmp_path: Path) -> None:
    (desk.folder / "a.ndjson").symlink_to(tmp_path / "elsewhere")
    assert desk.given() == []
    desk.append("elsewhere", record(1))
    desk.passes(10 * SECOND)
    assert desk.numbers() == [1]


def test_a_link_that_leads_out_of_the_folder_is_reported_and_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "followed"
    folder.mkdir()
    desk = Desk(folder)
    (tmp_path / "secret").write_bytes(record(1))
    (folder / "a.ndjson").symlink_to("../secret")
    desk.append("b.ndjson", record(2))
    assert desk.numbers() == [2]
    assert len(desk.reports) == 1
    assert "a link that leads out of the folder" in desk.reports[0]


def test_crlf_and_blank_lines_stay_in_the_bytes(desk: Desk) -> None:
    data = record(1).replace(b"\n", b"\r\n") + b"\r\n \n" + record(2)
    desk.append("a.ndjson", data)
    (fresh,) = desk.given()
    assert fresh.block.data == data
    assert (fresh.block.path, fresh.block.start) == (desk.path("a.ndjson"), 0)
    assert fresh.end == len(data)


def test_it_comes_when_every_folder_has_ended(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    desk = Desk(one, also=(other,))
    desk.append("a.ndjson", record(1))
    desk.end()
    assert desk.numbers() == [1]
    assert not desk.tail.ended
    (other / "b.ndjson").write_bytes(record(2))
    desk.end(other)
    assert desk.numbers() == [2]
    assert desk.tail.ended


def test_what_is_written_just_before_it_is_read(desk: Desk) -> None:
    """Between the look for `_END` and the look at the files a writer does both."""
    desk.append("a.ndjson", record(1))
    assert desk.numbers() == [1]
    look = TailFolder.has_end

    def writes_meanwhile(folder: TailFolder) -> bool:
        seen = look(folder)
        if not seen:
            desk.append("a.ndjson", record(2))
            desk.append("b.ndjson", record(3).rstrip())
            desk.end()
        return seen

    with mock.patch.object(TailFolder, "has_end", writes_meanwhile):
        found = desk.numbers()
        assert not desk.tail.ended
        found += desk.numbers()
    assert found == [2, 3]
    assert desk.tail.ended


def test_nothing_is_read_that_comes_after_it(desk: Desk) -> None:
    desk.append("a.ndjson", record(1))
    desk.end()
    assert desk.numbers() == [1]
    desk.append("a.ndjson", record(2))
    desk.append("b.ndjson", record(3))
    assert desk.numbers() == []


def test_a_folder_with_nothing_in_it_just_ends(desk: Desk) -> None:
    desk.end()
    assert desk.given() == []
    assert desk.tail.ended


def test_closing_gives_out_the_batch_in_the_making(tmp_path: Path) -> None:
    desk = Desk(tmp_path, batch_us=HOUR)
    desk.append("a.ndjson", record(1) + b'{"id"')
    assert desk.given() == []
    desk.tail.close()
    desk.append("a.ndjson", b":2}\n")
    assert desk.numbers() == [1]
    assert desk.tail.ended


def test_closing_leaves_a_backlog_to_the_next_time(desk: Desk) -> None:
    desk.append("a.ndjson", record(1) * (20 * MIB // len(record(1))))
    desk.passes(SECOND)
    desk.tail.poll(desk.now)
    desk.tail.close()
    assert desk.given() == []
    assert desk.tail.ended
