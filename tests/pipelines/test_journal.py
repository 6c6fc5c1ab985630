"""The journal keeps every micro-batch, and what is torn at its end does no harm."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.journal import COLUMNS, Entry, Journal
from pipelines.problems import UserError

numbers = st.integers(-(2**63), 2**63 - 1)
small = st.integers(0, 2**32 - 1)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
entries = st.lists(
    st.builds(
        Entry,
        path=names,
        start=numbers,
        end=numbers,
        clock_us=numbers,
        stamp_ms=numbers,
        watermark_us=numbers,
        rates=st.none() | names,
        records=small,
        content=small,
    ),
    max_size=10,
)


def entry(number: int, path: str = "/in/a.ndjson", rates: str | None = None) -> Entry:
    return Entry(path, 100 * number, 100 * number + 100, number, number, number, rates, 3, 7)


def written(folder: Path, *wanted: Entry) -> None:
    journal = Journal(folder)
    for each in wanted:
        journal.append(each)
    journal.close()


def read(folder: Path) -> list[Entry]:
    journal = Journal(folder)
    found = [journal.entry(number) for number in range(len(journal))]
    assert len(journal.columns()) == len(found)
    journal.close()
    return found


@settings(max_examples=50)
@given(entries)
def test_what_was_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[Entry]
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    for each in wanted:  # opened anew for each
        written(folder, each)
    assert read(folder) == wanted


def test_an_entry_can_be_read_as_soon_as_it_is_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for number in range(5):
        journal.append(entry(number, f"/in/{number % 2}", f"r{number % 3}"))
        # what another process would find, had this one been killed
        assert read(tmp_path) == [entry(i, f"/in/{i % 2}", f"r{i % 3}") for i in range(number + 1)]
    assert journal.columns()["start"].tolist() == [0, 100, 200, 300, 400]
    journal.close()


def test_an_entry_takes_64_bytes(tmp_path: Path) -> None:
    assert COLUMNS.itemsize == 64
    written(tmp_path, *(entry(number) for number in range(1000)))
    assert (tmp_path / "journal").stat().st_size == 1001 * 64


def test_a_journal_torn_at_any_byte_keeps_the_entries_before(tmp_path: Path) -> None:
    wanted = [entry(0, "/in/a"), entry(1, "/in/b", "r1"), entry(2, "/in/a", "r2")]
    written(tmp_path / "whole", *wanted)
    size = (tmp_path / "whole" / "journal").stat().st_size
    for cut in range(size + 1):
        torn = tmp_path / str(cut)
        shutil.copytree(tmp_path / "whole", torn)
        with (torn / "journal").open("r+b") as file:
            file.truncate(cut)
        kept = max(0, cut // 64 - 1)
        assert read(torn) == wanted[:kept]
        written(torn, entry(9, "/in/c"))
        assert read(torn) == [*wanted[:kept], entry(9, "/in/c")]


def test_names_torn_at_any_byte_keep_the_entries_that_need_none_of_the_lost(tmp_path: Path) -> None:
    wanted = [entry(0, "/in/a"), entry(1, "/in/b\n", "r1"), entry(2, "/in/a", "r2")]
    written(tmp_path / "whole", *wanted)
    data = (tmp_path / "whole" / "names").read_bytes()
    for cut in range(len(data) + 1):
        torn = tmp_path / str(cut)
        shutil.copytree(tmp_path / "whole", torn)
        (torn / "names").write_bytes(data[:cut])
        kept = read(torn)
        assert kept == wanted[: len(kept)]
        assert len(kept) == [0, 1, 1, 2, 3][data[:cut].count(b"\n")]
        written(torn, entry(9, "/in/c", "r3"))
        assert read(torn) == [*kept, entry(9, "/in/c", "r3")]


@pytest.mark.parametrize("junk", [b"\0" * 64, b"\0" * 640, b"\xff" * 64, b"x" * 100])
def test_what_a_dead_machine_leaves_at_the_end_is_cut_off(tmp_path: Path, junk: bytes) -> None:
    written(tmp_path, entry(0), entry(1))
    with (tmp_path / "journal").open("ab") as file:
        file.write(junk)
    written(tmp_path, entry(2))
    assert read(tmp_path) == [entry(0), entry(1), entry(2)]


def test_all_after_a_damaged_entry_is_cut_off(tmp_path: Path) -> None:
    written(tmp_path, *(entry(number) for number in range(5)))
    data = bytearray((tmp_path / "journal").read_bytes())
    data[3 * 64 + 8] ^= 1  # where the entry with number 2 starts
    (tmp_path / "journal").write_bytes(data)
    assert read(tmp_path) == [entry(0), entry(1)]


def test_a_repeated_entry_is_no_next_one(tmp_path: Path) -> None:
    written(tmp_path, entry(0), entry(1))
    with (tmp_path / "journal").open("ab") as file:
        file.write((tmp_path / "journal").read_bytes()[-64:])
    assert read(tmp_path) == [entry(0), entry(1)]


def test_a_file_of_another_version_is_left_alone(tmp_path: Path) -> None:
    data = b"meterbeam journal 2\n".ljust(640, b"x")
    (tmp_path / "journal").write_bytes(data)
    with pytest.raises(UserError, match="another version"):
        Journal(tmp_path)
    assert (tmp_path / "journal").read_bytes() == data


def test_there_is_no_entry_beyond_the_last(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(entry(0))
    for number in (-1, 1):
        with pytest.raises(IndexError):
            journal.entry(number)
    journal.close()


def test_many_entries_are_read_whole(tmp_path: Path) -> None:
    written(tmp_path, *(entry(number) for number in range(9000)))
    journal = Journal(tmp_path)
    assert np.array_equal(journal.columns()["clock_us"], np.arange(9000))
    assert journal.entry(8999) == entry(8999)
    journal.close()
