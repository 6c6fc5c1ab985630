"""A block's records as columns: the fast path, which leaves what it is not sure of to the exact.

Most lines are as others were, and are not parsed (transforms/skeleton_reader.py); the rest become a
table in transforms/arrow_json.py. Columns of both give what meters need in transforms/columns.py.
Each says what only the exact reader can decide.
"""

import logging
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from transforms.arrow_json import ShapedReader, learned
from transforms.columns import Columns, TableColumns
from transforms.exact import ExactReader, Verdict
from transforms.fields import fields_from_rows, fields_schema
from transforms.lines import Lines
from transforms.reasons import Reason
from transforms.shape import Kind
from transforms.skeleton_reader import SkeletonReader
from transforms.told_errors import trace

_LOG = logging.getLogger(__name__)
MANY = 256  # fewer lines than that are parsed as fast as they are compared
_FEW = 64  # one line in so many is read one by one


@dataclass
class ColumnarReader:
    """Reads blocks of one source. Holds what it has learned: at most 500 fields, 64 skeletons.

    many: blocks of at least so many lines are compared with known ones before they are parsed.
    """

    exact: ExactReader
    shape: Kind | None = None
    many: int = MANY
    _schema: pa.Schema = field(init=False)
    _shaped: ShapedReader | None = None
    _skeletons: SkeletonReader = field(init=False)

    def __post_init__(self) -> None:
        self._schema = fields_schema(self.exact.slots)
        self._skeletons = SkeletonReader.of(self.exact.source, self.exact.slots)

    def read(
        self, lines: Lines, malformed: np.ndarray | None = None
    ) -> tuple[pa.Table, dict[int, Verdict]]:
        """`fields` of a block, ordered by line, and the verdicts on the lines that are no events.

        `malformed` marks lines that are no JSON whatever they look like.
        """
        good = lines.valid_utf8() & ~lines.strange()
        if malformed is not None:
            good &= ~malformed
        try:
            tables = self._fast(lines, np.flatnonzero(good))
        except Exception as error:  # noqa: BLE001 - a mistake of ours: records are read one by one
            source = self.exact.source.name
            _LOG.error("a block of source %s was read line by line: %s", source, trace(error))
            tables = []
        slow = np.ones(len(lines), bool)
        for table in tables:
            slow[table.column("line").to_numpy()] = False
        left = np.flatnonzero(slow)
        if self.shape is not None:
            self.shape = learned(self.shape, lines, left)
        rows, verdicts = [], {}
        for i in left.tolist():
            row = self.exact.read(lines[i])
            if malformed is not None and malformed[i]:
                row = as_malformed(row)
            if isinstance(row, Verdict):
                verdicts[i] = row
            else:
                rows.append(row | {"line": i})
        if rows or not tables:
            tables.append(fields_from_rows(rows, self._schema))
        table = pa.concat_tables(tables)
        return (table.sort_by("line") if len(tables) > 1 else table).combine_chunks(), verdicts

    def _fast(self, lines: Lines, chosen: np.ndarray) -> list[pa.Table]:
        """The fields of most of the chosen lines (indexes): of those alike, and of those parsed."""
        tables, left = [], chosen
        if len(left) >= self.many:
            columns, at = self._skeletons.read(lines, left)
            tables.append(self._sure(columns, at))
            left = np.setdiff1d(left, at, assume_unique=True)
        if len(left) * _FEW > len(chosen):
            tables.append(self._sure(*self._parsed(lines, left)))
        return [table for table in tables if table.num_rows]

    def _parsed(self, lines: Lines, chosen: np.ndarray) -> tuple[Columns | None, np.ndarray]:
        """The records of lines as pyarrow reads them, and the indexes of those that it reads."""
        if self.shape is None:
            self.shape = learned(self.shape, lines, chosen)
        # without a field there is no column to count the rows
        if self.shape is None or not self.shape.fields:
            return None, chosen[:0]
        reader = self._reader(self.shape)
        table, at = reader.read(lines, chosen)
        if len(at) < len(chosen):
            self.shape = learned(self.shape, lines, np.setdiff1d(chosen, at, assume_unique=True))
            if self.shape and self.shape != reader.shape:  # many lines of a new shape fit now
                reader = self._reader(self.shape)
                table, at = reader.read(lines, chosen)
        return TableColumns(table, reader.shape, lines.data), at

    def _sure(self, columns: Columns | None, at: np.ndarray) -> pa.Table:
        """The fields of the records of which columns are sure."""
        if columns is None or not len(at):
            return self._schema.empty_table()
        fields, odd = self._fields(columns, at)
        return fields.filter(pa.array(~odd)) if odd.any() else fields

    def _reader(self, shape: Kind) -> ShapedReader:
        if self._shaped is None or self._shaped.shape != shape:
            self._shaped = ShapedReader(shape, self.exact.slots.amounts(self.exact.source))
        return self._shaped

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
