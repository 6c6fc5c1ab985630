"""A skeleton: all of a line of JSON but its strings and numbers, learned from one read exactly.

What one program writes differs from line to line in its values alone. So a line that has the same
bytes around its values as a line that is known to be a record, is a record of the same fields,
each once, of the same kinds: nothing of it has to be parsed. `true`, `false` and `null` are of the
skeleton, and so are numbers of which several stand between two quotes, as in an array.

Places in a line are told from its marks: mark 0 stands before its first byte, then come its quotes,
the last one stands behind its last byte.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from transforms.exact import parse_object
from transforms.reasons import Rejected
from transforms.shape import Keys

MOST_QUOTES = 400
LONGEST = 16 << 10
_QUOTE = ord('"')
_TOKEN = re.compile(rb'"[^"]*"|[^\s"{}\[\]:,]+|[{}\[\]:,]')
_SCALARS = ("string", "number", "bool")
_LITERALS = {b"true": "bool", b"false": "bool", b"null": "null"}


class Place(NamedTuple):
    """So many bytes behind a mark, or before it."""

    mark: int
    offset: int


class Span(NamedTuple):
    """From one place to another."""

    begin: Place
    end: Place


class Fixed(NamedTuple):
    """Bytes that are the same in all lines of a skeleton, and where."""

    span: Span
    text: bytes


class Value(NamedTuple):
    """A value of one line: its path (none within an array), its kind, and its bytes there."""

    keys: Keys | None
    kind: str
    begin: int
    end: int


@dataclass(frozen=True)
class Skeleton:
    """What lines have in common: so many `quotes`, `fixed` texts, and between them what varies.

    A string is whatever stands between two quotes in a row; `numbers` must be found to be numbers.
    `values` are those that are wanted, `true` and `false` among them, without those that are null.
    """

    quotes: int
    fixed: tuple[Fixed, ...]
    numbers: tuple[tuple[Keys | None, Span], ...]
    values: tuple[tuple[Keys, Span], ...]


def skeleton_of(line: bytes, wanted: Mapping[Keys, frozenset[str]]) -> Skeleton | None:
    """The skeleton of a line that has no backslash and no control character.

    `wanted`: path to the kinds of values it may have (null is always one of them). None where the
    line is no record, has another kind there, more than 16 KiB or more than 400 quotes.
    """
    if len(line) > LONGEST or line.count(b'"') > MOST_QUOTES:
        return None
    try:
        parse_object(line)
    except Rejected:
        return None
    values = list(values_of(line))
    kinds = {value.keys: value.kind for value in values}
    for keys, allowed in wanted.items():
        if kinds.get(keys, "null") not in (*allowed, "null"):
            return None
    marks = [-1, *(i for i, char in enumerate(line) if char == _QUOTE), len(line)]
    spans = {value: _span(marks, value) for value in values}
    vary = _varying(values, spans)
    return Skeleton(
        quotes=len(marks) - 2,
        fixed=tuple(_between(line, marks, vary, spans)),
        numbers=tuple((v.keys, spans[v]) for v in vary if v.kind == "number"),
        values=tuple(
            (value.keys, spans[value])
            for value in values
            if value.keys is not None and value.keys in wanted and value.kind in _SCALARS
        ),
    )


def values_of(line: bytes) -> Iterator[Value]:
    """All values of a record, objects and arrays among them (of those only the first byte)."""
    stack: list[str | None] = []  # the field that each object is at; None in an array
    inside_array = 0
    a_name = False
    for token in _TOKEN.finditer(line):
        text, (begin, end) = token[0], token.span()
        if text in (b"}", b"]"):
            inside_array -= stack.pop() is None
            a_name = False
        elif text == b",":
            a_name = stack[-1] is not None
        elif text != b":":
            if a_name:
                stack[-1], a_name = text[1:-1].decode(), False
                continue
            keys = None if inside_array else tuple(name or "" for name in stack)
            if text in (b"{", b"["):
                yield Value(keys, "object" if text == b"{" else "array", begin, begin + 1)
                stack.append("" if text == b"{" else None)
                inside_array += text == b"["
                a_name = text == b"{"
            elif text.startswith(b'"'):
                yield Value(keys, "string", begin + 1, end - 1)
            else:
                yield Value(keys, _LITERALS.get(text, "number"), begin, end)


def _span(marks: list[int], value: Value) -> Span:
    """Where a value stands, told from the last mark before it and the next one behind it."""
    before = bisect_left(marks, value.begin) - 1
    behind = bisect_left(marks, value.end)
    return Span(
        Place(before, value.begin - marks[before]), Place(behind, value.end - marks[behind])
    )


def _varying(values: list[Value], spans: Mapping[Value, Span]) -> list[Value]:
    """Strings, and each number that has no other one between the same marks."""
    numbers = Counter(spans[value].begin.mark for value in values if value.kind == "number")
    return [
        value
        for value in values
        if value.kind == "string"
        or (value.kind == "number" and numbers[spans[value].begin.mark] == 1)
    ]


def _between(
    line: bytes, marks: list[int], vary: list[Value], spans: Mapping[Value, Span]
) -> Iterator[Fixed]:
    begin, at = Place(0, 1), 0
    for value in vary:
        yield Fixed(Span(begin, spans[value].begin), line[at : value.begin])
        begin, at = spans[value].end, value.end
    yield Fixed(Span(begin, Place(len(marks) - 1, 0)), line[at:])
