"""What pyarrow's JSON reader takes that JSON does not, found in a block that it has read."""

import pyarrow as pa
import pyarrow.compute as pc

from transforms.shape import Keys, Kind

_NO_NUMBER = (b'"', b" ", b"\t", b"\r", b"\n")


class NotColumnarError(ValueError):
    """pyarrow would not read these lines, or not as strictly as it must."""


def refuse_lenient(table: pa.Table, shape: Kind, numbers: frozenset[Keys], data: bytes) -> None:
    """Refuses what pyarrow reads but JSON or the contract does not: NaN, and lenient digits.

    A decimal field takes strings too, and more than JSON's syntax in them (`+1`, `.5`). So every
    value of such a field must stand in the text as `"name":` with no quote behind it.
    """
    if _has(shape, "number", numbers) and (b"NaN" in data or b"Inf" in data):
        raise NotColumnarError("may have NaN")
    for name in sorted({keys[-1] for keys in numbers if _kind(shape, keys) == "number"}):
        if _in_arrays(shape, name):
            raise NotColumnarError("a number's name is used in an array too")
        valid = _valid(table, shape, name)
        quoted = b'"' + name.encode() + b'"'
        if not any(_spelled(data, quoted + colon, valid) for colon in (b":", b": ")):
            raise NotColumnarError("a number may be a string")


def _spelled(data: bytes, start: bytes, valid: int) -> bool:
    """Whether all valid values of a field are written so, and none of them in quotes."""
    size, found = len(start), 0
    at = data.find(start)
    while at >= 0:
        following = data[at + size : at + size + 1]
        if following in _NO_NUMBER:
            return False
        found += following != b"n"  # of null
        at = data.find(start, at + size)
    return found == valid


def _valid(table: pa.Table, shape: Kind, name: str, at: Keys = ()) -> int:
    """How many values of fields of this name there are, at every depth."""
    count = 0
    for key in (shape.at(at) or shape).fields:
        keys = (*at, key)
        if key == name:
            column = table.column(keys[0])
            column = pc.struct_field(column, list(keys[1:])) if at else column
            count += len(column) - column.null_count
        count += _valid(table, shape, name, keys)
    return count


def _kind(shape: Kind, keys: Keys) -> str:
    kind = shape.at(keys)
    return kind.name if kind else "null"


def _has(kind: Kind, leaf: str, numbers: frozenset[Keys], at: Keys = ()) -> bool:
    """Whether some leaf that nobody reads is of a kind."""
    if kind.name == "array":
        return _has(kind.items or kind, leaf, frozenset()) if kind.items else False
    inside = any(_has(k, leaf, numbers, (*at, name)) for name, k in kind.fields.items())
    return inside or (kind.name == leaf and at not in numbers)


def _in_arrays(kind: Kind, name: str, *, inside: bool = False) -> bool:
    if kind.items:
        return _in_arrays(kind.items, name, inside=True)
    here = inside and name in kind.fields
    return here or any(_in_arrays(k, name, inside=inside) for k in kind.fields.values())
