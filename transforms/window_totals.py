"""The running totals of one window: a delta goes in, the groups it changed come out, added up.

A delta is a partial (transforms/partials.py). Totals are runs sorted by a hash of the group, each
several times as long as the next; a later run has the newer totals. So a small delta costs a few
searches and what it changed, however many groups the window has.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from transforms.arrays import one_array
from transforms.groups import Groups, places_of
from transforms.partials import aggregation_of, key_names, partial_batch, put_together
from transforms.readings import compact

_FEW = 4096  # rows whose dictionaries may have texts that are not used
_RATIO = 4  # how many times as long as the next a run is at least
_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)
_NULL = 0x2545F4914F6CDD1D


def add_up(partials: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Partials in the order they came, as one with a row for each group.

    Where an aggregation has one rate a window, a group keeps the rate it had first.
    """
    return _added(partials).rows


class _Added(NamedTuple):
    rows: pa.RecordBatch
    codes: np.ndarray  # of each row the code of its group
    codes_before: np.ndarray  # of each row that went in
    first: np.ndarray  # for each row, the first that went in of its group


def _added(partials: Sequence[pa.RecordBatch]) -> _Added:
    whole = put_together(list(partials))
    name, aggregation = aggregation_of(whole)
    keys = key_names(whole)
    table = pa.Table.from_batches([whole])
    groups = Groups(table, group_keys(whole))
    rest = table.drop_columns(keys)
    merged = aggregation.merge(rest.append_column("group", pa.array(groups.codes)))
    done = merged.combine_chunks()
    codes = done.column("group").to_numpy()
    found, begins = np.unique(groups.codes, return_index=True)
    first = begins[np.searchsorted(found, codes)]
    columns = groups.columns(codes)
    if "rate" in keys and "rate" not in columns:
        columns["rate"] = whole.column("rate").take(pa.array(first))
    own = {column: done.column(column).combine_chunks() for column in rest.column_names}
    rows = compact(partial_batch({key: columns[key] for key in keys}, own, name))
    return _Added(rows, codes, groups.codes, first)


def group_keys(partial: pa.RecordBatch) -> list[str]:
    """The columns that tell two groups apart: the rate only where it may cut a window."""
    _, aggregation = aggregation_of(partial)
    names = key_names(partial)
    return names if aggregation.by_rate else [name for name in names if name != "rate"]


@dataclass
class WindowTotals:
    """The totals so far. Holds each group once, and of a third of them outdated totals."""

    _runs: list["_Run"] = field(default_factory=list)

    @classmethod
    def of(cls, partials: Sequence[pa.RecordBatch]) -> "WindowTotals":
        """From partials in the order they came."""
        return cls([_Run.of(add_up(partials))] if partials else [])

    def __len__(self) -> int:
        return sum(len(run.hashes) for run in self._runs)

    @property
    def nbytes(self) -> int:
        """What the totals take in memory, or somewhat less."""
        return sum(run.hashes.nbytes + run.rows.get_total_buffer_size() for run in self._runs)

    def add(self, deltas: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
        """Takes deltas in, in the order they came; gives the totals of the groups they have."""
        hashes = np.concatenate([hash_groups(delta) for delta in deltas])
        found = list(self._find(np.unique(hashes)))
        matched = _matched(found, deltas[0], hashes) if len(deltas) == 1 else None
        if matched is not None:
            self._append(_Run.sorted(hashes, matched))
            return matched
        added = _added([*(run.rows for run in found), *deltas])
        hashes = np.concatenate([*(run.hashes for run in found), hashes])
        self._append(_Run.sorted(hashes[added.first], added.rows))
        # of two groups with one hash both were found; only one of them may have changed
        delta_codes = added.codes_before[sum(run.rows.num_rows for run in found) :]
        changed = np.isin(added.codes, delta_codes)
        return added.rows if changed.all() else added.rows.filter(pa.array(changed))

    def whole(self) -> pa.RecordBatch:
        """All of it, a row for each group. There has to be something."""
        while len(self._runs) > 1:
            self._merge_last()
        return self._runs[0].rows

    def _find(self, hashes: np.ndarray) -> "list[_Run]":
        """The newest rows of some hashes, which are sorted."""
        found = []
        for run in reversed(self._runs):
            if not len(hashes):
                break
            rows, there = run.find(hashes)
            if len(rows):
                found.append(run.take(rows))
            hashes = hashes[~there]
        return found

    def _append(self, run: "_Run") -> None:
        self._runs.append(run)
        while len(self._runs) > 1 and len(self._runs[-2].hashes) < _RATIO * len(run.hashes):
            run = self._merge_last()

    def _merge_last(self) -> "_Run":
        newer, older = self._runs.pop(), self._runs.pop()
        self._runs.append(older.replaced(newer))
        return self._runs[-1]


@dataclass(frozen=True)
class _Run:
    """Rows sorted by the hash of their group. A hash has its rows, all of them, in one place."""

    hashes: np.ndarray
    rows: pa.RecordBatch

    @classmethod
    def of(cls, rows: pa.RecordBatch) -> "_Run":
        return cls.sorted(hash_groups(rows), rows)

    @classmethod
    def sorted(cls, hashes: np.ndarray, rows: pa.RecordBatch) -> "_Run":
        order = np.argsort(hashes, kind="stable")
        return cls(hashes[order], rows.take(pa.array(order)))

    def take(self, rows: np.ndarray) -> "_Run":
        taken = self.rows.take(pa.array(rows))
        return _Run(self.hashes[rows], compact(taken) if len(self.hashes) > _FEW else taken)

    def find(self, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The places of all rows with some hashes, and for each hash whether there are any."""
        start = np.searchsorted(self.hashes, hashes, "left")
        count = np.searchsorted(self.hashes, hashes, "right") - start
        first = np.cumsum(count) - count
        rows = np.arange(count.sum()) + np.repeat(start - first, count)
        return rows, count > 0

    def replaced(self, newer: "_Run") -> "_Run":
        """These and newer rows, which take the place of all rows with their hashes."""
        _, outdated = newer.find(self.hashes)
        kept = np.append(~outdated, np.ones(len(newer.hashes), bool)).nonzero()[0]
        hashes = np.concatenate([self.hashes, newer.hashes])[kept]
        order = np.argsort(hashes, kind="stable")
        rows = put_together([self.rows, newer.rows]).take(pa.array(kept[order]))
        return _Run(hashes[order], rows)


def _matched(
    found: "Sequence[_Run]", delta: pa.RecordBatch, hashes: np.ndarray
) -> pa.RecordBatch | None:
    """The totals of a delta's groups, each in its place: what `_added` finds, with less work.

    `found` are the rows of its hashes. None where two groups have one hash, and where groups have
    several rows.
    """
    name, aggregation = aggregation_of(delta)
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    if not aggregation.one_row or (ordered[1:] == ordered[:-1]).any():
        return None
    if not found:
        return delta
    places = order[np.searchsorted(ordered, np.concatenate([run.hashes for run in found]))]
    whole = put_together([*(run.rows for run in found), delta])
    before = len(places)
    for key in group_keys(whole):
        codes = _codes(whole.column(key))
        if (codes[:before] != codes[before:][places]).any():
            return None
    keys = {key: delta.column(key) for key in key_names(delta)}
    if "rate" in keys and not aggregation.by_rate:  # the one that a group had first
        first = np.arange(before, whole.num_rows)
        first[places] = np.arange(before)
        keys["rate"] = whole.column("rate").take(pa.array(first))
    rest = pa.Table.from_batches([whole]).drop_columns(list(keys))
    groups = pa.array(np.append(places, np.arange(delta.num_rows)))
    done = aggregation.merge(rest.append_column("group", groups))
    found_in = done.column("group").to_numpy()
    if (np.diff(found_in) < 0).any():
        done = done.take(pa.array(np.argsort(found_in)))
    own = {column: one_array(done.column(column)) for column in rest.column_names}
    return partial_batch(keys, own, name)


def _codes(column: pa.Array) -> np.ndarray:
    """A number for each row of a key: the same where the key is."""
    return places_of(column) if pa.types.is_dictionary(column.type) else column.to_numpy()


def hash_groups(partial: pa.RecordBatch) -> np.ndarray:
    """A hash of each row's group. It never leaves this process, so any will do."""
    mixed = np.zeros(partial.num_rows, np.uint64)
    for name in group_keys(partial):
        column = partial.column(name)
        if not pa.types.is_dictionary(column.type):
            continue  # a window has one `rate_at`
        hashes = np.array([*map(hash, column.dictionary.to_pylist()), _NULL], np.int64)
        mixed = (mixed ^ hashes.view(np.uint64)[places_of(column)]) * _MIX
        mixed ^= mixed >> _SHIFT
    return mixed
