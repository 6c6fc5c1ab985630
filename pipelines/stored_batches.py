"""What the tables of a stream hold of the micro-batches in its journal.

Which batches have their events in `events` already; and the records of a batch whose file is gone:
those of its events, and of what was rejected before it was one, both as they came.
"""

import base64
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.inputs.block import Block
from pipelines.inputs.opening import naming
from pipelines.journal import Entry, Journal
from pipelines.live_files import listed_files, made_of
from pipelines.problems import UserError
from transforms.reasons import Reason

_LINE_END = b"\r\n"  # a record may end in \r, and then \n alone would take it away
_PARTS = 2  # of an origin: path and offset
_REPLACED = "\ufffd".encode()
_WHOLE = frozenset(
    {
        Reason.TOO_LARGE,
        Reason.NOT_UTF8,
        Reason.NOT_JSON,
        Reason.NOT_OBJECT,
        Reason.DUPLICATE_FIELD,
        Reason.MISSING_FIELD,
        Reason.WRONG_TYPE,
        Reason.BAD_TIMESTAMP,
        Reason.FUTURE_TIMESTAMP,
    }
)
"""Of rejects with these reasons the record is in `rejects`, of others in `events`."""


class StoredBatches:
    """Reads the origins of a run's `events` once, to know which batches have some there.

    `wanted` are the numbers of batches that will be asked for: files on shelves with their rows
    stay open, so that they may be merged into others meanwhile. Files without a whole footer, as a
    power failure leaves them, are passed over: they are removed when the tables open. Holds 12
    bytes for each batch, the origins of one row group while it looks, and later one row group of
    `events` and of `rejects`. Raises InputReadError where a table cannot be read, UserError where
    it has nothing of a wanted batch.
    """

    def __init__(self, out: Path, run_id: str, journal: Journal, wanted: np.ndarray) -> None:
        self._journal = journal
        places = _Places(journal)
        events = _whole_files(out / "events" / run_id) if len(journal) else []
        rejects = _whole_files(out / "rejects" / run_id) if len(wanted) else []
        self._events = _Rows(events, run_id, places, (), wanted)
        self._rejects = _Rows(rejects, run_id, places, _WHOLE, wanted)
        self.archived = np.zeros(len(journal), bool)
        self.archived[self._events.numbers] = True
        known = [self._events.numbers, self._rejects.numbers]
        for number in np.setdiff1d(wanted, np.concatenate(known)).tolist():
            entry = journal.entry(number)
            if entry.records:
                raise UserError(lost(entry))

    def block(self, number: int) -> Block:
        """The records of a batch as the tables have them, at their offsets.

        Raises UserError where some are not there.
        """
        entry = self._journal.entry(number)
        lines: dict[int, bytes] = {}
        oversized: dict[int, bytes] = {}
        for offset, _, payload in self._events.of(number):
            lines[offset] = payload.encode()
        archived = bool(lines)
        for offset, reason, payload in self._rejects.of(number):
            kept = oversized if reason == Reason.TOO_LARGE else lines
            kept[offset] = _record(reason, payload)
        if len(lines) + len(oversized) != entry.records:
            raise UserError(lost(entry))
        offsets = sorted(lines)
        return Block(
            entry.path,
            b"".join(lines[offset] + _LINE_END for offset in offsets),
            offsets=np.array(offsets, np.int64),
            oversized=tuple(sorted(oversized.items())),
            archived=archived,
        )


def _whole_files(folder: Path) -> list[Path]:
    return [path for path in listed_files(folder) if made_of(path) is not None]


def lost(entry: Entry) -> str:
    """Says that a stream cannot go on: for want of the records of a batch."""
    return (
        f"{entry.path}: the stream has read its bytes {entry.start} to {entry.end}, which are"
        " neither there any more nor in the tables; put the file back, or begin a new run"
    )


def _record(reason: str, payload: str) -> bytes:
    """A rejected record as it came; what is kept of one that is too large as bytes that show so."""
    if reason == Reason.NOT_UTF8:
        return base64.b64decode(payload)
    if reason == Reason.TOO_LARGE:
        # one byte that is not UTF-8 is read as one replacement character, and takes no more room
        return payload.encode().replace(_REPLACED, b"\xff")
    return payload.encode()


class _Places:
    """Finds the batch of an origin: of those of its file the last that begins no later."""

    def __init__(self, journal: Journal) -> None:
        columns = journal.columns()
        self._order = np.lexsort((columns["start"], columns["path"]))
        self._starts, self._ends = columns["start"][self._order], columns["end"][self._order]
        self._paths = columns["path"][self._order].astype(np.int64)
        self._names = pa.array(journal.names, pa.string())

    def locate(self, origins: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the batches, -1 for none, and the offsets."""
        parts = pc.split_pattern(origins, ":", max_splits=1, reverse=True)
        rows = np.flatnonzero(pc.list_value_length(parts).to_numpy() == _PARTS)
        flat = parts.take(pa.array(rows)).flatten()
        names, digits = (flat.take(pa.array(np.arange(i, len(flat), _PARTS))) for i in (0, 1))
        paths, offsets = np.full(len(origins), -1), np.full(len(origins), -1)
        paths[rows] = pc.fill_null(pc.index_in(names, self._names), -1).to_numpy()
        offsets[rows] = _numbers(digits)
        numbers = np.full(len(origins), -1)
        for path in np.unique(paths[paths >= 0]).tolist():
            chosen = np.flatnonzero(paths == path)
            numbers[chosen] = self._of_path(path, offsets[chosen])
        return numbers, offsets

    def _of_path(self, path: int, offsets: np.ndarray) -> np.ndarray:
        first, last = np.searchsorted(self._paths, [path, path + 1])
        if first == last:
            return np.full(len(offsets), -1)
        at = first + np.searchsorted(self._starts[first:last], offsets, "right") - 1
        inside = (at >= first) & (offsets < self._ends[at])
        return np.where(inside, self._order[at], -1)


def _numbers(texts: pa.Array) -> np.ndarray:
    """Digits as int64, anything else as -1."""
    digits = pc.match_substring_regex(texts, "^[0-9]{1,18}$")
    return pc.fill_null(pc.if_else(digits, texts, "-1").cast(pa.int64()), -1).to_numpy()


@dataclass
class _Rows:
    """The rows of a table of a run by batch, those with one of some `reasons` if any are given.

    numbers: the batches that have some, ordered; `_groups`: for each, where: file and row group.
    """

    files: list[Path]
    run_id: str
    places: _Places
    reasons: Collection[str]
    wanted: np.ndarray
    numbers: np.ndarray = field(init=False)
    _groups: np.ndarray = field(init=False)
    _at: list[tuple[Path, int]] = field(default_factory=list)
    _open: dict[Path, pq.ParquetFile] = field(default_factory=dict)
    _held: tuple[int, pa.Table, np.ndarray, np.ndarray] | None = None

    def __post_init__(self) -> None:
        numbers, groups = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)]
        for path in self.files:
            with naming(str(path)):
                file = pq.ParquetFile(path)
                found = [self._numbers_in(file, group) for group in range(file.num_row_groups)]
            numbers += found
            groups += [np.full(len(each), len(self._at) + i) for i, each in enumerate(found)]
            self._at += [(path, group) for group in range(len(found))]
            has_wanted = np.isin(np.concatenate([numbers[0], *found]), self.wanted).any()
            if has_wanted and self._goes(path):
                self._open[path] = file
            else:
                file.close()
        order = np.argsort(np.concatenate(numbers), kind="stable")
        self.numbers = np.concatenate(numbers)[order]
        self._groups = np.concatenate(groups)[order].astype(np.int32)

    def of(self, number: int) -> Iterator[tuple[int, str, str]]:
        """Offset, reason ("" in a table that has none) and payload of each row of a batch."""
        first, last = np.searchsorted(self.numbers, [number, number + 1])
        for group in self._groups[first:last].tolist():
            table, numbers, offsets = self._group(group)
            rows = np.flatnonzero(numbers == number)
            chosen = table.take(pa.array(rows))
            reasons = chosen["reason"].to_pylist() if self.reasons else [""] * len(rows)
            payloads = chosen["payload"].to_pylist()
            yield from zip(offsets[rows].tolist(), reasons, payloads, strict=True)

    def _group(self, number: int) -> tuple[pa.Table, np.ndarray, np.ndarray]:
        if self._held is None or self._held[0] != number:
            path, group = self._at[number]
            with naming(str(path)):
                table = self._payloads(path, group)
            self._held = (number, table, *self.places.locate(_column(table, "origin")))
        return self._held[1:]

    def _payloads(self, path: Path, group: int) -> pa.Table:
        if path in self._open:
            return self._read(self._open[path], group, "payload")
        with pq.ParquetFile(path) as file:
            return self._read(file, group, "payload")

    def _goes(self, path: Path) -> bool:
        """Whether a file lies on a shelf, and goes with it when that is merged."""
        return path.parent.name != self.run_id

    def _numbers_in(self, file: pq.ParquetFile, group: int) -> np.ndarray:
        """The batches of which a row group has rows."""
        table = self._read(file, group)
        found = np.unique(self.places.locate(_column(table, "origin"))[0])
        return found[found >= 0]

    def _read(self, file: pq.ParquetFile, group: int, *more: str) -> pa.Table:
        if not self.reasons:
            return file.read_row_group(group, ["origin", *more])
        table = file.read_row_group(group, ["origin", "reason", *more])
        return table.filter(pc.is_in(table["reason"], pa.array(sorted(self.reasons))))


def _column(table: pa.Table, name: str) -> pa.Array:
    return table.column(name).combine_chunks()
