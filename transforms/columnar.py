"""A block's records as columns: the fast path, which leaves what it is not sure of to the exact.

pyarrow's JSON reader parses the block with a schema that knows every field (transforms/shape.py),
so that a field of another kind, an unknown one or a repeated one makes it fail instead of guessing.
What it is still lenient about is guarded: see `Lines.strange`, transforms/leniency.py and
transforms/columns.py.
"""

import logging
import re
from dataclasses import dataclass, field
from itertools import pairwise
from traceback import format_tb

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.json as pj

from transforms.columns import Columns
from transforms.exact import ExactReader, Verdict, parse_object
from transforms.fields import fields_from_rows, fields_schema
from transforms.leniency import NotColumnarError, refuse_lenient
from transforms.lines import Lines
from transforms.reasons import Reason, Rejected
from transforms.shape import Keys, Kind, arrow_type, decoder, learn

_LOG = logging.getLogger(__name__)

SAMPLE = 200
_PIECES = 16
_FEW = 32
_MOST_HINTS = 1000
_ROW = re.compile(r"in row ([0-9]+)$")


@dataclass
class ColumnarReader:
    """Reads blocks of one source. Holds the shape it has learned: at most 500 fields."""

    exact: ExactReader
    shape: Kind | None = None
    _schema: pa.Schema = field(init=False)

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
            self._learn(lines, np.flatnonzero(good))
        try:
            table, good = self._fast(lines, good)
        except Exception as error:  # noqa: BLE001 - a mistake of ours: records are read one by one
            # the error's text may quote a record
            where = f"{type(error).__name__}\n{''.join(format_tb(error.__traceback__))}"
            source = self.exact.source.name
            _LOG.error("a block of source %s was read line by line: %s", source, where)
            table, good = self._schema.empty_table(), np.zeros(len(lines), bool)
        rows, verdicts = [], {}
        slow = np.flatnonzero(~good)
        self._learn(lines, slow)
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

    def _learn(self, lines: Lines, chosen: np.ndarray) -> None:
        step = max(1, len(chosen) // SAMPLE)
        for i in chosen[::step].tolist():
            try:
                self.shape = learn(self.shape, parse_object(lines[i]))
            except Rejected:
                continue

    def _fast(self, lines: Lines, good: np.ndarray) -> tuple[pa.Table, np.ndarray]:
        """The fields of all lines but some; those some are no longer `good`."""
        # without a field there is no column to count the rows
        if self.shape is None or not self.shape.fields or not good.any():
            return self._schema.empty_table(), np.zeros(len(lines), bool)
        try:
            return self._parse(lines, good, self.shape, sifted=False)
        except NotColumnarError:
            pass
        shape = self.shape
        fitting = good & self._fits(lines, good, shape)
        self._learn(lines, np.flatnonzero(good & ~fitting))
        if self.shape != shape:  # many lines of a new shape fit now
            shape = self.shape
            fitting = good & self._fits(lines, good, shape)
        return self._parse(lines, fitting, shape, sifted=True)

    def _fits(self, lines: Lines, good: np.ndarray, shape: Kind) -> np.ndarray:
        """Which lines a strict decoder of the shape takes: one pass, about a microsecond each."""
        decode = decoder(shape).decode
        fits = good.copy()
        data, starts, ends = lines.data, lines.starts.tolist(), lines.ends.tolist()
        rest = iter(np.flatnonzero(good).tolist())
        while True:
            i = -1
            try:
                for i in rest:
                    decode(data[starts[i] : ends[i]])
            except (msgspec.MsgspecError, RecursionError, ValueError):
                fits[i] = False
            else:
                return fits

    def _by_runs(self, lines: Lines, good: np.ndarray, shape: Kind) -> tuple[pa.Table, np.ndarray]:
        """The records of the good lines; where pyarrow fails at some, those are no longer good.

        Neighbours are read together, so that a line that fails costs them and not the block.
        It is the one whose row pyarrow's message names, else it is found by cutting.
        """
        good, hints = good.copy(), 0
        tables = [self._schema_of(shape).empty_table()]
        pending = lines.runs(good)[::-1]
        while pending:
            first, end = pending.pop()
            try:
                tables.append(self._table(lines.between(first, end), end - first, shape))
            except NotColumnarError as error:
                named = _ROW.search(str(error)) if hints < _MOST_HINTS else None
                at = first + int(named.group(1)) if named else end
                if at < end:
                    hints += 1
                    good[at] = False
                    cuts = [(first, at), (at + 1, end)]
                elif end - first <= _FEW:
                    good[first:end] = False
                    cuts = []
                else:
                    edges = np.linspace(first, end, _PIECES + 1).astype(int).tolist()
                    cuts = list(pairwise(edges))
                pending += [cut for cut in reversed(cuts) if cut[0] < cut[1]]
        return pa.concat_tables(tables).combine_chunks(), good

    def _numbers(self) -> frozenset[Keys]:
        """The paths read as quantities, times of an epoch format among them."""
        source = self.exact.source
        paths = {source.resolve(s.path) for s in self.exact.slots.slots if s.kind == "number"}
        times = [source.timestamp, *([source.received_at] if source.received_at else [])]
        return frozenset(paths | {t.path for t in times if t.format != "rfc3339"})

    def _schema_of(self, shape: Kind) -> pa.Schema:
        return pa.schema(list(arrow_type(shape, self._numbers())))

    def _table(self, data: pa.Buffer, rows: int, shape: Kind) -> pa.Table:
        try:
            table = pj.read_json(
                pa.BufferReader(data),
                read_options=pj.ReadOptions(use_threads=False, block_size=data.size + 1),
                parse_options=pj.ParseOptions(
                    explicit_schema=self._schema_of(shape), unexpected_field_behavior="error"
                ),
            )
        except pa.ArrowInvalid as error:
            raise NotColumnarError(str(error)) from None
        if table.num_rows != rows:
            raise NotColumnarError(f"{table.num_rows} rows of {rows} lines")
        return table

    def _parse(
        self, lines: Lines, good: np.ndarray, shape: Kind, *, sifted: bool
    ) -> tuple[pa.Table, np.ndarray]:
        if sifted:
            table, good = self._by_runs(lines, good, shape)
        else:
            data = lines.joined(good)
            table = self._table(pa.py_buffer(data), int(good.sum()), shape)
            refuse_lenient(table, shape, self._numbers(), data)
        if not good.any():
            return self._schema.empty_table(), good
        at = np.flatnonzero(good)
        fields, odd = self._fields(Columns(table, shape, lines.data), at)
        if odd.any():
            fields = fields.filter(pa.array(~odd))
            good = good.copy()
            good[at[odd]] = False
        return fields, good

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
        empty = {f.name: pa.nulls(len(at), f.type) for f in self._schema}
        filled = empty | {name: column for name, (column, _) in read.items()}
        return pa.table(filled, self._schema), odd


def as_malformed(row: object) -> Verdict:
    """The verdict on a row whose JSON cell is no JSON: `not_json`, unless it is not even UTF-8."""
    if isinstance(row, Verdict) and row.reason is Reason.NOT_UTF8:
        return row
    return Verdict(Reason.NOT_JSON, "a cell that must hold JSON text does not")
