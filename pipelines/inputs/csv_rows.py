"""CSV files: blocks of records made of rows. A file is read in one piece, for quotes hide rows."""

from collections.abc import Iterator

import numpy as np

from pipelines.inputs.block import WHITE_SPACE, Block, BlockBuilder, InputReadError
from pipelines.inputs.csv_block import CsvBlocks
from pipelines.inputs.csv_cells import CsvColumns, cells_of
from pipelines.inputs.csv_text import BOM, LongRow, Rows, read_rows
from pipelines.inputs.find import InputFile
from pipelines.inputs.opening import Stream, opened


def read_csv(file: InputFile, block_bytes: int) -> Iterator[Block]:
    """Records of the rows after the header, which is the first row that is not blank.

    Holds one block of rows, one of records of rows with quotes in odd places, a row of up to 2 MiB,
    and 256 KiB of rows. Raises InputReadError, for a header without an end too.
    """
    columns = blocks = None
    builder = BlockBuilder(file.path, block_bytes)
    with opened(file) as stream:
        held = _first_bytes(stream, len(BOM))
        offset, held = (len(BOM), b"") if held == BOM else (0, held)
        for rows in read_rows(stream, offset, held, block_bytes):
            if columns is None:
                columns, rest = _header(file.path, rows)
                rows = rest  # noqa: PLW2901 - what is after the header
            if columns is None:
                continue
            blocks = blocks or CsvBlocks(file.path, columns, block_bytes)
            if isinstance(rows, LongRow):
                yield from builder.add_oversized(rows.offset, rows.first)
            elif rows.regular and blocks.columnar:
                yield from blocks.add(rows)
            else:
                yield from builder.add(columns.records(rows))
    yield from builder.finish()
    yield from blocks.finish() if blocks else ()


def _first_bytes(stream: Stream, size: int) -> bytes:
    held = b""
    while len(held) < size and (more := stream.read(size - len(held))):
        held += more
    return held


def _header(path: str, rows: Rows | LongRow) -> tuple[CsvColumns | None, Rows]:
    """The columns named by the first row that is not blank, and the rows after it."""
    if isinstance(rows, LongRow):
        raise InputReadError(
            f"{path} cannot be read: its header has no end; is a quote not closed?"
        )
    for i, (start, end) in enumerate(zip(rows.starts.tolist(), rows.ends.tolist(), strict=True)):
        if rows.data[start:end].strip(WHITE_SPACE):
            if not rows.closed and i == len(rows.starts) - 1:
                raise InputReadError(f"{path} cannot be read: a quote in its header is not closed")
            return CsvColumns(tuple(cells_of(rows.data[start:end]))), rows.only(
                np.arange(len(rows.starts)) > i
            )
    return None, rows
