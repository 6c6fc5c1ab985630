"""CSV: rows with odd cells, read all at once and row by row."""

from random import Random

import numpy as np

from fuzz.mutations import a_byte, a_piece, a_value
from fuzz.samples import record
from pipelines.inputs.csv_cells import CsvColumns
from pipelines.inputs.csv_text import rows_in
from transforms.exact import parse_object

_HEADER = (b"TIMESTAMP", b"service", b"ContextTokens", b"GeneratedTokens")
_NAMES = (_HEADER, _HEADER, (*_HEADER[:3], b"properties"))
_ODD_CELLS = (
    *(b'""', b'"a,b"', b'"a""b"', b'"a\nb"', b'a"b', b'"a"b', b'"', b"", b" ", b'"{""a"":1}"'),
    *(b"{}", b"[1]", b"{", b"\xff", b"\x00", b"\xef\xbb\xbf", b"a,b", b'"\r\n"', b"\\", b"\t"),
    b"\x1f",
)  # fmt: skip


def rows(random: Random) -> tuple[bytes, frozenset[int]]:
    """The lines that a piece of a CSV file gives, and those of them that are no JSON.

    Raises AssertionError where the rows read at once are not those read one by one.
    """
    end, share = random.choice((b"\n", b"\r\n", b"\r")), random.choice((0.0, 0.01, 0.3))
    text = end.join([_row(random, share) for _ in range(random.randint(200, 1000))])
    cut = rows_in(text + random.choice((b"", end)), 0, final=True)
    columns = CsvColumns(random.choice(_NAMES))
    fast, slow = columns.records(cut), columns.row_by_row(cut)
    assert fast.lines.equals(slow.lines)
    assert np.array_equal(fast.offsets, slow.offsets)
    assert np.array_equal(fast.malformed, slow.malformed)
    malformed = frozenset(np.flatnonzero(fast.malformed).tolist())
    return b"".join(fast.lines.to_pylist()), malformed


def _row(random: Random, share: float) -> bytes:
    cells = [value.encode() for value in parse_object(record(random, "azure")).values()]
    if random.random() < share:
        cells[random.randrange(len(cells))] = random.choice(_ODD_CELLS)
    row = b",".join(cells)
    if random.random() < share / 2:
        row = random.choice((a_byte, a_piece, a_value))(random, row)
    return row
