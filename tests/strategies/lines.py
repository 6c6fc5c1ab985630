"""Lines of a file: events in some spelling, repeated, changed, spoilt, and lines that are none."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from strategies.catalogs import CatalogPlan
from strategies.event_trees import event_trees, spoilt_trees
from strategies.json_nodes import Tree, written

MAX_BYTES = 1024 * 1024

_NO_EVENTS = (
    *(b"null", b"[]", b"1", b'"x"', b"true", b"{}", b"{} {}", b"{", b"}", b"[1,]", b"NaN", b"\x00"),
    *(
        b"nonsense",
        b"\xef\xbb\xbf",
        b"\xff",
        b"\xc0\x80",
        b"{\n}",
        b'{"a":\n1}',
        b"'",
        b"\r",
        b"01",
    ),
    *(
        b'{"a":1,"a":2}',
        b'[{"a":1,"a":2}]',
        b'{"a":[{"b":0,"\\u0062":0}]}',
        b'{"a" "b"}',
        b"\xc2\xa0",
    ),
)


def _nested(levels: int) -> bytes:
    """Give a value that has this many levels inside a record."""
    return b"[" * (levels - 1) + b"]" * (levels - 1)


_VALUES_FOR_ANY_FIELD = (
    *(b'"\\ud800"', b'"\\udc00\\ud83d"', b'"\\ud83d\\ude00"', b'{"\\udfff":1}', b'"\\u0000"'),
    *(
        b'"\x00"',
        b'"\x1f"',
        b'"\t"',
        b'"\x7f"',
        b'"\\x41"',
        b'"\\u12"',
        b'"\xed\xa0\x80"',
        b'"\xff"',
    ),
    *(b"NaN", b"-Infinity", b"Infinity", b"01", b"+1", b".5", b"1.", b"1e", b"-", b"1e400", b"tru"),
    *(_nested(511), _nested(512), _nested(513), b'{"k":' * 511 + b"1" + b"}" * 511, b"", b"1 2"),
    *(b'{"k":' * 512 + b"1" + b"}" * 512, b'{"k":1,"k":1}', b'[[{"\\u006b":1,"k":1}]]', b"[1,]"),
    *(
        b'{"k":{"k":1}}',
        b'[{"k":1},{"k":1}]',
        b'"\xf0\x9f\x98\x80"',
        b'"' + b"x" * 257 + b'"',
        b"{,}",
    ),
)


def _appended(line: bytes, field: bytes) -> bytes:
    """Add a field to the end of an object that has some."""
    end = line.rindex(b"}")
    return line[:end] + b"," + field + line[end:]


def _with_field(draw: DrawFn, line: bytes) -> bytes:
    """Add a field of any kind as the last one, or in front of the first object within."""
    field = b'"any":' + draw(st.sampled_from(_VALUES_FOR_ANY_FIELD))
    place = line.find(b"{", 1)
    if place < 0 or draw(st.booleans()):
        return _appended(line, field)
    return line[: place + 1] + field + b"," + line[place + 1 :]


def _with_field_twice(draw: DrawFn, line: bytes) -> bytes:
    """Write one of the fields of an event again, maybe by another spelling of its name."""
    name = draw(st.sampled_from(["timestamp", "event_type", "type", "ts", "received_at", "data"]))
    first, rest = name[0], name[1:]
    spelled = draw(st.sampled_from([name, f"\\u{ord(first):04x}{rest}"]))
    return _appended(line, f'"{spelled}":{draw(st.sampled_from(["1", "null"]))}'.encode())


def _with_ends(draw: DrawFn, line: bytes) -> bytes:
    """Put bytes before or after the record: those of white space are harmless."""
    before = draw(
        st.sampled_from([b"", b" ", b"\t\r ", b"\xef\xbb\xbf", b"\x00", b",", b"\xc2\xa0"])
    )
    after = draw(
        st.sampled_from([b"", b" ", b"\r", b" \t", b"{}", b"x", b"\x00", b"\xff", b"\x0b"])
    )
    return before + line + after


def _damaged(draw: DrawFn, line: bytes) -> bytes:
    """Cut the record, or put a byte that should not be there in its midst."""
    at = draw(st.integers(0, len(line)))
    byte = draw(st.sampled_from([b"\xff", b"\x00", b"\x80", b"\n", b"\r\n", b'"', b"\\", None]))
    return line[:at] if byte is None else line[:at] + byte + line[at:]


def _padded(draw: DrawFn, line: bytes) -> bytes:
    """Make the record as long as it may be, or one byte longer."""
    length = MAX_BYTES + draw(st.integers(0, 1))
    empty = _appended(line, b'"pad":""')
    return _appended(line, b'"pad":"' + b"x" * (length - len(empty)) + b'"')


_Damage: TypeAlias = Callable[[DrawFn, bytes], bytes]
_DAMAGES: tuple[_Damage, ...] = (
    *(_with_field, _with_field, _with_field_twice, _with_ends, _damaged, _padded),
)
_ACTIONS = (
    ("new",) * 6 + ("again",) * 2 + ("copy", "changed", "spoilt", "spoilt", "damaged", "none")
)


@dataclass
class _Writer:
    """Draws line after line, remembering the events of before."""

    draw: DrawFn
    plan: CatalogPlan
    trees: list[Tree] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)

    def add(self) -> None:
        action = self.draw(st.sampled_from(_ACTIONS))
        if action == "none":
            self.lines.append(self.draw(st.sampled_from(_NO_EVENTS)))
        elif action == "copy" and self.lines:
            self.lines.append(self.draw(st.sampled_from(self.lines[-8:])))
        else:
            line = self._spelled(self._tree(action))
            if action == "damaged":
                line = self.draw(st.sampled_from(_DAMAGES))(self.draw, line)
            self.lines.append(line)

    def _spelled(self, tree: Tree) -> bytes:
        return written(self.draw, tree).encode()

    def _tree(self, action: str) -> Tree:
        if action not in {"again", "changed"} or not self.trees:
            tree = self.draw(event_trees(self.plan))
            self.trees.append(tree)
        else:
            tree = self.draw(st.sampled_from(self.trees[-8:]))
        if action == "spoilt":
            return self.draw(spoilt_trees(tree, self.plan.source))
        if action == "changed":
            return {**tree, **self._part_of_another()}
        return tree

    def _part_of_another(self) -> Tree:
        """Give one field of another event: what makes a conflict, or a key of its own."""
        other = self.draw(event_trees(self.plan))
        name = self.draw(st.sampled_from(sorted(other)))
        return {name: other[name]}


@st.composite
def lines(draw: DrawFn, plan: CatalogPlan) -> list[bytes]:
    """Draw lines without their ends; some hold a line end within and so are several."""
    writer = _Writer(draw, plan)
    for _ in range(draw(st.integers(0, 36))):
        writer.add()
    return writer.lines
