"""Inputs cut into pieces that workers read apart from each other, and read by blocks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipelines.inputs.archive import read_archive
from pipelines.inputs.block import Block
from pipelines.inputs.csv_rows import read_csv
from pipelines.inputs.event_files import Needed
from pipelines.inputs.find import InputFile
from pipelines.inputs.lines import read_lines
from pipelines.inputs.parquet_rows import read_parquet, row_group_ranges

if TYPE_CHECKING:
    from pipelines.inputs.bigquery_rows import Reading


@dataclass(frozen=True)
class Piece:
    """A part of one input: bytes `start` to `end` of a line file, row groups of a Parquet file.

    An `end` of None is the end of the input. What begins in a piece belongs to it. Of an earlier
    output all events are read, or those `needed`; of a dataset those of a moment, see
    `at_one_moment`.
    """

    file: InputFile
    start: int = 0
    end: int | None = None
    needed: Needed | None = None
    reading: "Reading | None" = None


def at_one_moment(pieces: Sequence[Piece]) -> list[Piece]:
    """The same pieces, to be read as they are now, whoever reads them when. Raises InputReadError.

    Only a dataset changes while it is read.
    """
    return [
        replace(piece, reading=_reading(piece)) if piece.file.kind == "table" else piece
        for piece in pieces
    ]


def _reading(piece: Piece) -> "Reading":
    # the service's client takes a while to import, and files do without
    from pipelines.inputs.bigquery import fix_table  # noqa: PLC0415

    return fix_table(piece.file.path, piece.needed)


def split_into_pieces(file: InputFile, block_bytes: int) -> list[Piece]:
    """Pieces of about a block each where a file can be cut, else one; none of an empty file.

    Raises InputReadError where a Parquet file's footer cannot be read.
    """
    if file.kind == "parquet":
        return [Piece(file, start, end) for start, end in row_group_ranges(file, block_bytes)]
    if file.kind == "lines" and file.compression is None:
        starts = range(0, file.size, block_bytes)
        return [Piece(file, start, min(start + block_bytes, file.size)) for start in starts]
    return [Piece(file)]


def read_blocks(piece: Piece, block_bytes: int) -> Iterator[Block]:
    """The records of a piece in blocks of about `block_bytes`, one at a time.

    Raises InputReadError, which names the input, where it cannot be read or is damaged.
    """
    if piece.file.kind == "lines":
        return read_lines(piece.file, piece.start, piece.end, block_bytes)
    if piece.file.kind == "csv":
        return read_csv(piece.file, block_bytes)
    if piece.file.kind == "parquet":
        return read_parquet(piece.file, piece.start, piece.end, block_bytes)
    if piece.file.kind == "table":
        # the service's client takes a while to import, and files do without
        from pipelines.inputs.bigquery import read_table  # noqa: PLC0415

        return read_table(piece.file.path, block_bytes, piece.reading or _reading(piece))
    return read_archive(piece.file, block_bytes, piece.needed)
