"""The columnar path accepts, reads and refuses exactly what the exact path does."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from transforms.catalog import Catalog, Meter, Source, TextField, TimeField
from transforms.columnar import MANY, ColumnarReader
from transforms.exact import ExactReader, Verdict
from transforms.fields import fields_from_rows, fields_schema
from transforms.lines import Lines
from transforms.paths import parse_path
from transforms.slots import Slots
from transforms.sources import BUILT_IN

HOUR = 3_600_000_000


def meter(name: str, aggregation: str, value: str | None, *dimensions: str) -> Meter:
    return Meter(
        name=name,
        description=None,
        event_types=("a", "b"),
        where=((parse_path("$.metadata.zone"), frozenset(["eu"])),),
        aggregation=aggregation,
        value=parse_path(value) if value else None,
        dimensions=tuple((name, parse_path(name)) for name in dimensions),
        window_us=HOUR,
        allowed_lateness_us=HOUR,
        unit=None,
    )


OWN = Source(
    name="own",
    event_type=TextField(None, const="a"),
    customer_id=TextField(("auth", "tenant"), as_text=True),
    timestamp=TimeField(("ts",), "epoch_ms"),
    id=TextField(("id",), as_text=True),
    received_at=TimeField(("at",), "rfc3339", assume_utc=True),
    properties=("properties",),
    objects=(("properties",),),
)
CATALOG = Catalog(
    "c.yaml",
    (
        meter("total", "sum", "n", "model", "deep.er"),
        meter("different", "unique_count", "ip"),
        meter("size", "max", "$.metadata.size"),
    ),
    {**BUILT_IN, "own": OWN},
    0,
    0,
    "",
)
SLOTS = Slots.of(CATALOG)

NUMBERS = st.sampled_from(
    [
        "0",
        "-0",
        "7",
        "12",
        "1.5",
        "1.50",
        "-2.25",
        "1e3",
        "1E+2",
        "1e-3",
        "100000000000000000",
        "0.000000000000000001",
        "1e-19",
        "1e400",
        "1e20",
        "99999999999999999999.999999999999999999",
        "9223372036854775808",
        "1.50000000000000000000",
        "0e-30",
        "123456789012345678901234567890",
        "-1e19",
        "5e-324",
        "0.1",
    ]
)
TEXTS = st.sampled_from(
    [
        "x",
        "",
        "eu",
        "7",
        "1.50",
        "+1",
        ".5",
        "5.",
        "01",
        " 1",
        "1e3",
        "-0",
        "NaN",
        "true",
        "é",
        "😀",
    ]
    + ["}{", "} {", "\u0000", 'a"b', "back\\slash", "x" * 256, "x" * 257, "{}", "Inf", "Info"]
)
RAW = st.sampled_from(
    [
        "NaN",
        "Infinity",
        "-Infinity",
        '"\\ud800"',
        '"\\udc00"',
        '"\\ud83d\\ude00"',
        '"\\u0041"',
        "01",
        "1.",
        ".5",
        "+1",
        '"\x01"',
        "tru",
        '{"a":1,"a":2}',
        '[{"b":1,"b":1}]',
        "[1,]",
        "[" * 513 + "]" * 513,
        "[" * 510 + "]" * 510,
    ]
)
TIMES = st.sampled_from(
    [
        "2026-01-15T10:30:00Z",
        "2026-01-15T10:30:00.5Z",
        "2026-01-15t10:30:00.123456789z",
        "2026-01-15T10:30:00.123456Z",
        "2026-01-15T10:30:00+01:30",
        "2026-01-15T10:30:00.25-23:59",
        "2026-01-15T10:30:60Z",
        "2026-02-29T00:00:00Z",
        "2024-02-29T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59-00:01",
        "2026-01-15T10:30:00",
        "2026-01-15",
        "2026-1-15T10:30:00Z",
        "2026-01-15T24:00:00Z",
        "2026-01-15T10:30Z",
        "2026-01-15T10:30:00.Z",
        "2026-01-15T10:30:00+24:00",
        "2026-13-01T00:00:00Z",
        "1969-12-31T23:59:59.9Z",
        "2026-01-15T10:30:00+0130",
        "2026-01-15T10:30:00,5Z",
        "\uff12026-01-15T10:30:00Z",
    ]
    + ["2026-01-15 10:30:00Z", "2026-01-15 10:30:00.1234567", ""]
)
SCALARS = st.one_of(
    NUMBERS,
    TEXTS.map(json.dumps),
    TEXTS.map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from(["null", "true", "false"]),
)
VALUES = st.one_of(SCALARS, SCALARS, st.sampled_from(['{"k":1}', "[]", "[1,2]", "{}"]), RAW)
EPOCHS = st.sampled_from(
    [
        "1700000000000",
        "1700000000000.5",
        '"1700000000000"',
        "-0.0001",
        "1e12",
        "1e30",
        '"x"',
        "253402300799999.9",
        "0",
    ]
    + ["-62135596800000", "-62135596800000.1", "true", "{}", '" 1"', "null", "1e-400", '"+1"']
)


def one_of(usual: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Mostly the usual value, now and then anything."""
    return st.one_of(usual, usual, usual, usual, VALUES)


@st.composite
def members(draw: st.DrawFn, fields: dict[str, st.SearchStrategy[str]]) -> str:
    """An object with some of the fields, seldom one of them twice, seldom strangely spaced."""
    names = [name for name in fields if draw(st.integers(0, 9)) > 0]
    if names and draw(st.integers(0, 30)) == 0:
        names.append(draw(st.sampled_from(names)))
    colon = draw(st.sampled_from([":", ":", ":", ": ", " : "]))
    spelled = {name: json.dumps(name) for name in names}
    if names and draw(st.integers(0, 20)) == 0:
        name = draw(st.sampled_from(names))
        spelled[name] = f'"\\u{ord(name[0]):04x}{name[1:]}"'
    parts = [spelled[name] + colon + draw(fields[name]) for name in names]
    return "{" + ",".join(parts) + "}"


TEXT = TEXTS.map(json.dumps)
PROPERTIES = members(
    {
        "n": one_of(NUMBERS),
        "model": one_of(TEXT),
        "deep": one_of(members({"er": one_of(TEXT)})),
        "ip": one_of(SCALARS),
        "unread": one_of(NUMBERS),
        "list": one_of(st.sampled_from(["[]", "[1.5]", '[{"n":1}]', '["x"]'])),
    }
)
METADATA = members({"zone": one_of(TEXT), "size": one_of(NUMBERS), "n": VALUES})
NATIVE = members(
    {
        "id": one_of(TEXT),
        "event_type": st.one_of(st.just('"a"'), st.just('"b"'), TEXT, VALUES),
        "customer_id": st.one_of(st.just('"c1"'), one_of(TEXT)),
        "timestamp": one_of(TIMES.map(json.dumps)),
        "received_at": one_of(TIMES.map(json.dumps)),
        "properties": one_of(PROPERTIES),
        "metadata": one_of(METADATA),
    }
)
MAPPED = members(
    {
        "id": one_of(SCALARS),
        "auth": one_of(members({"tenant": one_of(SCALARS)})),
        "ts": one_of(EPOCHS),
        "at": one_of(TIMES.map(json.dumps)),
        "properties": one_of(PROPERTIES),
        "metadata": one_of(METADATA),
    }
)
STRANGE = st.sampled_from(
    [
        b"null",
        b"[]",
        b"1",
        b"{} {}",
        b'{"id":',
        b"{}}",
        b"\xef\xbb\xbf{}",
        b'{"id":"\xff"}',
        b"\x00",
    ]
    + [b"  ", b"\t\r", b'{"a":{}', b'{"n":1} ', b' {"n":1}', b"{}\x00", b'{"id":"\xed\xa0\x80"}']
)


def blocks(record: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    line = st.one_of(*[record.map(str.encode)] * 5, STRANGE)
    ends = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\n\n", b"\n \n"])
    pair = st.tuples(line, ends).map(b"".join)
    return st.tuples(st.lists(pair, max_size=12), st.sampled_from([b"", b"", b'{"id":"x"}'])).map(
        lambda parts: b"".join(parts[0]) + parts[1]
    )


def read_slowly(exact: ExactReader, lines: Lines) -> tuple[pa.Table, dict[int, Verdict]]:
    rows, verdicts = [], {}
    for i in range(len(lines)):
        row = exact.read(lines[i])
        if isinstance(row, Verdict):
            verdicts[i] = row
        else:
            rows.append(row | {"line": i})
    return fields_from_rows(rows, fields_schema(exact.slots)), verdicts


def reader(source: Source, many: int = MANY, slots: Slots = SLOTS) -> ColumnarReader:
    return ColumnarReader(ExactReader(source, slots), many=many)


def compare(data: bytes, fast: ColumnarReader) -> None:
    lines = Lines.of(data)
    fields, verdicts = fast.read(lines)
    slow, slow_verdicts = read_slowly(fast.exact, lines)
    assert verdicts == slow_verdicts
    assert as_rows(fields) == as_rows(slow)


def as_rows(table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


@given(blocks(NATIVE), st.sampled_from(["native", "recorded"]), st.sampled_from([1, MANY]))
@settings(max_examples=400, deadline=None)
@example(b'{"id":"1"}\n{"id":\n{}}\n{} {}\n', "native", MANY)
@example(b'null\n{"event_type":"a"}', "native", MANY)
def test_a_block_reads_the_same_fast_and_slow(data: bytes, source: str, many: int) -> None:
    compare(data, reader(BUILT_IN[source], many))


@given(blocks(MAPPED), st.sampled_from([1, MANY]))
@settings(max_examples=300, deadline=None)
def test_a_mapped_source_reads_the_same_fast_and_slow(data: bytes, many: int) -> None:
    compare(data, reader(OWN, many))


@given(st.lists(blocks(NATIVE), min_size=2, max_size=4), st.sampled_from([1, MANY]))
@settings(max_examples=150, deadline=None)
def test_what_a_reader_has_learned_does_not_change_what_it_reads(
    datas: list[bytes], many: int
) -> None:
    learning = reader(BUILT_IN["native"], many)
    for data in datas:
        compare(data, learning)


def test_objects_without_a_field_are_read_before_any_field_was_seen(
    caplog: pytest.LogCaptureFixture,
) -> None:
    compare(b'{}\n{"id":}\n{}\n', reader(BUILT_IN["cloudevents"]))
    assert not caplog.records


def test_lists_of_nulls_are_put_together(caplog: pytest.LogCaptureFixture) -> None:
    line = (
        b'{"id":"%d","event_type":"a","customer_id":"c","timestamp":"2026-01-15T10:30:00Z",'
        b'"properties":{"n":1,"list":[null,null]}}\n'
    )
    compare(line % 1 + b"{e}\n" + line % 2, reader(BUILT_IN["native"]))
    assert not caplog.records


@pytest.mark.parametrize("many", [1, MANY, 1000])
def test_the_fast_path_is_taken_for_ordinary_lines(many: int) -> None:
    line = (
        b'{"id":"%d","event_type":"a","customer_id":"c","timestamp":"2026-01-15T10:30:00Z",'
        b'"properties":{"n":1.5,"model":"m"}}\n'
    )
    lines = Lines.of(b"".join(line % i for i in range(500)))
    exact = ExactReader(BUILT_IN["native"], SLOTS)
    fast = ColumnarReader(exact, many=many)
    slow: list[int] = []

    class Counting(ExactReader):
        def read(self, line: bytes) -> dict[str, Any] | Verdict:
            slow.append(1)
            return super().read(line)

    fast.exact = Counting(exact.source, exact.slots)
    fields, verdicts = fast.read(lines)
    assert (fields.num_rows, verdicts, slow) == (500, {}, [])
    assert np.array_equal(fields.column("line").to_numpy(), np.arange(500))
