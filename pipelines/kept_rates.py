"""The versions that the rates of a stream have had, and when each began.

    OUT/.stream-<run id>/rates/<digest>/*.csv    a version, named by what is in it
    OUT/.stream-<run id>/rates/history           a line for each that held: from when on, which

Both are on the disk before an event is read under a version, so that a power failure leaves what
the journal speaks of.
"""

import os
import re
import shutil
from pathlib import Path

from pipelines.journal_sync import sync_folder
from rates import RateErrors, read_rate_files
from rates.load import digest

_HISTORY = "history"
_ENTRY = re.compile(rb"(\d+) (\w+)\n")

Files = list[tuple[str, bytes]]


class LostRatesError(OSError):
    """Rates that a stream has used and that cannot be read any more; the text names them.

    It ends the job, as a disk that fails does: no record is to blame, so none is rejected.
    """


def keep(folder: Path, files: Files) -> None:
    """Keep a version, whole or not at all. One that is damaged is mended. Raises OSError."""
    if _is_whole(folder):
        return
    aside = folder.with_name(f".{folder.name}")
    for each in (aside, folder):
        shutil.rmtree(each, ignore_errors=True)
    aside.mkdir(parents=True)
    for number, (_, content) in enumerate(files):
        with (aside / f"{number:04}.csv").open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    sync_folder(aside)
    aside.rename(folder)
    sync_folder(folder.parent)


def read(folder: Path) -> Files:
    """Give the files of a version. Raises LostRatesError where they are not what its name says."""
    if not _is_whole(folder):
        raise LostRatesError(
            f"{folder}: these rates of the stream are damaged or gone, and its events cannot be"
            " rated again as they were; go on with --rates as they were then, or begin a new run"
        )
    return read_rate_files(str(folder))


def check(folder: Path) -> None:
    """Raise LostRatesError where a version that ever held cannot be read."""
    for version in {version for _, version in history(folder)}:
        read(folder / version)


def newest(folder: Path) -> str | None:
    """Give the version that held last."""
    known = history(folder)
    return known[-1][1] if known else None


def history(folder: Path) -> list[tuple[int, str]]:
    """From when on (µs) each version holds for windows; an entry that was cut short is none.

    Raises LostRatesError where one that was not cut short cannot be read.
    """
    data = _history_bytes(folder)
    entries = [_ENTRY.fullmatch(line) for line in data.splitlines(keepends=True)]
    found = [(int(entry[1]), entry[2].decode()) for entry in entries if entry]
    if len(found) < len(entries):
        raise LostRatesError(
            f"{folder / _HISTORY}: when the rates of the stream began is damaged; begin a new run"
        )
    return found


def history_size(folder: Path) -> int:
    """Give another number when `history` gives something else."""
    path = folder / _HISTORY
    return path.stat().st_size if path.exists() else 0


def note(folder: Path, version: str, from_us: int) -> None:
    """Write down from when on a version holds, if the one before is another. Raises OSError."""
    known = history(folder)
    if known and known[-1][1] == version:
        return
    after = known[-1][0] + 1 if known else 0  # the clock may have been set back
    with (folder / _HISTORY).open("ab") as file:
        file.truncate(len(_history_bytes(folder)))
        file.write(f"{max(from_us, after)} {version}\n".encode())
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)


def _history_bytes(folder: Path) -> bytes:
    """All whole lines."""
    path = folder / _HISTORY
    data = path.read_bytes() if path.exists() else b""
    return data[: data.rfind(b"\n") + 1]


def _is_whole(folder: Path) -> bool:
    try:
        files = read_rate_files(str(folder))
    except RateErrors:
        return False
    return digest(content for _, content in files) == folder.name
