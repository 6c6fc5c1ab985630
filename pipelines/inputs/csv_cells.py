"""Rows of CSV to records: the JSON object of the columns, in their order.

A cell is a string, and null when it is empty; cells of `properties`, `metadata` and `data` hold
JSON text. A row with more or fewer cells than the header is no record: its text is kept, marked as
malformed. Bytes that are not UTF-8 go through as they are, for the validator to find.
"""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.csv

from pipelines.inputs.block import WHITE_SPACE, Records
from pipelines.inputs.csv_text import BOM, Rows
from pipelines.inputs.json_columns import (
    HOLDS_JSON,
    TEXT,
    is_one_value,
    json_string,
    not_json,
    one_line,
)
from pipelines.inputs.json_values import as_text
from pipelines.inputs.row_text import row_texts

# a cell that begins with a quote goes to the quote that is not doubled; what follows is literal
_CELL = re.compile(rb'(?:\A|,)(?:"([^"]*+(?:""[^"]*+)*+)"?)?+([^,]*+)')


def cells_of(row: bytes) -> list[bytes]:
    """The cells of one row, without its line end."""
    return [quoted.replace(b'""', b'"') + rest for quoted, rest in _CELL.findall(row)]


@dataclass(frozen=True)
class CsvColumns:
    """The columns of a CSV file, by the names in its header."""

    names: tuple[bytes, ...]

    def records(self, rows: Rows) -> Records:
        """The records of some rows; rows of white space only are not among them."""
        if not rows.regular:
            return self.row_by_row(rows)
        whole = self._all_at_once(rows.text(), rows.offset + rows.starts)
        if whole is not None:
            return whole
        # one odd row must not make the others slow
        odd = rows.odd(len(self.names))
        most = self._all_at_once(rows.only(~odd).joined(), rows.offset + rows.starts[~odd])
        return (
            self.row_by_row(rows)
            if most is None
            else _merged(most, self.row_by_row(rows.only(odd)))
        )

    def _all_at_once(self, text: memoryview | bytes, offsets: np.ndarray) -> Records | None:
        """Rows of regular text all at once; None if not each of them is a record of UTF-8."""
        table = self.table(text, len(offsets))
        if table is None:
            return None
        (batch,) = table.combine_chunks().to_batches()
        lines = row_texts(self.names, batch.columns, len(batch), b"}\n")
        cells = [batch.column(i) for i, (_, holds_json) in enumerate(self._fields) if holds_json]
        malformed = [not_json(as_text(each)) for each in cells]
        return Records(
            lines, offsets, np.logical_or.reduce([np.zeros(len(batch), bool), *malformed])
        )

    def table(self, text: memoryview | bytes, rows: int) -> pa.Table | None:
        """So many rows of regular text as columns of text, null for empty cells.

        None if not each of them is a record of UTF-8. The columns have their numbers as names.
        """
        names = [str(i) for i in range(len(self.names))]
        # pyarrow would skip the mark, and take a row of spaces for a cell if there is one column
        if not len(text) or text[:3] == BOM or len(names) == 1:
            return None
        whole = pyarrow.csv.ReadOptions(
            use_threads=False, column_names=names, block_size=len(text) + 1
        )
        try:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(text),
                whole,
                pyarrow.csv.ParseOptions(newlines_in_values=True),
                pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
        except pa.ArrowInvalid:
            return None
        return table if len(table) == rows else None

    def row_by_row(self, rows: Rows) -> Records:
        """Row by row."""
        lines, offsets, malformed = [], [], []
        spans = zip(rows.starts.tolist(), rows.ends.tolist(), strict=True)
        for start, end in spans:
            row = rows.data[start:end]
            if not row.strip(WHITE_SPACE):
                continue
            line, good = self._record(row)
            lines.append(line + b"\n")
            offsets.append(rows.offset + start)
            malformed.append(not good)
        if lines and not rows.closed:
            lines[-1], malformed[-1] = one_line(row) + b"\n", True
        return Records(
            pa.array(lines, TEXT), np.array(offsets, np.int64), np.array(malformed, bool)
        )

    def _record(self, row: bytes) -> tuple[bytes, bool]:
        """The line of one row, and whether it is a record."""
        cells = cells_of(row)
        if len(cells) != len(self.names):
            return one_line(row), False
        good, fields = True, []
        for (field, holds_json), cell in zip(self._fields, cells, strict=True):
            if not cell:
                fields.append(field + b"null")
            elif holds_json:
                fields.append(field + one_line(cell))
                good = good and is_one_value(cell)
            else:
                fields.append(field + json_string(cell))
        return b"{" + b",".join(fields) + b"}", good

    @cached_property
    def _fields(self) -> list[tuple[bytes, bool]]:
        """Of each column its name with a colon, and whether its cells hold JSON text."""
        return [(json_string(name) + b":", name in HOLDS_JSON) for name in self.names]


def _merged(some: Records, others: Records) -> Records:
    """Both, in the order of their offsets."""
    offsets = np.concatenate([some.offsets, others.offsets])
    order = np.argsort(offsets)
    lines = pa.concat_arrays([some.lines, others.lines]).take(pa.array(order))
    malformed = np.concatenate([some.malformed, others.malformed])
    return Records(lines, offsets[order], malformed[order])
