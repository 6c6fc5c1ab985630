"""Records that are rows of typed columns, and whose text is made only where it is asked for."""

from typing import Protocol

import numpy as np
import pyarrow as pa

from transforms.lines import Lines


class Rows(Protocol):
    """Rows of a file of columns; the record of each is the JSON object of its columns."""

    @property
    def offsets(self) -> np.ndarray:
        """Where each row stands in its file (int64), as in a block."""

    @property
    def cells(self) -> frozenset[str]:
        """The columns of text whose cells hold JSON text, and are no strings of it."""

    def __len__(self) -> int:
        """How many rows there are."""

    def columns(self) -> pa.Table | None:
        """The columns, where they say all that the records do (see transforms/row_columns.py)."""

    def texts(self, chosen: np.ndarray) -> pa.StringArray:
        """The records of some rows (indexes); their cells must hold JSON, and be UTF-8."""

    def spelled(self, chosen: np.ndarray) -> tuple[bytes, np.ndarray]:
        """The records of any rows as lines, and which are no JSON whatever they look like."""


class RowLines:
    """The same as `Lines` for records of rows; their columns must say all."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.numbers = np.arange(len(rows))
        self._spelled: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> bytes:
        if i not in self._spelled:
            self.spelled(np.array([i]))
        return self._spelled[i]

    def spelled(self, chosen: np.ndarray) -> tuple[Lines, np.ndarray]:
        """Some rows as lines, and which of those are malformed."""
        data, malformed = self.rows.spelled(chosen)
        lines = Lines.of(data)
        self._spelled |= {i: lines[at] for at, i in enumerate(chosen.tolist())}
        return lines, malformed

    def texts(self, chosen: np.ndarray) -> pa.StringArray:
        """The chosen records (indexes) as an Arrow column. They must be JSON, and UTF-8."""
        return self.rows.texts(chosen)
