"""CSV files: the same records as Python's csv module and json make, with their byte offsets."""

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.inputs import InputFile, InputReadError, read_blocks, split_into_pieces
from pipelines.inputs.csv_cells import CsvColumns, cells_of
from pipelines.inputs.csv_text import rows_in

Store = Callable[[str, bytes], InputFile]
Found = tuple[int, bytes, bool]
"""Offset, line and whether it is malformed."""

HEADERS = [
    "a,b\n",
    "\n \na,properties,c\r\n",
    '\ufeff"a","é\n""",a\r',
    "metadata\n",
    "a,data,,data\n",
]
atoms = st.sampled_from(
    [*'ab,"\n\r \t\0\\\b1{}[]:é', "\r\n", '""', '"{""a"": 1}"', '"[1,\n2]"', ",,", "\ufeff"]
)
texts = st.lists(atoms, max_size=30).map("".join)
cells = st.one_of(st.text(max_size=5), st.sampled_from(["", "x", '{"a": [1,\r\n2]}', "{}", "1,2"]))
tables = st.lists(st.lists(cells, min_size=3, max_size=3), max_size=8)


def read(file: InputFile, block_bytes: int = 1000) -> list[Found]:
    found: list[Found] = []
    for piece in split_into_pieces(file, block_bytes):
        for block in read_blocks(piece, block_bytes):
            lines = block.data.split(b"\n")
            assert lines.pop() == b""
            assert block.offsets is not None
            offsets = block.offsets.tolist()
            marked = [i in block.malformed for i in range(len(lines))]
            assert offsets == sorted(offsets)
            found += zip(offsets, lines, marked, strict=True)
    # rows with quotes in odd places are in blocks of their own
    return sorted(found)


def expected(content: bytes) -> list[Found] | None:
    """What the csv module reads, as JSON; None where the header has no end."""
    offset = 3 if content.startswith(b"\xef\xbb\xbf") else 0
    rows = [row for row in csv_rows(content[offset:], offset) if row[1].strip(b" \t\r\n")]
    closed = [row[2] for row in csv_rows(content + b"\n!", 0)][-1] == [b"!"]
    if not rows or (len(rows) == 1 and not closed):
        return [] if closed else None
    (_, _, header), *rows = rows
    found = [(start, *record(header, without_end(raw), row)) for start, raw, row in rows]
    return found if closed else [*found[:-1], (rows[-1][0], spaced(rows[-1][1]), True)]


def csv_rows(content: bytes, offset: int) -> Iterator[tuple[int, bytes, list[bytes]]]:
    """Offset, bytes and cells of each row."""
    fed = [0]

    def lines() -> Iterator[str]:
        for line in content.splitlines(keepends=True):
            fed[0] += len(line)
            yield line.decode("latin-1")

    start = 0
    for row in csv.reader(lines()):
        yield offset + start, content[start : fed[0]], [cell.encode("latin-1") for cell in row]
        start = fed[0]


def without_end(raw: bytes) -> bytes:
    return raw[:-2] if raw.endswith(b"\r\n") else raw.removesuffix(b"\n").removesuffix(b"\r")


def spaced(raw: bytes) -> bytes:
    return raw.replace(b"\r", b" ").replace(b"\n", b" ")


def record(header: list[bytes], raw: bytes, row: list[bytes]) -> tuple[bytes, bool]:
    if len(row) != len(header):
        return spaced(raw), True
    fields, malformed = [], False
    for name, cell in zip(header, row, strict=True):
        value = b"null"
        if cell and name in {b"properties", b"metadata", b"data"}:
            value, malformed = spaced(cell), malformed or not is_json(cell)
        elif cell:
            value = quoted(cell)
        fields.append(quoted(name) + b":" + value)
    return b"{" + b",".join(fields) + b"}", malformed


def quoted(cell: bytes) -> bytes:
    return json.dumps(cell.decode(), ensure_ascii=False).encode()


def is_json(cell: bytes) -> bool:
    try:
        json.loads(cell.decode(), parse_constant=int)
    except ValueError:  # of int() too: NaN is not JSON
        return False
    return True


@settings(deadline=None)
@given(st.sampled_from(HEADERS), texts, st.integers(1, 60))
def test_any_text_gives_the_rows_of_the_csv_module(
    store: Store, header: str, text: str, block_bytes: int
) -> None:
    content = (header + text).encode()
    file = store("a.csv", content)
    if (rows := expected(content)) is not None:
        assert read(file, block_bytes) == rows


@settings(deadline=None)
@given(
    st.sampled_from(["a,b,c\n", "a,properties,a\r\n"]),
    tables,
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_written_tables_give_their_cells(
    store: Store, header: str, rows: list[list[str]], end: str
) -> None:
    content = header.encode() + "".join(written(row, end) for row in rows).encode(
        "utf-8", "replace"
    )
    file = store("a.csv", content)
    assert read(file, 10_000) == expected(content)


def written(row: list[str], end: str) -> str:
    return ",".join('"' + cell.replace('"', '""') + '"' if cell else "" for cell in row) + end


@settings(deadline=None)
@given(tables)
def test_all_at_once_and_row_by_row_are_the_same(rows: list[list[str]]) -> None:
    text = "".join(written(row, "\r\n") for row in rows).encode("utf-8", "replace")
    columns = CsvColumns((b"a", b"properties", b'"\n"'))
    found = rows_in(text, 7, final=True)
    assert found.regular
    fast = columns.records(found)
    slow = columns.row_by_row(found)
    assert fast.lines.to_pylist() == slow.lines.to_pylist()
    assert fast.offsets.tolist() == slow.offsets.tolist()
    assert fast.malformed.tolist() == slow.malformed.tolist()


def test_odd_rows_among_many_do_not_lose_their_places(store: Store) -> None:
    lines = [b"a,b\n", *[b"%d,%d\n" % (i, i) for i in range(1000)]]
    lines[100], lines[500], lines[900] = b"1\n", b"\xff,\x22\n\x22\n", b'5" x,1\n'
    content = b"".join(lines)
    offsets = [sum(map(len, lines[:i])) for i in range(1, 1001)]
    wanted = {
        100: (b"1", True),
        500: (b'{"a":"\xff","b":"\\n"}', False),
        900: (b'{"a":"5\\" x","b":"1"}', False),
    }
    rows = [wanted.get(i, (b'{"a":"%d","b":"%d"}' % (i - 1, i - 1), False)) for i in range(1, 1001)]
    assert (read(store("a.csv", content), 1 << 20)) == [
        (offset, *row) for offset, row in zip(offsets, rows, strict=True)
    ]


def test_rows_that_are_too_large_are_set_apart(store: Store) -> None:
    limits: dict[str, Any] = {"LARGEST_ROW": 40, "KEPT_OF_OVERSIZED": 8, "_LARGEST_STEP": 7}
    content = (
        b'a,b\n1,2\n"' + b'x""\n,' * 20 + b'",y\r\n3,' + b"z" * 30 + b"\n" + b" " * 50 + b"\n5,6"
    )
    file = store("a.csv", content)
    with (
        mock.patch.multiple("pipelines.inputs.csv_text", **limits),
        mock.patch.multiple("pipelines.inputs.block", LARGEST_RECORD=30, KEPT_OF_OVERSIZED=8),
    ):
        blocks = [each.plain() for each in read_blocks(split_into_pieces(file, 10)[0], 10)]
    assert b"".join(block.data for block in blocks) == b'{"a":"1","b":"2"}\n{"a":"5","b":"6"}\n'
    assert sorted(each for block in blocks for each in block.oversized) == [
        (8, b'"x""\n,x"'),
        (content.index(b"3,z"), b'{"a":"3"'),
    ]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ("a,b\n\ufeffx,1\n", ['{"a":"\ufeffx","b":"1"}']),
        ("a\n \nx\n", ['{"a":"x"}']),
        ('a\n""\n', ['{"a":null}']),
        ("a\rx\ry", ['{"a":"x"}', '{"a":"y"}']),
    ],
)
def test_texts_that_pyarrow_reads_otherwise(store: Store, content: str, lines: list[str]) -> None:
    found = read(store("a.csv", content.encode()))
    assert [line.decode() for _, line, _ in found] == lines


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\n", b"a,b", b"a,b\r\n \n\n"])
def test_a_file_without_rows_gives_none(store: Store, content: bytes) -> None:
    assert read(store("a.csv", content)) == []


def test_a_row_whose_quote_is_not_closed_is_kept_on_one_line(store: Store) -> None:
    assert read(store("a.csv", b'a,b\n1,"2\n3,4\n')) == [(4, b'1,"2 3,4 ', True)]


@pytest.mark.parametrize("rows", [10, 400_000])
def test_a_header_without_an_end_is_an_error_that_names_the_file(store: Store, rows: int) -> None:
    file = store("a.csv", b'a,"b\n' + b"1,2345\n" * rows)
    with pytest.raises(InputReadError, match=f"^{file.path} cannot be read: .*quote"):
        read(file)


def test_compressed_files_have_offsets_of_what_they_hold(store: Store) -> None:
    file = store("a.csv.gz", gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n"))
    assert [offset for offset, _, _ in read(file)] == [4, 8]


def test_cells_of_a_row() -> None:
    assert cells_of(b'a,"b, ""c""","",,"d"e"f') == [b"a", b'b, "c"', b"", b"", b'de"f']
