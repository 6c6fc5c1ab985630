"""The shape of a source's records, learned from them: every field at every depth, and its kind.

The columnar reader wants to know all fields beforehand, those that no meter reads too, because it
notices a repeated field only in fields it knows. A record of another shape is read exactly, one by
one, and widens the shape for those after it. The shape decides how fast a record is read and never
how: so it may differ from worker to worker.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa

from transforms.json_text import Number
from transforms.tables import AMOUNT

Keys = tuple[str, ...]
DEEPEST = 16
MOST_FIELDS = 500
_PLAIN_KEY = re.compile(r'[^"\\\x00-\x1f]*')
_INTEGER = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True)
class Kind:
    """A leaf (null, bool, int, number, string), an object with its fields, an array of items.

    Typed columns have two more leaves: see transforms/row_columns.py.
    """

    name: str
    fields: Mapping[str, "Kind"] = field(default_factory=dict)
    items: "Kind | None" = None

    def at(self, keys: Keys) -> "Kind | None":
        """The kind of the field at a path, or None where no record had one."""
        if not keys:
            return self
        deeper = self.fields.get(keys[0])
        return deeper.at(keys[1:]) if deeper else None

    def count(self) -> int:
        """How many fields there are at all depths."""
        inside = sum(1 + kind.count() for kind in self.fields.values())
        return inside + (self.items.count() if self.items else 0)


NOTHING = Kind("null")


class UnlearnableError(ValueError):
    """A record too deep, too wide or too strangely named for columns."""


def kind_of(value: Any, depth: int = 0) -> Kind:
    """The kind of a value as the exact reader gives it. Raises UnlearnableError."""
    if depth > DEEPEST:
        raise UnlearnableError
    if isinstance(value, Number):
        return Kind("int" if _INTEGER.fullmatch(value) else "number")
    if isinstance(value, dict):
        if len(value) > MOST_FIELDS or not all(_PLAIN_KEY.fullmatch(name) for name in value):
            raise UnlearnableError
        return Kind("object", {name: kind_of(v, depth + 1) for name, v in value.items()})
    if isinstance(value, list):
        items = NOTHING
        for item in value:
            items = merge(items, kind_of(item, depth + 1))
            if items.count() > MOST_FIELDS:
                raise UnlearnableError
        return Kind("array", items=items)
    leaves = {bool: "bool", str: "string"}
    return Kind(leaves.get(type(value), "null"))


def merge(one: Kind, two: Kind) -> Kind:
    """The kind that has both; where they disagree the first stays: the second is read exactly."""
    if one.name == "null" or two.name == "null":
        return two if one.name == "null" else one
    if {one.name, two.name} == {"int", "number"}:
        return Kind("number")
    if one.name == two.name == "object":
        fields = dict(one.fields)
        for name, kind in two.fields.items():
            fields[name] = merge(fields.get(name, NOTHING), kind)
        return Kind("object", fields)
    if one.name == two.name == "array":
        return Kind("array", items=merge(one.items or NOTHING, two.items or NOTHING))
    return one


def learn(shape: Kind | None, record: dict[str, Any]) -> Kind | None:
    """The shape widened by one more record, unless that is no record for columns."""
    try:
        wider = merge(shape or Kind("object"), kind_of(record))
    except UnlearnableError:
        return shape
    return wider if wider.count() <= MOST_FIELDS else shape


def arrow_type(kind: Kind, numbers: frozenset[Keys], at: Keys = ()) -> pa.DataType:
    """What pyarrow's JSON reader shall make of a field.

    `numbers` are the paths read as quantities: those are decimals, read from the digits. A number
    that nobody reads may be a float: it only has to be a number.
    """
    if kind.name == "object":
        fields = [(name, arrow_type(k, numbers, (*at, name))) for name, k in kind.fields.items()]
        return pa.struct(fields)
    if kind.name == "array":
        items = kind.items or NOTHING
        # pyarrow makes lists of nothing but null that it cannot put together afterwards
        return pa.list_(pa.bool_() if items == NOTHING else arrow_type(items, frozenset()))
    if kind.name == "number":
        return AMOUNT if at in numbers else pa.float64()
    leaves = {"null": pa.null(), "bool": pa.bool_(), "int": pa.int64(), "string": pa.string()}
    return leaves[kind.name]


def decoder(shape: Kind) -> msgspec.json.Decoder[Any]:
    """A strict decoder that takes the lines of this shape alone: it finds the others, fast."""
    return msgspec.json.Decoder(_python_type(shape))


def _python_type(kind: Kind) -> Any:
    if kind.name == "object":
        names = {f"f{i}": name for i, name in enumerate(kind.fields)}
        fields = [
            (f"f{i}", _python_type(k) | None, None) for i, k in enumerate(kind.fields.values())
        ]
        return msgspec.defstruct(
            "Shape", fields, rename=names, forbid_unknown_fields=True, gc=False
        )
    if kind.name == "array":
        return list[_python_type(kind.items or NOTHING) | None]  # type: ignore[misc]
    leaves = {"bool": bool, "int": int, "number": float, "string": str}
    return leaves.get(kind.name, type(None))
