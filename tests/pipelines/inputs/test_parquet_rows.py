"""Parquet files: rows as JSON objects of their columns, by row groups."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.inputs import (
    Block,
    InputFile,
    InputReadError,
    Piece,
    read_blocks,
    split_into_pieces,
)

Store = Callable[[str, bytes], InputFile]


def stored(store: Store, table: pa.Table, rows_in_a_group: int | None = None) -> InputFile:
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=rows_in_a_group)
    return store("a.parquet", sink.getvalue())


def read(file: InputFile, block_bytes: int) -> list[Block]:
    pieces = split_into_pieces(file, block_bytes)
    return [block for piece in pieces for block in read_blocks(piece, block_bytes)]


def lines_of(blocks: list[Block]) -> list[bytes]:
    return b"".join(block.data for block in blocks).splitlines()


def test_a_row_is_the_object_of_its_columns_in_their_order(store: Store) -> None:
    columns = {
        "timestamp": pa.array(
            [datetime(2026, 1, 15, 10, 30, tzinfo=UTC)], pa.timestamp("us", "UTC")
        ),
        "id": pa.array([None], pa.string()),
        'a"é': pa.array([1.5]),
        "properties": pa.array([{"model": "m", "tokens": 7}]),
    }
    (block,) = read(stored(store, pa.table(columns)), 1000)
    assert block.data.decode() == (
        '{"timestamp":"2026-01-15T10:30:00.000000Z","id":null,"a\\"é":1.5,'
        '"properties":{"model":"m","tokens":7}}\n'
    )
    assert block.offsets is not None
    assert block.offsets.tolist() == [0]


def test_text_columns_of_properties_hold_json_text(store: Store) -> None:
    columns = {
        "properties": pa.array(['{"a":\n1}', None, "", "{}}"]).dictionary_encode(),
        "data": pa.array(["1", "2", "x", "3"], pa.large_string()),
        "other": pa.array(["{}"] * 4),
    }
    (block,) = read(stored(store, pa.table(columns)), 1000)
    assert block.data.splitlines() == [
        b'{"properties":{"a": 1},"data":1,"other":"{}"}',
        b'{"properties":null,"data":2,"other":"{}"}',
        b'{"properties":null,"data":x,"other":"{}"}',
        b'{"properties":{}},"data":3,"other":"{}"}',
    ]
    assert block.malformed == {2, 3}


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(1, 12), st.integers(1, 400))
def test_pieces_and_blocks_hold_each_row_once_with_its_number(
    store: Store, rows: int, rows_in_a_group: int, block_bytes: int
) -> None:
    table = pa.table(
        {"n": pa.array(range(rows), pa.int64()), "t": ["x" * (i % 7) for i in range(rows)]}
    )
    blocks = read(stored(store, table, rows_in_a_group), block_bytes)
    assert [json.loads(line) for line in lines_of(blocks)] == table.to_pylist()
    numbers = [n for block in blocks if block.offsets is not None for n in block.offsets.tolist()]
    assert numbers == list(range(rows))


def test_small_row_groups_are_read_together(store: Store) -> None:
    file = stored(store, pa.table({"n": range(100)}), 10)
    size = pq.ParquetFile(file.path).metadata.row_group(0).total_byte_size
    pieces = split_into_pieces(file, 3 * size)
    assert [(piece.start, piece.end) for piece in pieces] == [(0, 3), (3, 6), (6, 9), (9, 10)]


def test_rows_that_are_too_large_are_set_apart(store: Store) -> None:
    file = stored(store, pa.table({"a": ["x", "y" * 100, "z"]}))
    limits: dict[str, Any] = {"LARGEST_RECORD": 50, "KEPT_OF_OVERSIZED": 10}
    with mock.patch.multiple("pipelines.inputs.block", **limits):
        (block,) = (each.plain() for each in read_blocks(Piece(file), 1000))
    assert block.data == b'{"a":"x"}\n{"a":"z"}\n'
    assert block.offsets is not None
    assert block.offsets.tolist() == [0, 2]
    assert block.oversized == ((1, b'{"a":"yyyy'),)


def test_text_that_is_not_utf8_goes_through(store: Store) -> None:
    broken = pa.array([b"\xff"], pa.binary()).view(pa.string())
    assert lines_of(read(stored(store, pa.table({"a": broken})), 100)) == [b'{"a":"\xff"}']


def test_values_larger_than_the_file_let_expect_are_read_in_parts(store: Store) -> None:
    file = stored(store, pa.table({"a": ["x" * 1000] * 500}))
    assert file.size < 5000
    blocks = read(file, 10_000)
    assert max(len(block.data) for block in blocks) < 25_000
    assert len(lines_of(blocks)) == 500


def test_values_of_a_dictionary_count_each_time_that_they_are_there(store: Store) -> None:
    texts = pa.array(["x" * 1000, "y" * 1000] * 250).dictionary_encode()
    blocks = read(
        stored(store, pa.table({"a": texts, "b": pa.StructArray.from_arrays([texts], ["c"])})),
        10_000,
    )
    assert max(len(block.data) for block in blocks) < 25_000
    assert len(lines_of(blocks)) == 500


@pytest.mark.parametrize("content", [b"", b"PAR1 no file of this kind PAR1"])
def test_a_file_of_another_kind_is_an_error_that_names_it(store: Store, content: bytes) -> None:
    file = store("a.parquet", content)
    with pytest.raises(InputReadError, match=f"^{file.path} cannot be read: "):
        split_into_pieces(file, 100)


def test_a_file_damaged_inside_is_an_error_that_names_it(store: Store) -> None:
    file = stored(store, pa.table({"a": [str(i) for i in range(1000)]}))
    content = Path(file.path).read_bytes()
    store("a.parquet", content[:4] + b"\xff" * 200 + content[204:])
    with pytest.raises(InputReadError, match=f"^{file.path} cannot be read: "):
        read(file, 100)


def test_a_column_without_json_is_an_error_that_names_the_file(store: Store) -> None:
    file = stored(store, pa.table({"a": [[1]]}))
    refused = pa.ArrowNotImplementedError("there is no JSON for a column of type x")
    with (
        mock.patch("pipelines.inputs.row_text.value_parts", side_effect=refused),
        pytest.raises(InputReadError, match="there is no JSON for a column of type x"),
    ):
        read(file, 100)
