"""A block's records as columns: the fast path, which leaves what it is not sure of to the exact.

Lines become a table in transforms/arrow_json.py, and its columns what meters need in
transforms/columns.py; each says what only the exact reader can decide.
"""

import logging
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from transforms.arrow_json import ShapedReader, learned
from transforms.columns import Columns
from transforms.exact import ExactReader, Verdict
from transforms.fields import fields_from_rows, fields_schema
from transforms.lines import Lines
from transforms.reasons import Reason
from transforms.shape import Keys, Kind
from transforms.told_errors import trace

_LOG = logging.getLogger(__name__)


@dataclass
class ColumnarReader:
    """Reads blocks of one source. Holds the shape it has learned: at most 500 fields."""

    exact: ExactReader
    shape: Kind | None = None
    _schema: pa.Schema = field(init=False)
    _shaped: ShapedReader | None = None

    def __post_init__(self) -> None:
        self._schema = fields_schema(self.exact.slots)

    def read(
        self, lines: Lines, malformed: np.ndarray | None = None
    ) -> tuple[pa.Table, dict[int, Verdict]]:
        """`fields` of a block, ordered by line, and the verdicts on the lines that are no events.

        `malformed` marks lines that are no JSON whatever they look like.
        """
        good = lines.valid_utf8() & ~lines.strange()
        if malformed is not None:
            good &= ~malformed
        if self.shape is None:
            self.shape = learned(self.shape, lines, np.flatnonzero(good))
        try:
            table, good = self._fast(lines, good)
        except Exception as error:  # noqa: BLE001 - a mistake of ours: records are read one by one
            source = self.exact.source.name
            _LOG.error("a block of source %s was read line by line: %s", source, trace(error))
            table, good = self._schema.empty_table(), np.zeros(len(lines), bool)
        rows, verdicts = [], {}
        slow = np.flatnonzero(~good)
        self.shape = learned(self.shape, lines, slow)
        for i in slow.tolist():
            row = self.exact.read(lines[i])
            if malformed is not None and malformed[i]:
                row = as_malformed(row)
            if isinstance(row, Verdict):
                verdicts[i] = row
            else:
                rows.append(row | {"line": i})
        if rows:
            table = pa.concat_tables([table, fields_from_rows(rows, self._schema)])
            table = table.sort_by("line")
        return table.combine_chunks(), verdicts

    def _fast(self, lines: Lines, good: np.ndarray) -> tuple[pa.Table, np.ndarray]:
        """The fields of all lines but some; those some are no longer `good`."""
        chosen = np.flatnonzero(good)
        # without a field there is no column to count the rows
        if self.shape is None or not self.shape.fields or not len(chosen):
            return self._schema.empty_table(), np.zeros(len(lines), bool)
        reader = self._reader(self.shape)
        table, at = reader.read(lines, chosen)
        if len(at) < len(chosen):
            self.shape = learned(self.shape, lines, np.setdiff1d(chosen, at, assume_unique=True))
            if self.shape and self.shape != reader.shape:  # many lines of a new shape fit now
                reader = self._reader(self.shape)
                table, at = reader.read(lines, chosen)
        fields, odd = self._fields(Columns(table, reader.shape, lines.data), at)
        if odd.any():
            fields, at = fields.filter(pa.array(~odd)), at[~odd]
        good = np.zeros(len(lines), bool)
        good[at] = True
        return fields, good

    def _reader(self, shape: Kind) -> ShapedReader:
        if self._shaped is None or self._shaped.shape != shape:
            self._shaped = ShapedReader(shape, self._numbers())
        return self._shaped

    def _numbers(self) -> frozenset[Keys]:
        """The paths read as quantities, times of an epoch format among them."""
        source = self.exact.source
        paths = {source.resolve(s.path) for s in self.exact.slots.slots if s.kind == "number"}
        times = [source.timestamp, *([source.received_at] if source.received_at else [])]
        return frozenset(paths | {t.path for t in times if t.format != "rfc3339"})

    def _fields(self, columns: Columns, at: np.ndarray) -> tuple[pa.Table, np.ndarray]:
        source, slots = self.exact.source, self.exact.slots
        arrival = source.received_at
        read = {
            "line": (pa.array(at.astype(np.int32)), np.zeros(len(at), bool)),
            "event_type": columns.required_text(source.event_type),
            "customer_id": columns.required_text(source.customer_id),
            "event_id": columns.optional_text(source.id),
            "scope": columns.scope(source.id_scope),
            "event_time": columns.time(source.timestamp),
        }
        if arrival:
            read["received_at"] = columns.time(arrival)
        for slot in slots.slots:
            keys = source.resolve(slot.path)
            read[slot.name] = columns.number(keys) if slot.kind == "number" else columns.text(keys)
        odd = np.logical_or.reduce([strange for _, strange in read.values()])
        for keys in source.objects:
            odd |= columns.not_object(keys)
        absent = (f for f in self._schema if f.name not in read)
        filled = {f.name: pa.nulls(len(at), f.type) for f in absent}
        filled |= {name: column for name, (column, _) in read.items()}
        return pa.table(filled, self._schema), odd


def as_malformed(row: object) -> Verdict:
    """The verdict on a row whose JSON cell is no JSON: `not_json`, unless it is not even UTF-8."""
    if isinstance(row, Verdict) and row.reason is Reason.NOT_UTF8:
        return row
    return Verdict(Reason.NOT_JSON, "a cell that must hold JSON text does not")
