"""What columns say is what the text of their records says: same fields, rejects and payloads."""

import json
import pickle
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fast_and_slow import CATALOG, OWN, SLOTS, as_rows
from hypothesis import example, given, settings
from hypothesis import strategies as st
from record_texts import TEXTS, TIMES
from row_tables import CELLS, MOSTLY_CELLS, tables

from pipelines.inputs import Block, find_inputs, read_blocks, split_into_pieces
from pipelines.inputs.row_block import RowBlock, TableRows
from transforms.arrow_json import ShapedReader
from transforms.block import Places
from transforms.block_reader import BlockReader
from transforms.columnar import as_malformed
from transforms.exact import ExactReader, Verdict
from transforms.fields import fields_from_rows, fields_schema
from transforms.json_cells import CellReader
from transforms.row_columns import say_all
from transforms.row_lines import RowLines
from transforms.row_reader import RecordReader
from transforms.run import Run
from transforms.shape import Kind
from transforms.sources import BUILT_IN

SOURCES = {**BUILT_IN, "own": OWN}


def read_exactly(source: str, block: Block) -> tuple[pa.Table, dict[int, Verdict]]:
    exact = ExactReader(SOURCES[source], SLOTS)
    rows, verdicts = [], {}
    places = Places(block.plain(), 0)
    for i in range(len(places.lines)):
        row: Any = exact.read(places.lines[i])
        row = as_malformed(row) if places.malformed[i] else row
        if isinstance(row, Verdict):
            verdicts[i] = row
        else:
            rows.append(row | {"line": i})
    return fields_from_rows(rows, fields_schema(SLOTS)), verdicts


def compare(source: str, block: Block, reader: RecordReader | None = None) -> None:
    """A block by its columns, and record by record."""
    reader = reader or RecordReader(ExactReader(SOURCES[source], SLOTS))
    places = Places(block, 0)
    assert isinstance(places.lines, RowLines)
    fields, verdicts = reader.read_block(places)
    slow, slow_verdicts = read_exactly(source, block)
    assert verdicts == slow_verdicts
    assert as_rows(fields) == as_rows(slow)
    plain = Places(block.plain(), 0)
    line = fields.column("line").to_numpy()
    assert places.lines.texts(line).to_pylist() == plain.lines.texts(line).to_pylist()
    everything = np.arange(len(places.lines))
    assert places.origins(everything) == plain.origins(everything)
    assert [places.lines[i] for i in verdicts] == [plain.lines[i] for i in verdicts]


@pytest.fixture(autouse=True)
def _nothing_went_wrong_inside(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert not [each for phase in ("setup", "call") for each in caplog.get_records(phase)]


def rows_of(table: pa.Table) -> RowBlock:
    return RowBlock("f", TableRows(table, np.arange(7, 7 + len(table))))


@given(tables(), st.sampled_from(["native", "native", "recorded", "own", "cloudevents"]))
@settings(max_examples=200, deadline=None)
def test_columns_say_what_the_text_of_their_rows_says(table: pa.Table, source: str) -> None:
    if say_all(table.schema):
        compare(source, rows_of(table))
        compare(source, rows_of(pa.concat_tables([table, table]).slice(1)))


@given(MOSTLY_CELLS, MOSTLY_CELLS)
@settings(max_examples=200, deadline=None)
@example(['{"n":"x}', '{y"}', '{"n":1}{"n":2}'], ["{}"])
@example(['{"n":1}', '1},{"a":2', '{"n":2}'], ['{"n":"\n"}'])
def test_cells_hold_one_object_each_or_are_refused(first: list[str], second: list[str]) -> None:
    reader = RecordReader(ExactReader(BUILT_IN["native"], SLOTS))
    for cells in (first, second, first):
        rows = len(cells)
        fixed = {"event_type": "a", "customer_id": "c", "timestamp": "2026-01-15T10:30:00Z"}
        columns = {name: pa.array([text] * rows) for name, text in fixed.items()}
        table = pa.table(columns | {"properties": pa.array(cells)})
        compare("native", rows_of(table), reader)


@given(st.lists(st.tuples(TEXTS, st.one_of(TIMES, TEXTS), CELLS), max_size=8))
@settings(max_examples=200, deadline=None)
def test_rows_of_csv_are_read_as_their_records(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]]
) -> None:
    quoted = [["a", *[cell.replace('"', '""') for cell in row]] for row in rows]
    lines = ['"' + '","'.join(row) + '"\n' for row in quoted]
    file = tmp_path_factory.getbasetemp() / "rows.csv"
    file.write_text("event_type,customer_id,timestamp,properties\n" + "".join(lines), "utf-8")
    for block in read(file):
        assert block.rows is not None
        assert block.rows.columns() is not None
        compare("native", block)


@given(tables())
@settings(max_examples=60, deadline=None)
def test_every_output_of_a_block_is_that_of_its_text(table: pa.Table) -> None:
    if say_all(table.schema):
        block = rows_of(table)
        assert outputs(block) == outputs(block.plain())
        assert outputs(pickle.loads(pickle.dumps(block))) == outputs(block)  # noqa: S301 - our own


def outputs(block: Block) -> list[tuple[str, Any]]:
    made = BlockReader(Run("r", 0), CATALOG, "native", 2)(block)
    return [
        (tag, value.to_pylist() if tag in {"events", "rejects"} else value) for tag, value in made
    ]


def read(file: Path) -> list[Block]:
    (found,) = find_inputs([str(file)])
    return [
        block
        for piece in split_into_pieces(found, 1 << 20)
        for block in read_blocks(piece, 1 << 20)
    ]


def events(**columns: pa.Array) -> RowBlock:
    rows = len(next(iter(columns.values())))
    usual = {
        "event_type": pa.array(["a"] * rows),
        "customer_id": pa.array(["c"] * rows),
        "timestamp": pa.array(["2026-01-15T10:30:00Z"] * rows),
    }
    return rows_of(pa.table(usual | columns))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_instants_outside_the_years_1_to_9999_are_refused_and_others_cut(unit: str) -> None:
    ends = [-62135596800, 253402300800]
    seconds = [end + step for end in ends for step in (-1, 0, 1)]
    scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    exact = [at * scale + step for at in [0, *seconds] for step in (-1, 0, 1, 999)]
    fitting = [at for at in exact if abs(at) < 2**63]
    instants = pa.array([None, *fitting, -(2**63), 2**63 - 1], pa.timestamp(unit))
    compare("native", events(timestamp=instants))
    compare("recorded", events(timestamp=instants, received_at=instants))


def test_a_zero_is_text_as_it_was_written() -> None:
    cells = pa.array(['{"ip":0}', '{"ip":-0}', '{"ip":7}', '{"ip": -0 }', "", None])
    compare("native", events(properties=cells))
    ints = pa.StructArray.from_arrays([pa.array([0, 1])], ["ip"])
    compare("native", events(properties=ints, metadata=pa.array(['{"x":-0}', '{"x":1}'])))


@pytest.mark.parametrize(
    "numbers",
    [
        pa.array([0, 2**64 - 1, None], pa.uint64()),
        pa.array([1e19, -1e19, 9.9e18, 1e20, 1e-7, -0.0, 1 / 3, None]),
        pa.array([16777216.0, 0.1, None], pa.float32()),
        pa.array([Decimal("1.50"), Decimal("-999.99"), None], pa.decimal32(5, 2)),
        pa.array([Decimal("1.500"), Decimal("0.000"), None], pa.decimal64(12, 3)),
        pa.array([Decimal("1.500000"), Decimal("-9999999999.999999"), None], pa.decimal128(16, 6)),
        pa.array([Decimal(10) ** 19, Decimal(10) ** 20, Decimal(1)], pa.decimal128(38, 0)),
        pa.array([Decimal("1e-18"), Decimal("1e-19"), Decimal("2.5")], pa.decimal256(76, 30)),
        pa.array([Decimal("99999999999999999999.5"), Decimal("0E-18")], pa.decimal128(38, 18)),
        pa.array([True, False, None]),
        pa.array(["1.5", "x", ""]).dictionary_encode(),
    ],
    ids=lambda numbers: str(numbers.type),
)
def test_numbers_of_any_type_are_the_digits_of_their_text(numbers: pa.Array) -> None:
    fields = [numbers, numbers]
    compare("native", events(properties=pa.StructArray.from_arrays(fields, ["n", "model"])))


def test_ordinary_rows_are_never_spelled_out_to_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spelled(*_: object) -> None:
        raise AssertionError("spelled out")

    monkeypatch.setattr(RowLines, "spelled", spelled)

    class NoText(ExactReader):
        def read(self, line: bytes) -> dict[str, Any] | Verdict:
            raise AssertionError(line)

    rows = 500
    times = pa.array(range(rows), pa.timestamp("us", "UTC"))
    fixed = {name: pa.array(["a"] * rows) for name in ("id", "event_type", "customer_id")}
    structs = pa.array([{"n": i, "model": "é", "ip": None} for i in range(rows)])
    amounts = pa.array([{"size": i / 8, "zone": "eu"} for i in range(rows)])
    table = pa.table({**fixed, "timestamp": times, "properties": structs, "metadata": amounts})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=100)
    lines = ['a,c,2026-01-15T10:30:00Z,"{""n"":1.5,""model"":""é""}",\n'] * rows
    header = "event_type,customer_id,timestamp,properties,metadata\n"
    (tmp_path / "a.csv").write_text(header + "".join(lines), "utf-8")
    for name in ("a.parquet", "a.csv"):
        reader = RecordReader(NoText(BUILT_IN["native"], SLOTS))
        blocks = read(tmp_path / name)
        assert all(block.rows and block.rows.columns() is not None for block in blocks)
        read_rows = [reader.read_block(Places(block, 0)) for block in blocks]
        assert sum(fields.num_rows for fields, _ in read_rows) == rows
        assert [verdicts for _, verdicts in read_rows] == [{}] * len(read_rows)


@pytest.mark.parametrize("meanwhile", [None, Kind("object", {"ip": Kind("int")})])
def test_cells_are_read_by_one_shape_whatever_another_thread_learns(
    monkeypatch: pytest.MonkeyPatch, meanwhile: Kind | None
) -> None:
    read = ShapedReader.read
    cells = CellReader(frozenset())

    def learned(reader: ShapedReader, *lines: Any) -> Any:
        result = read(reader, *lines)
        cells.shape = meanwhile
        return result

    monkeypatch.setattr(ShapedReader, "read", learned)
    found = cells.read(pa.chunked_array([['{"ip":1.50}', '{"ip":2}']]), np.ones(2, bool))
    assert found.shape == Kind("object", {"ip": Kind("number")})


def test_a_record_that_may_be_too_large_is_read_by_its_text() -> None:
    long = ["x" * 200_000, "y" * (1 << 20), "z"]
    block = rows_of(pa.table({"customer_id": long, "id": ["1", "2", "3"]}))
    assert block.rows.columns() is None
    assert [offset for offset, _ in block.oversized] == [8]
    assert [json.loads(line)["id"] for line in block.data.splitlines()] == ["1", "3"]
    assert len(Places(block, 0).lines) == 2
