"""Tables that rows of events may be read from: mostly events, of every type that columns have."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from record_texts import PROPERTIES, RAW, TEXTS, TIMES

INT64 = st.sampled_from([0, 1, -1, 7, 2**63 - 1, -(2**63), 1_768_473_000_000])
INSTANTS = st.one_of(
    INT64,
    st.sampled_from(
        # the ends of the years 1 and 9999, in seconds and in microseconds
        [-62135596800, -62135596801, 253402300799, 253402300800]
        + [-62135596800000000, -62135596800000001, 253402300799999999, 253402300800000000]
    ),
)
DOUBLES = st.one_of(
    st.floats(),
    st.sampled_from([0.0, -0.0, 1.5, 1e-6, 1e-7, 1e19, 1e20, 1e21, 5e-324, 0.1, 16777216.0]),
)
CELLS = st.one_of(
    *[PROPERTIES] * 4,
    RAW,
    st.sampled_from(
        [
            "",
            "{}",
            "{}}",
            "null",
            "1",
            '1},{"a":2',
            '{"a":1}{"b":2}',
            '{"n":"x}',
            '{y"}',
            ' {"n":1}',
        ]
        + [
            '{"n":\n1}',
            '{"n":"\n"}',
            '{"n":1}\n',
            '{"n":1}\n{"n":2}',
            "[1]",
            '{"n":-0}',
            '{"n":1} ',
        ]
        + [
            '{"model":"}{"}',
            "\ufeff{}",
            '{"n":1,"n":2}',
            "{",
            "}",
            '"}{"',
            '{"n":1}\r',
            '{"a":{"a":1,',
        ]
    ),
)
USUAL_CELLS = st.builds(
    '{{"n":{},"model":"{}","ip":{}}}'.format,
    st.sampled_from(["1", "2", "-0", "1.5", "1e3", "0"]),
    st.sampled_from("abé"),
    st.sampled_from(["1", "0", "7"]),
)
INT32 = st.integers(-(2**31), 2**31)
BROKEN = st.sampled_from([b"\xff", b"\xc3", b"a\xed\xa0\x80", b"\xf4\x90\x80\x80"])
MOSTLY_CELLS = st.lists(st.one_of(*[USUAL_CELLS] * 4, CELLS), min_size=1, max_size=8)
KINDS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.null(), st.none()),
    (pa.bool_(), st.booleans()),
    (pa.int64(), INT64),
    (pa.int8(), st.integers(-128, 127)),
    (pa.uint64(), st.sampled_from([0, 7, 2**63, 2**64 - 1])),
    (pa.float64(), DOUBLES),
    (pa.float32(), st.floats(width=32)),
    (pa.float16(), st.floats(width=16)),
    (pa.decimal32(5, 2), st.sampled_from(["0", "1.50", "-999.99"])),
    (pa.decimal64(12, 3), st.sampled_from(["0", "1.500", "-999999999.999"])),
    (pa.decimal128(16, 6), st.decimals(-(10**9), 10**9, places=6)),
    (pa.decimal128(38, 18), st.sampled_from(["0", "1e-18", "-1.5", "99999999999999999999"])),
    (pa.decimal128(38, 0), st.sampled_from(["0", "7", "1e19", "1e20", "-1e37"])),
    (pa.decimal256(76, 30), st.sampled_from(["0", "1e-19", "1e-18", "2.5", "1e30"])),
    (pa.decimal128(5, -2), st.sampled_from(["1200", "-100", "0"])),
    (pa.date32(), st.integers(-800_000, 3_000_000)),
    (pa.time64("us"), st.integers(0, 86_399_999_999)),
    (pa.duration("ms"), INT64),
    (pa.list_(pa.float64()), st.lists(DOUBLES, max_size=2)),
    *[(pa.timestamp(unit), INSTANTS) for unit in ("s", "ms", "us", "ns")],
    (pa.timestamp("us", "Europe/Berlin"), INSTANTS),
]
TEXT = [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]


def of_number(rows: int) -> st.SearchStrategy[Any]:
    numbers = [each for each in KINDS if is_number(each[0])]
    return of_kind(rows, numbers)


def is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


@st.composite
def of_kind(draw: st.DrawFn, rows: int, kinds: Sequence[Any] = KINDS) -> pa.Array:
    kind, values = draw(st.sampled_from(kinds))
    drawn = draw(st.lists(st.none() | values, min_size=rows, max_size=rows))
    if pa.types.is_decimal(kind):
        drawn = [None if each is None else Decimal(each) for each in drawn]
    return pa.array(drawn, kind)


def seldom(one_in: int) -> st.SearchStrategy[bool]:
    return st.sampled_from([False] * (one_in // 2) + [True] + [False] * (one_in // 2))


@st.composite
def of_text(draw: st.DrawFn, rows: int, texts: st.SearchStrategy[str]) -> pa.Array:
    encoded = texts.map(str.encode)
    one = st.one_of(*[encoded] * 9, st.none(), *([BROKEN] if draw(seldom(9)) else []))
    drawn = pa.array(draw(st.lists(one, min_size=rows, max_size=rows)), pa.binary())
    kind = draw(st.sampled_from(TEXT))
    array = drawn.view(pa.string())
    if pa.types.is_dictionary(kind):
        return pa.DictionaryArray.from_arrays(pa.array(range(rows), pa.int32()), array)
    return drawn.cast(pa.large_binary()).view(kind) if kind == pa.large_string() else array


@st.composite
def of_fields(draw: st.DrawFn, rows: int, depth: int = 0) -> pa.Array:
    """A struct with some of the fields that meters read, null here and there."""
    usual = {
        "n": of_number(rows),
        "model": of_text(rows, TEXTS),
        "deep": of_text(rows, TEXTS).map(lambda er: pa.StructArray.from_arrays([er], ["er"])),
        "ip": of_list(rows, INT32, pa.int64()) if draw(st.booleans()) else of_text(rows, TEXTS),
        "unread": of_values(rows, depth + 1),
        "size": of_number(rows),
        "zone": of_text(rows, st.sampled_from(["eu", "us"])),
    }
    strange = draw(st.sampled_from([*usual])) if draw(seldom(3)) else None
    fields = {
        name: draw(of_values(rows, depth + 1) if name == strange else each)
        for name, each in usual.items()
    }
    names = draw(st.lists(st.sampled_from(sorted(fields)), min_size=1, unique=True))
    if draw(seldom(30)):
        names = [*names, names[0]]
    absent = draw(st.lists(seldom(8), min_size=rows, max_size=rows))
    columns = [fields[name] for name in names]
    return pa.StructArray.from_arrays(columns, names, mask=pa.array(absent, pa.bool_()))


@st.composite
def of_values(draw: st.DrawFn, rows: int, depth: int = 0) -> pa.Array:
    usual = of_text(rows, TEXTS) if draw(st.booleans()) else of_kind(rows)
    return draw(of_fields(rows, depth) if depth < 2 and draw(seldom(5)) else usual)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Mostly events; one column or none of another type than an event's."""
    rows = draw(st.integers(1, 6))
    unit = draw(st.sampled_from(["s", "ms", "us", "ns"]))
    instants = of_list(
        rows, st.one_of(*[INT32] * 5, st.none(), INSTANTS), pa.timestamp(unit, "UTC")
    )
    cells = of_text(rows, st.one_of(*[USUAL_CELLS] * 5, CELLS))
    texts = {
        "id": st.sampled_from(["", "1", "é", "x" * 256, "x" * 257]),
        "event_type": st.sampled_from(["a"] * 9 + ["b", "c", ""]),
        "customer_id": st.one_of(*[st.just("c1")] * 5, TEXTS),
    }
    columns = {name: of_text(rows, usual) for name, usual in texts.items()}
    columns["timestamp"] = instants if draw(st.integers(0, 2)) else of_text(rows, TIMES)
    columns["received_at"] = columns["timestamp"]
    columns["ts"] = of_list(rows, INT32, pa.int64()) if draw(st.booleans()) else of_kind(rows)
    columns["at"] = instants
    columns["auth"] = of_text(rows, texts["customer_id"]).map(
        lambda tenants: pa.StructArray.from_arrays([tenants], ["tenant"])
    )
    columns["properties"] = of_fields(rows) if draw(st.booleans()) else cells
    columns["metadata"] = of_fields(rows) if draw(st.booleans()) else cells
    columns['o"ther\n'] = of_values(rows)
    strange = draw(st.sampled_from([*columns])) if draw(seldom(3)) else None
    arrays = {
        name: draw(of_values(rows) if name == strange else usual) for name, usual in columns.items()
    }
    chosen = [name for name in arrays if not draw(seldom(30))] or ["id"]
    if draw(seldom(30)):
        chosen.append(draw(st.sampled_from(chosen)))
    return pa.table([arrays[name] for name in chosen], names=chosen)


def of_list(rows: int, values: st.SearchStrategy[Any], kind: pa.DataType) -> st.SearchStrategy[Any]:
    return st.lists(values, min_size=rows, max_size=rows).map(lambda drawn: pa.array(drawn, kind))
