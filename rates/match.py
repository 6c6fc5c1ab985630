"""The rates of one meter, matched to whole columns of usage at once."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from rates.rate import Rate
from rates.shape import CUSTOMER, Codes, Shape, by_shape

LARGEST_KEY = 2**62
SMALL_TABLE = 4096


class MeterRates:
    """What the rates of a meter say, for columns of usage.

    `boundaries` are the moments at which any of them begins or ends, sorted, in microseconds since
    the epoch: between two of them nothing changes.
    """

    def __init__(self, rates: Sequence[tuple[int, Rate]]) -> None:
        moments = {rate.effective_from_us for _, rate in rates}
        moments |= {rate.effective_to_us for _, rate in rates if rate.effective_to_us is not None}
        self.boundaries = np.array(sorted(moments), np.int64)
        shapes = by_shape(rates)
        texts: dict[str, dict[str, int]] = {}
        for columns, histories in shapes.items():
            for cells in histories:
                for column, text in zip(columns, cells, strict=True):
                    known = texts.setdefault(column, {})
                    known.setdefault(text, len(known) + 1)
        self._texts = {column: pa.array(known, pa.string()) for column, known in texts.items()}
        self._shapes = [
            Shape(columns, histories, texts, self.boundaries)
            for columns, histories in shapes.items()
        ]

    def match(
        self, customers: pa.Array, dimensions: Mapping[str, pa.Array], at_us: Codes
    ) -> npt.NDArray[np.int32]:
        """Return each row's place in the book of the rate that applies; -1 where none does.

        Rows that no rate can tell apart are looked up once.
        """
        if not self._shapes:
            return np.full(len(at_us), -1, np.int32)
        columns = {**dimensions, CUSTOMER: customers}
        codes = {
            name: _codes(columns[name], known) if name in columns else np.zeros(len(at_us), int)
            for name, known in self._texts.items()
        }
        period = np.searchsorted(self.boundaries, at_us, "right")
        sizes = [len(known) + 1 for known in self._texts.values()]
        rows, group = _distinct(
            [(period, len(self.boundaries) + 1), *zip(codes.values(), sizes, strict=True)]
        )
        return self._find({name: of[rows] for name, of in codes.items()}, period[rows])[group]

    def _find(self, codes: Mapping[str, Codes], period: Codes) -> npt.NDArray[np.int32]:
        found = np.full(len(period), -1, np.int32)
        for shape in self._shapes:
            still = np.flatnonzero(found < 0)
            if not len(still):
                break
            of_shape = {name: codes[name][still] for name in shape.columns}
            found[still] = shape.find(of_shape, period[still])
        return found


def _codes(column: pa.Array, known: pa.Array) -> Codes:
    """Return each row's place in the known texts plus one; 0 for null and all other texts."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_null(column.type):
        return np.zeros(len(column), np.int64)
    if pa.types.is_dictionary(column.type):
        of_text = np.append(_codes(column.dictionary, known), 0)  # a null is the -1st
        return of_text[_places(column.indices)]
    if known.type != column.type:
        known = known.cast(column.type)
    return _places(pc.index_in(column, value_set=known)) + 1


def _places(places: pa.Array) -> Codes:
    if places.null_count:
        places = places.cast(pa.int64()).fill_null(-1)
    return places.to_numpy().astype(np.int64, copy=False)


def _distinct(columns: Iterable[tuple[Codes, int]]) -> tuple[Codes, Codes]:
    """Return a row of each combination of codes that occurs, and each row's combination.

    Columns come with the number of their codes, of which 0 is the first.
    """
    key, size = np.zeros(1, np.int64), 1
    for codes, count in columns:
        if size > LARGEST_KEY // count:
            known, key = np.unique(key, return_inverse=True)
            size = len(known)
        key = key * count + codes
        size *= count
    if size > max(SMALL_TABLE, 4 * len(key)):
        _, rows, group = np.unique(key, return_index=True, return_inverse=True)
        return rows, group
    # a table of all keys there could be is shorter work than sorting those there are
    row_of = np.full(size, -1, np.int64)
    row_of[key] = np.arange(len(key))
    occurring = np.flatnonzero(row_of >= 0)
    place = np.empty(size, np.int64)
    place[occurring] = np.arange(len(occurring))
    return row_of[occurring], place[key]
