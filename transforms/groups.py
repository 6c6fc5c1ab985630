"""Rows to group codes and back: many key columns as one int64, exactly.

A code is the mixed-radix number of a row's indexes into the distinct values of its key columns, so
two rows share a code exactly when they share every key, null included. No hashes, no collisions.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.arrays import one_array

_ROOM = 1 << 62


@dataclass(frozen=True)
class _Digit:
    """One key column: its distinct values; the code of null is one past them."""

    values: pa.Array
    dictionary: bool

    @property
    def radix(self) -> int:
        return len(self.values) + 1

    def column(self, indexes: np.ndarray) -> pa.Array:
        places = indexes.astype(np.int32)
        null = places == len(self.values)
        filled = pa.array(places, mask=null if null.any() else None)
        if not self.dictionary:
            return self.values.take(filled)
        return pa.DictionaryArray.from_arrays(filled, self.values, safe=False)


class Groups:
    """The groups of a table's rows by some of its columns: `codes`, an int64 for each row."""

    def __init__(self, table: pa.Table, keys: list[str]) -> None:
        self.keys = keys
        self._digits: list[_Digit] = []
        self._dense: dict[int, np.ndarray] = {}  # before digit i: dense code -> sparse code
        codes, room = np.zeros(table.num_rows, np.int64), 1
        for i, key in enumerate(keys):
            digit, indexes = _encode(table.column(key))
            if room * digit.radix >= _ROOM:
                self._dense[i], codes = np.unique(codes, return_inverse=True)
                room = len(self._dense[i])
            codes = codes * digit.radix + indexes
            room *= digit.radix
            self._digits.append(digit)
        self.codes = codes

    def columns(self, codes: np.ndarray) -> dict[str, pa.Array]:
        """The key columns of some codes."""
        columns = {}
        for i in reversed(range(len(self.keys))):
            digit = self._digits[i]
            codes, indexes = np.divmod(codes, digit.radix)
            columns[self.keys[i]] = digit.column(indexes)
            if i in self._dense:
                codes = self._dense[i][codes]
        return {key: columns[key] for key in self.keys}


def _encode(column: pa.ChunkedArray) -> tuple[_Digit, np.ndarray]:
    dictionary = pa.types.is_dictionary(column.type)
    if column.type == pa.int64() and len(column) and not column.null_count:
        numbers = column.to_numpy()
        if (numbers == numbers[0]).all():  # as moments are within a window
            return _Digit(pa.array(numbers[:1]), dictionary), np.zeros(len(numbers), np.int64)
    encoded = one_dictionary(column) if dictionary else pc.dictionary_encode(column)
    array = one_array(encoded) if isinstance(encoded, pa.ChunkedArray) else encoded
    return _Digit(array.dictionary, dictionary), places_of(array).astype(np.int64)


def one_dictionary(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """A dictionary column in one piece, with each text in its dictionary once."""
    if column.num_chunks == 0:
        return pa.array([], column.type)
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.unify_dictionaries().combine_chunks()


def places_of(column: pa.DictionaryArray) -> np.ndarray:
    """The place of each row's text in the dictionary; one past its end for null."""
    indexes = column.indices
    if indexes.null_count:
        indexes = pc.fill_null(indexes, len(column.dictionary))
    places: np.ndarray = indexes.to_numpy(zero_copy_only=False)
    return places
