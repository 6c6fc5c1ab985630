"""NDJSON files, in pieces and blocks, compressed or not: the records of a naive split."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pytest
from apache_beam.io.filesystem import CompressionTypes
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
Found = list[tuple[int, bytes]]
"""Offset and bytes of each record."""

LIMIT, KEPT = 12, 5

contents = st.lists(
    st.sampled_from(
        [b"\n", b"\r\n", b"\r", b" ", b"\t", b"\0", b"{}", b'{"a":1}', b"\xff", b"abcd"]
    )
    | st.integers(LIMIT - 2, 3 * LIMIT).map(lambda size: b"x" * size)
    | st.integers(LIMIT - 2, 3 * LIMIT).map(lambda size: b" " * size)
).map(b"".join)


@contextmanager
def small_limits() -> Iterator[None]:
    """As if a record might have but 12 bytes, of more the first 5 were kept."""
    limits: dict[str, Any] = {
        "LARGEST_RECORD": LIMIT,
        "KEPT_OF_OVERSIZED": KEPT,
        "_STEP": LIMIT,
        "_TAIL_STEP": 3,
    }
    with mock.patch.multiple("pipelines.inputs.lines", **limits):
        yield


def naive(content: bytes) -> tuple[Found, Found]:
    """Offset and bytes of each line, those that are too large apart, and no blank ones."""
    lines: Found = []
    oversized: Found = []
    offset = 0
    for line in split(content):
        record = line.removesuffix(b"\n")
        record = record.removesuffix(b"\r") if line.endswith(b"\n") else record
        if record.strip(b" \t\r\n"):
            found = (oversized, record[:KEPT]) if len(record) > LIMIT else (lines, line)
            found[0].append((offset, found[1]))
        offset += len(line)
    return lines, oversized


def split(content: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in content.split(b"\n")]
    return [*lines[:-1], lines[-1][:-1]]


def found_in(blocks: list[Block]) -> tuple[Found, Found]:
    lines: Found = []
    oversized: Found = []
    for block in blocks:
        assert block.offsets is None
        assert not block.malformed
        offset = block.start
        for line in split(block.data):
            if line.strip(b" \t\r\n"):
                lines.append((offset, line))
            offset += len(line)
        oversized += block.oversized
    return lines, oversized


def read(file: InputFile, block_bytes: int, piece_bytes: int | None = None) -> list[Block]:
    pieces = split_into_pieces(file, piece_bytes or block_bytes)
    return [block for piece in pieces for block in read_blocks(piece, block_bytes)]


@settings(deadline=None)
@given(contents, st.integers(1, 40), st.integers(1, 40))
def test_pieces_and_blocks_hold_the_records_of_a_naive_split(
    store: Store, content: bytes, block_bytes: int, piece_bytes: int
) -> None:
    file = store("a.ndjson", content)
    with small_limits():
        blocks = read(file, block_bytes, piece_bytes)
    assert found_in(blocks) == naive(content)
    for block in blocks:
        # no more than one line over what was asked for
        assert len(block.data) <= block_bytes + 2 * LIMIT + 2


@pytest.mark.parametrize("size", range(LIMIT - 2, LIMIT + 3))
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_line_of_about_the_limit_is_measured_without_its_end(
    store: Store, size: int, end: bytes
) -> None:
    content = b"a\n" + b"x" * size + end + (b"" if end == b"\r" else b"bc\n")
    file = store("a.ndjson", content)
    with small_limits():
        for block_bytes in range(1, 2 * LIMIT):
            for piece_bytes in (*range(1, 8), 100):
                assert found_in(read(file, block_bytes, piece_bytes)) == naive(content)


@settings(deadline=None)
@given(st.lists(contents, max_size=4), st.integers(1, 40), st.sampled_from(["gzip", "zstd"]))
def test_compressed_members_in_a_row_are_one_file(
    store: Store, parts: list[bytes], block_bytes: int, compression: str
) -> None:
    members = b"".join(compressed(part, compression) for part in parts)
    file = store("a.jsonl.gz" if compression == "gzip" else "a.jsonl.zst", members)
    with small_limits():
        assert found_in(read(file, block_bytes)) == naive(b"".join(parts))


def compressed(content: bytes, compression: str) -> bytes:
    if compression == "gzip":
        return gzip.compress(content)
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
@pytest.mark.parametrize("damage", ["cut", "changed", "followed"])
def test_a_damaged_file_is_an_error_that_names_it(
    store: Store, compression: str, damage: str
) -> None:
    content = compressed(b'{"a":1}\n' * 1000, compression)
    damaged = {
        "cut": content[:-3],
        "changed": content[:6].replace(content[:2], b"??") + content[6:],
        "followed": content + b"and more",
    }[damage]
    file = store("a.ndjson.gz" if compression == "gzip" else "a.ndjson.zst", damaged)
    with pytest.raises(InputReadError, match=f"^{file.path} cannot be read: "):
        read(file, 100)


def test_a_file_that_went_away_is_an_error_that_names_it() -> None:
    file = InputFile("/nowhere/a.ndjson", "lines", None, 10)
    with pytest.raises(InputReadError, match=r"^/nowhere/a\.ndjson cannot be read: "):
        read(file, 100)


def test_records_have_up_to_one_mebibyte_and_of_larger_ones_the_beginning_is_kept(
    store: Store,
) -> None:
    mebibyte = 1024 * 1024
    lines = [b"a" * mebibyte + b"\r\n", b"b" * (mebibyte + 1) + b"\n", b"c" * 5 * mebibyte]
    file = store("large.ndjson", b"".join(lines))
    blocks = read(file, 64 * 1024, 10 * mebibyte)
    assert [(block.start, block.data) for block in blocks if block.data] == [(0, lines[0])]
    assert [oversized for block in blocks for oversized in block.oversized] == [
        (len(lines[0]), b"b" * 65536),
        (len(lines[0] + lines[1]), b"c" * 65536),
    ]


def test_a_file_of_pieces_as_large_as_blocks_gives_one_block_for_each(store: Store) -> None:
    file = store("a.ndjson", b'{"a":1}\n' * 1000)
    pieces = split_into_pieces(file, 1000)
    assert [piece.end for piece in pieces] == [*range(1000, 8001, 1000)]
    assert [len(list(read_blocks(piece, 1000))) for piece in pieces] == [1] * 8


def test_lines_that_came_after_the_file_was_found_are_left(store: Store) -> None:
    file = store("a.ndjson", b"1\n2\n")
    store("a.ndjson", b"1\n2\n3\n")
    assert [block.data for block in read_blocks(Piece(file, 0, 4), 100)] == [b"1\n2\n"]


def test_an_empty_file_has_no_pieces(store: Store) -> None:
    assert split_into_pieces(store("a.ndjson", b""), 100) == []


def test_addresses_are_opened_by_beam_without_its_decompression(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = store("remote.ndjson.gz", gzip.compress(b"1\n2\n"))

    def opened(path: str, compression_type: str) -> object:
        assert path == "gs://b/remote.ndjson.gz"
        assert compression_type == CompressionTypes.UNCOMPRESSED
        return Path(local.path).open("rb")

    monkeypatch.setattr("apache_beam.io.filesystems.FileSystems.open", opened)
    file = InputFile("gs://b/remote.ndjson.gz", "lines", "gzip", local.size)
    assert [(block.path, block.data) for block in read(file, 100)] == [(file.path, b"1\n2\n")]
