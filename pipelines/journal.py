"""The journal of a stream: every micro-batch, written down before it is given out.

A stream that starts again gives out what is in it, the same and in the same order, and then goes
on. An entry is handed to the kernel before its batch is given out, so that no end of the process
loses it, kill -9 neither.

Should the machine itself fail, the entries of about the last second may be lost, as a thread brings
them to the disk once a second; the first one that is not whole and all after it are cut off. Their
records are then read again, as new batches at a new time. No merged file has rows of them, as the
journal is brought to the disk before such a file is. Small files nobody forces to the disk: if one
of that second is there all the same, its rows get others beside them, which may differ in when they
arrived. Views count one of each; the ledger counts both, and shows it.
"""

import json
import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipelines.journal_sync import JournalSync, sync_folder
from pipelines.problems import UserError

_HEADER = b"meterbeam journal 1\n".ljust(64, b" ")
_ENTRY = struct.Struct("<IIqqqqqIII")
_CHECK = struct.Struct("<I")
_SIZE = _ENTRY.size + _CHECK.size
_NONE = 0xFFFFFFFF
_CHUNK = 4096

COLUMNS = np.dtype(
    [
        ("number", "<u4"),
        ("path", "<u4"),
        ("start", "<i8"),
        ("end", "<i8"),
        ("clock_us", "<i8"),
        ("stamp_ms", "<i8"),
        ("watermark_us", "<i8"),
        ("rates", "<u4"),
        ("records", "<u4"),
        ("content", "<u4"),
        ("check", "<u4"),
    ]
)
"""What stands in the file for each entry, after a header of one entry's size; `path` and `rates`
are indexes into the names."""


class Entry(NamedTuple):
    """One micro-batch: the records in `start` ≤ offset < `end` of the file `path`.

    clock_us: when it was read; stamp_ms: its moment for the engine; watermark_us: that behind it;
    rates: the version that holds for it. records: how many there are; content: CRC-32 of its bytes,
    or of those kept of a record that is too large.
    """

    path: str
    start: int
    end: int
    clock_us: int
    stamp_ms: int
    watermark_us: int
    rates: str | None
    records: int
    content: int


class Journal:
    """The entries of a stream, in two files of its folder: `journal`, and the `names` in it.

    Holds the names: paths, and versions of the rates.
    """

    def __init__(self, folder: Path) -> None:
        """Open it for reading and appending; what is torn at its end is cut off.

        Raises UserError for a file that is no journal of this version, and OSError.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "journal"
        self._names_file = os.open(folder / "names", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        self.names = self._read_names()
        self._numbers = {name: number for number, name in enumerate(self.names)}
        self._check_header()
        self._length = self._read_length()
        os.ftruncate(self._file, (self._length + 1) * _SIZE)
        for each in (folder, folder.parent):
            sync_folder(each)
        self._sync = JournalSync((self._names_file, self._file))

    def __len__(self) -> int:
        return self._length

    def close(self) -> None:
        """Close its files; nothing is waiting to be written."""
        self._sync.close()
        os.close(self._file)
        os.close(self._names_file)
        self._file = self._names_file = -1  # whoever comes late finds no other file behind them

    def entry(self, number: int) -> Entry:
        """An entry by its number; IndexError where there is none."""
        if not 0 <= number < self._length:
            raise IndexError(number)
        data = os.pread(self._file, _ENTRY.size, (number + 1) * _SIZE)
        _, path, start, end, clock, stamp, watermark, rates, records, content = _ENTRY.unpack(data)
        version = None if rates == _NONE else self.names[rates]
        name = self.names[path]
        return Entry(name, start, end, clock, stamp, watermark, version, records, content)

    def columns(self) -> np.ndarray:
        """All entries so far, as `COLUMNS`; they stay in the file."""
        if not self._length:
            return np.zeros(0, COLUMNS)
        return np.memmap(self._path, COLUMNS, "r", offset=_SIZE, shape=(self._length,))

    def append(self, entry: Entry) -> None:
        """Write down the next entry. Raises OSError; then this journal has to be opened anew."""
        packed = _ENTRY.pack(
            self._length & 0xFFFFFFFF,
            self._number(entry.path),
            entry.start,
            entry.end,
            entry.clock_us,
            entry.stamp_ms,
            entry.watermark_us,
            _NONE if entry.rates is None else self._number(entry.rates),
            entry.records,
            entry.content,
        )
        _write(self._file, packed + _CHECK.pack(zlib.crc32(packed)))
        self._length += 1
        self._sync.grown()

    def _number(self, name: str) -> int:
        """The number of a name, which is written down when it is new."""
        if name not in self._numbers:
            _write(self._names_file, json.dumps(name).encode() + b"\n")
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]

    def _read_names(self) -> list[str]:
        data = _read_all(self._names_file)
        names = []
        whole = 0
        for line in data.splitlines(keepends=True):
            try:
                name = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                break
            if not isinstance(name, str):
                break
            names.append(name)
            whole += len(line)
        os.ftruncate(self._names_file, whole)
        return names

    def _check_header(self) -> None:
        header = os.pread(self._file, _SIZE, 0)
        if header == _HEADER:
            return
        if not _HEADER.startswith(header.rstrip(b"\0")):
            raise UserError(
                f"{self._path} was written by another version of meterbeam, or is damaged: go on"
                " with that version, or begin a new run"
            )
        os.ftruncate(self._file, 0)
        _write(self._file, _HEADER)

    def _read_length(self) -> int:
        """How many entries there are before the first one that is not whole."""
        length = 0
        while chunk := os.pread(self._file, _CHUNK * _SIZE, (length + 1) * _SIZE):
            for start in range(0, len(chunk), _SIZE):
                if not self._is_whole(chunk[start : start + _SIZE], length):
                    return length
                length += 1
        return length

    def _is_whole(self, data: bytes, number: int) -> bool:
        if len(data) < _SIZE:
            return False
        (check,) = _CHECK.unpack_from(data, _ENTRY.size)
        if zlib.crc32(data[: _ENTRY.size]) != check:
            return False
        found, path, *_, rates, _, _ = _ENTRY.unpack_from(data)
        known = path < len(self.names) and (rates == _NONE or rates < len(self.names))
        return known and found == number & 0xFFFFFFFF


def _read_all(file: int) -> bytes:
    size = os.fstat(file).st_size
    return os.pread(file, size, 0)


def _write(file: int, data: bytes) -> None:
    """All or an error: what is written of it then is cut off at the next opening."""
    if os.write(file, data) != len(data):
        raise OSError(28, "the disk is full")
