"""Lines like others are read without parsing them, and as the exact reader reads them."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from fast_and_slow import SLOTS, compare, meter, reader
from hypothesis import example, given, settings
from hypothesis import strategies as st
from record_texts import NATIVE, NUMBERS, TEXTS, TIMES

from transforms.catalog import Catalog
from transforms.json_text import Number, parse
from transforms.lines import Lines
from transforms.reasons import Rejected
from transforms.shape import Keys
from transforms.skeleton import skeleton_of, values_of
from transforms.skeleton_match import Marks, Matcher
from transforms.skeleton_reader import SkeletonReader
from transforms.slots import Slots
from transforms.sources import BUILT_IN

SOURCE = BUILT_IN["native"]
RECORD = (
    b'{"id":"%s","event_type":"a","customer_id":"c","timestamp":"2026-01-15T10:30:00Z",'
    b'"properties":{"n":%s,"model":"m","list":[%s],"deep":{"er":true}},"metadata":{"zone":"eu"},'
    b'"a name that is much longer than names of fields usually are, and no meter reads it":null}'
)
PATHS = (("id",), ("properties", "n"), ("properties", "deep", "er"))
PLAIN = RECORD % (b"1", b"12", b"7")


def alike(record: bytes, plain: bytes = PLAIN, amounts: frozenset[Keys] = frozenset()) -> bool:
    """Whether a line between two plain ones is of their skeleton."""
    wanted = dict.fromkeys(PATHS, frozenset(["string", "number", "bool"]))
    skeleton = skeleton_of(plain, wanted)
    assert skeleton
    matcher = Matcher(skeleton, {keys: row for row, keys in enumerate(PATHS)}, amounts)
    marks = Marks(Lines.of(b"\n".join([plain, record, plain])), 0, 3)
    maybe = np.flatnonzero(marks.plain() & (marks.quotes() == skeleton.quotes))
    found = maybe[matcher.match(marks, marks.starts[maybe]).which]
    assert set(found) >= {0, 2}
    return 1 in found


@st.composite
def variants(draw: st.DrawFn) -> bytes:
    """A block of lines that differ from one record in a value here, or a byte there."""
    record = draw(NATIVE).encode()
    lines = []
    for _ in range(draw(st.integers(1, 12))):
        line = bytearray(record)
        for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
            at = draw(st.integers(0, len(line)))
            end = draw(st.sampled_from([at, at + 1, at + 1, at + 5]))
            line[at:end] = draw(st.sampled_from(BYTES))
        lines.append(bytes(line))
    ends = draw(st.sampled_from([b"\n", b"\r\n", b"\n\n"]))
    return ends.join(lines)


BYTES = [b"", b"0", b"1", b"-", b".", b"e5", b"x", b'"', b"\\", b"{", b"}", b"[", b",", b":", b" "]
BYTES += [b"\t", b"\r", b"null", b"true", b"\xc3\xa9", b"\xff", b"\x01", b"}{", b'","', b'":"']


@given(st.lists(variants(), min_size=1, max_size=3))
@settings(max_examples=400, deadline=None)
def test_lines_nearly_alike_read_the_same_fast_and_slow(blocks: list[bytes]) -> None:
    fast = reader(SOURCE, 1)
    for data in blocks:
        compare(data, fast)


@given(st.lists(st.sampled_from(["7", "1.50", "01", "1.", "-", "NaN", '"x"', "true"]), min_size=1))
@settings(max_examples=100, deadline=None)
@example(["7", "01"])
def test_a_number_that_is_a_text_too_is_looked_at_as_a_number(numbers: list[str]) -> None:
    meters = (meter("total", "sum", "n"), meter("different", "unique_count", "n"))
    catalog = Catalog("c.yaml", meters, BUILT_IN, 0, 0, "")
    line = '{"event_type":"a","customer_id":"c","timestamp":"2026-01-15T10:30:00Z","properties":%s}'
    lines = [line.replace("%s", f'{{"n":{number}}}') for number in numbers]
    compare("\n".join(lines).encode(), reader(SOURCE, 1, Slots.of(catalog)))


@given(st.lists(st.tuples(TEXTS, NUMBERS, TIMES), min_size=1, max_size=20))
@settings(max_examples=200, deadline=None)
@example([("1", "7", "2026-01-15T10:30:00Z"), ("", "-0", ""), ("é", "1.50", "x")])
def test_values_of_lines_alike_are_those_that_stand_there(values: list[tuple[str, ...]]) -> None:
    lines = [
        f'{{"id":{json.dumps(text, ensure_ascii=False)},"event_type":"a","customer_id":"c",'
        f'"timestamp":{json.dumps(time)},"properties":{{"n":{number},"ip":{number}}}}}'
        for text, number, time in values
    ]
    compare("\n".join(lines).encode(), reader(SOURCE, 1))


def test_lines_alike_are_not_parsed() -> None:
    fast = reader(SOURCE, 1)
    lines = Lines.of(b"\n".join(RECORD % (b"%d" % i, b"%d.5" % i, b"1") for i in range(1000)))
    fields, verdicts = fast.read(lines)
    assert (fields.num_rows, verdicts) == (1000, {})
    assert fast.shape is None  # nothing was parsed


@pytest.mark.parametrize(
    "record",
    [
        RECORD % (b"", b"-1.5e300", b"0.25"),
        RECORD % ("é😀".encode(), b"0", b"-0"),
        RECORD % (b"}{,:[]", b"99999999999999999999999999", b"1E+7"),
    ],
)
def test_a_line_that_differs_in_its_values_is_alike(record: bytes) -> None:
    assert alike(record)


@pytest.mark.parametrize(
    "record",
    [
        RECORD % (b"1", b"12", b"1,2"),
        RECORD % (b"1", b"12", b""),
        RECORD % (b"1", b"12", b"01"),
        RECORD % (b"1", b"12", b"+1"),
        RECORD % (b"1", b"12", b"1."),
        RECORD % (b"1", b"12", b"NaN"),
        RECORD % (b"1", b"12", b"0x1f"),
        RECORD % (b"1", b"12", b"1 2"),
        RECORD % (b"1", b"", b"1"),
        RECORD % (rb"\u0031", b"12", b"1"),
        RECORD % (b"\x01", b"12", b"1"),
        RECORD % (b"\t", b"12", b"1"),
        RECORD % (b'1","id":"2', b"12", b"1"),
        PLAIN.replace(b"true", b"null"),
        PLAIN.replace(b"true", b"trux"),
        PLAIN.replace(b'"m"', b"m"),
        PLAIN + b" ",
        PLAIN.replace(b":", b": ", 1),
        PLAIN.replace(b"{", b"{ ", 1),
        PLAIN.replace(b"metadata", b"Metadata"),
        PLAIN.replace(b"}}", b"}]"),
        PLAIN[:-1],
    ],
)
def test_a_line_that_differs_in_anything_else_is_not(record: bytes) -> None:
    assert not alike(record)


def test_a_line_is_not_alike_that_differs_in_any_byte_outside_values() -> None:
    values = [v for v in values_of(PLAIN) if v.kind in ("string", "number")]
    inside = {at for value in values for at in range(value.begin, value.end)}
    spoilt = [PLAIN[:at] + b"~" + PLAIN[at + 1 :] for at in range(len(PLAIN)) if at not in inside]
    assert len(spoilt) > 200
    assert not [record for record in spoilt if alike(record)]


def test_several_numbers_in_an_array_are_the_same_in_lines_alike() -> None:
    plain = RECORD % (b"1", b"12", b"1,2")
    assert alike(RECORD % (b"2", b"13", b"1,2"), plain)
    assert not alike(RECORD % (b"2", b"13", b"1,3"), plain)


def test_what_stands_around_a_number_is_not_looked_for_before_its_line() -> None:
    plain = b'{"a":1' + b" " * 5000 + b"}"
    assert alike(plain.replace(b"1", b"23"), plain)
    short = b"\n".join([b'{"a":1}'] * 300)
    fast = reader(SOURCE, 1)
    for data in (plain + b"\n" + plain, short):
        compare(data, fast)


def test_a_line_has_no_number_where_what_stands_around_one_shares_a_space() -> None:
    plain, amounts = PLAIN.replace(b"12", b" 12 "), frozenset([("properties", "n")])
    assert alike(plain.replace(b"12", b"7"), plain, amounts)
    assert not alike(plain.replace(b" 12 ", b" "), plain, amounts)


def test_a_skeleton_is_of_a_short_line() -> None:
    assert skeleton_of(b'{"a":"%s"}' % (b"x" * 16_000), {})
    assert skeleton_of(b'{"a":"%s"}' % (b"x" * 17_000), {}) is None
    assert skeleton_of(b"{" + b",".join(b'"%d":""' % i for i in range(101)) + b"}", {}) is None


def test_new_kinds_of_lines_take_the_place_of_those_that_came_before() -> None:
    learned = SkeletonReader.of(SOURCE, SLOTS)
    kinds = [b'{"event_type":"a","kind %d":1}' % kind for kind in range(100)]
    for first in range(0, 100, 4):
        lines = Lines.of(b"\n".join(kinds[first : first + 4] * 10))
        _, at = learned.read(lines, np.arange(len(lines)))
        assert len(at) == len(lines)
    assert len(learned.known) == 64


def test_a_line_that_no_other_is_like_is_not_kept() -> None:
    learned = SkeletonReader.of(SOURCE, SLOTS)
    lines = Lines.of(b"\n".join(b'{"event_type":"a","kind %d":1}' % kind for kind in range(5)))
    learned.read(lines, np.arange(len(lines)))
    assert not learned.known


def test_threads_that_learn_at_once_hold_each_skeleton_once() -> None:
    learned = SkeletonReader.of(SOURCE, SLOTS)
    kinds = [b'{"event_type":"a","kind %d":1}' % kind for kind in range(5)]
    lines = Lines.of(b"\n".join(kinds * 100))
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda _: learned.read(lines, np.arange(500))[1], range(50)))
    assert all(len(at) == len(lines) for at in read)
    assert len(learned.known) == len(kinds)


@given(NATIVE)
@settings(max_examples=300, deadline=None)
def test_values_are_found_where_the_parser_finds_them(text: str) -> None:
    try:
        record = parse(text)
    except Rejected:
        return
    if "\\" in text:
        return
    line = text.encode()
    found = {v.keys: (v.kind, line[v.begin : v.end].decode()) for v in values_of(line) if v.keys}
    assert found == dict(_leaves(record, ()))


def _leaves(record: dict[str, Any], at: Keys) -> Iterator[tuple[Keys, tuple[str, str]]]:
    """Path to the kind and the text of each value outside arrays; of the long ones, one byte."""
    for name, value in record.items():
        keys = (*at, name)
        if isinstance(value, dict):
            yield keys, ("object", "{")
            yield from _leaves(value, keys)
        elif isinstance(value, list):
            yield keys, ("array", "[")
        elif isinstance(value, str):
            yield keys, ("number" if isinstance(value, Number) else "string", str(value))
        else:
            yield keys, ("null" if value is None else "bool", json.dumps(value))
