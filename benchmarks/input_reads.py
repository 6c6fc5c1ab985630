"""Reading alone, of one file into one Arrow table: ours, and pyarrow's. See input_reading.py."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.json as pj
import pyarrow.parquet as pq

from pipelines.inputs import Block, find_inputs, read_blocks, split_into_pieces
from pipelines.settings import BLOCK_BYTES
from transforms.block import Places
from transforms.catalog_file import load_catalog
from transforms.exact import ExactReader
from transforms.kernel import THREADS
from transforms.row_reader import RecordReader
from transforms.slots import Slots

LIBRARY_BLOCK = 16 << 20


def ours(file: Path, catalog: Path) -> pa.Table:
    """The fields of the events in a file, as the graph reads them."""
    known = load_catalog(str(catalog), catalog.read_bytes())
    reader = RecordReader(ExactReader(known.source("native"), Slots.of(known)))

    def fields(block: Block) -> pa.Table:
        places = Places(block, 0)
        return reader.read_block(places)[0]

    running: deque[Future[pa.Table]] = deque()
    tables = []
    with ThreadPoolExecutor(THREADS) as pool:
        for block in _blocks(file):
            running.append(pool.submit(fields, block))
            while len(running) > THREADS + 1:
                tables.append(running.popleft().result())
        tables += [each.result() for each in running]
    return pa.concat_tables(tables)


def _blocks(file: Path) -> Iterator[Block]:
    for found in find_inputs([str(file)]):
        for piece in split_into_pieces(found, BLOCK_BYTES):
            yield from read_blocks(piece, BLOCK_BYTES)


def library(file: Path) -> pa.Table:
    """The file as pyarrow reads it."""
    if file.suffix == ".parquet":
        return pq.read_table(file)
    if file.suffix == ".csv":
        table = pcsv.read_csv(file, pcsv.ReadOptions(block_size=LIBRARY_BLOCK))
        for name in ("properties", "metadata"):
            table = table.append_column(f"{name}_fields", _cells(table[name]))
        return table
    with pa.input_stream(str(file)) as stream:  # decompresses by the name
        return _parsed(stream)


def _parsed(stream: pa.NativeFile) -> pa.Table:
    return pj.read_json(stream, pj.ReadOptions(block_size=LIBRARY_BLOCK))


def _cells(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """What the JSON in some cells says: their text is that of a file of lines already."""
    empty, end = (pa.scalar(text, pa.large_string()) for text in ("", "\n"))
    whole = texts.cast(pa.large_string())
    lines = pc.binary_join_element_wise(whole, empty, end).combine_chunks()
    return _parsed(pa.BufferReader(lines.buffers()[2])).to_struct_array()
