"""Reads records that are rows of typed columns: from the columns, and from text what they leave.

What the columns are not sure of is spelled out, and then read as any line is.
"""

import logging
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from transforms.block import Places
from transforms.columnar import ColumnarReader
from transforms.exact import Verdict
from transforms.json_cells import CellReader, Cells
from transforms.row_columns import RowColumns, doubtful
from transforms.row_lines import RowLines, Rows
from transforms.told_errors import trace

_LOG = logging.getLogger(__name__)


@dataclass
class RecordReader(ColumnarReader):
    """Reads blocks of one source, of lines and of rows."""

    _cells: dict[str, CellReader] = field(default_factory=dict)

    def read_block(self, places: Places) -> tuple[pa.Table, dict[int, Verdict]]:
        """`fields` of a block, ordered by line, and the verdicts on what is no event."""
        if isinstance(places.lines, RowLines):
            return self.read_rows(places.lines)
        return self.read(places.lines, places.malformed)

    def read_rows(self, lines: RowLines) -> tuple[pa.Table, dict[int, Verdict]]:
        """The same of rows."""
        try:
            table = self._of_columns(lines.rows)
        except Exception as error:  # noqa: BLE001 - a mistake of ours: the rows are spelled out
            source = self.exact.source.name
            _LOG.error("rows of source %s were read by their text: %s", source, trace(error))
            table = self._schema.empty_table()
        left = np.ones(len(lines), bool)
        left[table.column("line").to_numpy()] = False
        if not left.any():
            return table, {}
        rest = np.flatnonzero(left)
        others, verdicts = self.read(*lines.spelled(rest))
        line = pa.array(rest[others.column("line").to_numpy()].astype(np.int32))
        others = others.set_column(others.schema.get_field_index("line"), "line", line)
        both = pa.concat_tables([table, others]).sort_by("line")
        return both.combine_chunks(), {int(rest[i]): each for i, each in verdicts.items()}

    def _of_columns(self, rows: Rows) -> pa.Table:
        """The fields of all rows but some."""
        table = rows.columns()
        if table is None:
            raise ValueError("columns that do not say all")
        good = ~doubtful(table)
        cells = {
            each: self._cell_reader(each).read(table.column(each), good) for each in rows.cells
        }
        for each in cells.values():
            read = np.zeros(len(good), bool)
            read[each.at] = True
            good &= read
        at = np.flatnonzero(good)
        if not len(at):
            return self._schema.empty_table()
        if len(at) < len(good):
            table = table.filter(pa.array(good))
            cells = {name: _only(each, good) for name, each in cells.items()}
        return self._sure(RowColumns(table, cells), at).combine_chunks()

    def _cell_reader(self, name: str) -> CellReader:
        if name not in self._cells:
            amounts = self.exact.slots.amounts(self.exact.source)
            numbers = {keys[1:] for keys in amounts if keys[:1] == (name,) and keys[1:]}
            self._cells[name] = CellReader(frozenset(numbers))
        return self._cells[name]


def _only(cells: Cells, good: np.ndarray) -> Cells:
    """Those of the good rows (a mask)."""
    chosen = good[cells.at]
    column = cells.column.filter(pa.array(chosen))
    return Cells(column, cells.shape, cells.data, cells.at[chosen])
