"""What pyarrow's JSON reader takes that JSON does not, found in the lines that it has read."""

import re
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.shape import Keys, Kind


class NotColumnarError(ValueError):
    """pyarrow would not read these lines, or not as strictly as it must."""


class Leniency:
    """Refuses what pyarrow reads but JSON or the contract does not: NaN, and lenient digits.

    A decimal field takes strings too, and more than JSON's syntax in them (`+1`, `.5`). So every
    value of such a field must stand in the text as `"name":` with a number's first byte behind it.
    `numbers` are the paths of such fields, in lines of one shape.
    """

    def __init__(self, shape: Kind, numbers: frozenset[Keys]) -> None:
        paths = list(_paths(shape))
        exact = {keys for keys, kind in paths if keys in numbers and kind == "number"}
        names = {keys[-1] for keys in exact}
        self._named = [keys for keys, _ in paths if keys[-1] in names]
        self._text = _with_number(sorted(names))
        self._in_arrays = any(_in_arrays(shape, name) for name in names)
        self._floats = [keys for keys, kind in paths if kind == "number" and keys not in exact]
        self._lists = [keys for keys, kind in paths if kind == "array"]

    def refuse(self, table: pa.Table, data: pa.Buffer) -> None:
        """Raises NotColumnarError for lines that may have been read so."""
        if not all(_finite(_at(table, keys)) for keys in (*self._floats, *self._lists)):
            raise NotColumnarError("may have NaN")
        if self._in_arrays:
            raise NotColumnarError("a number's name is used in an array too")
        values = sum(len(table) - _at(table, keys).null_count for keys in self._named)
        if values and _count(data, self._text) != values:
            raise NotColumnarError("a number may be a string")


def _paths(shape: Kind, at: Keys = ()) -> Iterator[tuple[Keys, str]]:
    """The fields at every depth, but for those inside arrays, and the names of their kinds."""
    for name, kind in shape.fields.items():
        yield (*at, name), kind.name
        yield from _paths(kind, (*at, name))


def _at(table: pa.Table, keys: Keys) -> pa.ChunkedArray:
    column = table.column(keys[0])
    return pc.struct_field(column, list(keys[1:])) if len(keys) > 1 else column


def _finite(column: pa.ChunkedArray) -> bool:
    """Whether no float in it is NaN or infinite, however deep."""
    kind = column.type
    if pa.types.is_floating(kind):
        return bool(pc.all(pc.is_finite(column), min_count=0).as_py())
    if pa.types.is_struct(kind):
        return all(_finite(pc.struct_field(column, i)) for i in range(kind.num_fields))
    return not pa.types.is_list(kind) or _finite(pc.list_flatten(column))


def _with_number(names: Sequence[str]) -> bytes:
    """A pattern of a field of one of these names that has a number behind it."""
    any_name = b"|".join(re.escape(name.encode()) for name in names)
    return b'"(?:' + any_name + b')": ?[-0-9]'


def _count(data: pa.Buffer, pattern: bytes) -> int:
    """How often a pattern is in the text: Arrow searches without the interpreter's lock."""
    bounds = pa.py_buffer(np.array([0, data.size], np.int64))
    text = pa.LargeBinaryArray.from_buffers(pa.large_binary(), 1, [None, bounds, data])
    return int(pc.count_substring_regex(text, pattern)[0].as_py())


def _in_arrays(kind: Kind, name: str, *, inside: bool = False) -> bool:
    if kind.items:
        return _in_arrays(kind.items, name, inside=True)
    here = inside and name in kind.fields
    return here or any(_in_arrays(k, name, inside=inside) for k in kind.fields.values())
