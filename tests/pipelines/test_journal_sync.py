"""What a power failure leaves of a stream is not ahead of its journal."""

import errno
import os
import threading
from pathlib import Path

import pytest
from test_journal import entry

from pipelines import journal_sync
from pipelines.journal import Journal
from pipelines.live_files import write_merged
from stream_desk import until
from transforms.tables import USAGE


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The bytes of each file, by its name, that were brought to the disk."""
    sizes: dict[str, int] = {}

    def sync(file: int) -> None:
        sizes[Path(f"/proc/self/fd/{file}").readlink().name] = os.fstat(file).st_size

    monkeypatch.setattr(os, "fdatasync", sync)
    return sizes


def test_entries_are_on_the_disk_about_a_second_later(
    tmp_path: Path, synced: dict[str, int]
) -> None:
    assert journal_sync._PAUSE_S <= 1  # noqa: SLF001 - what is promised
    journal = Journal(tmp_path)
    for number in range(3):
        journal.append(entry(number, f"/in/{number}"))
        until(lambda n=number: synced.get("journal") == 64 * (n + 2))
        assert synced["names"] == (tmp_path / "names").stat().st_size
    journal.close()


def test_a_journal_that_does_not_grow_is_left_alone(
    tmp_path: Path, synced: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_sync, "_PAUSE_S", 0.001)
    journal = Journal(tmp_path)
    until(lambda: "journal" in synced)
    synced.clear()
    journal_sync.sync_journals()
    journal.close()
    assert not synced


def test_a_closed_journal_is_on_the_disk(tmp_path: Path, synced: dict[str, int]) -> None:
    journal = Journal(tmp_path)
    journal.append(entry(0))
    journal.close()
    assert synced["journal"] == 128


def test_an_append_does_not_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def slow(_: int) -> None:
        at_work.set()
        assert go_on.wait(60)

    monkeypatch.setattr(os, "fdatasync", slow)
    journal = Journal(tmp_path)
    journal.append(entry(0))
    assert at_work.wait(60)
    journal.append(entry(1))
    assert len(journal) == 2
    go_on.set()
    journal.close()


def test_what_the_disk_did_not_take_is_said_at_the_next_appends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    journal = Journal(tmp_path)
    monkeypatch.setattr(os, "fdatasync", fail)
    journal.append(entry(0))
    with pytest.raises(OSError, match="Input/output error"):
        journal_sync.sync_journals()
    monkeypatch.undo()  # the kernel says it once, and then it is as if nothing had been
    for number in (1, 2):
        with pytest.raises(OSError, match="Input/output error"):
            journal.append(entry(number))
    journal.close()


def test_a_merged_file_comes_to_the_disk_after_what_was_journalled(
    tmp_path: Path, synced: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, int | None]] = []

    def note(file: int) -> None:
        path = Path(f"/proc/self/fd/{file}").readlink()
        if path.suffix == ".parquet":
            done.append((path.name, synced.get("journal")))

    monkeypatch.setattr(os, "fsync", note)
    journal = Journal(tmp_path / "stream")
    for number in range(5):
        journal.append(entry(number))
    (tmp_path / "shelf").mkdir()
    write_merged(tmp_path / "a.parquet", USAGE, [], lambda: None)
    journal.append(entry(5))
    write_merged(tmp_path / "b.parquet", USAGE, [tmp_path / "shelf"], lambda: None)
    assert done == [("a.parquet", 6 * 64), ("b.parquet", 7 * 64)]
    journal.close()
