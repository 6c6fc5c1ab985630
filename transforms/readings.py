"""`readings`: the narrow batch of what the meters need, which is all that is ever shuffled.

| column | |
|---|---|
| key_high, key_low | uint64, the event key's two halves |
| path, offset | dictionary of string, int64: where the record stood; -1 for a message id |
| event_time, received_at | timestamp µs UTC |
| event_type, customer_id | dictionary of string |
| n0 … | decimal128(38,18) |
| t0 … | dictionary of string |
| odd | large_string, see transforms/fields.py |

The schema's metadata names the version of the rates that hold for them, where a run has several.

About 100 bytes an event before compression; the payload is not among them.
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from transforms.arrays import one_array
from transforms.groups import places_of
from transforms.slots import Slots

TEXT = pa.dictionary(pa.int32(), pa.string())
RATES = b"rates"


def buckets_of(batch: pa.RecordBatch, bucket: np.ndarray) -> Iterator[tuple[int, pa.RecordBatch]]:
    """A batch cut by a bucket number for each row; the order within a bucket stays."""
    if not batch.num_rows:
        return
    if (bucket == bucket[0]).all():
        yield int(bucket[0]), compact(batch, texts_a_row=2)  # which no other piece repeats
        return
    order = np.argsort(bucket, kind="stable")
    batch = batch.take(pa.array(order))
    cuts = np.flatnonzero(np.diff(bucket[order])) + 1
    for start, end in zip([0, *cuts.tolist()], [*cuts.tolist(), len(order)], strict=True):
        yield int(bucket[order[start]]), compact(batch.slice(start, end - start))


def compact(batch: pa.RecordBatch, texts_a_row: int = 1) -> pa.RecordBatch:
    """Dictionaries that have more texts are cut down to those that the batch uses."""
    columns = []
    for column in batch.columns:
        is_dictionary = pa.types.is_dictionary(column.type)
        if is_dictionary and len(column.dictionary) > texts_a_row * batch.num_rows:
            column = column.dictionary_decode().dictionary_encode()  # noqa: PLW2901 - the same texts
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def together(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """Several batches of one schema as one, each dictionary holding each text once."""
    if len(batches) == 1:
        return batches[0]
    try:
        return pa.concat_batches(batches)
    except pa.ArrowInvalid as error:  # offsets would not reach
        raise ValueError("a bucket has more than 2 GiB of text in one column") from error


def encode_readings(columns: dict[str, pa.Array], fields: pa.Table, slots: Slots) -> pa.RecordBatch:
    """The readings of accepted `fields`: `columns` has the key, the origin and the times."""
    encoded = dict(columns)
    for name in ("event_type", "customer_id"):
        encoded[name] = one_array(fields.column(name)).dictionary_encode()
    for slot in slots.slots:
        column = one_array(fields.column(slot.name))
        encoded[slot.name] = column if slot.kind == "number" else column.dictionary_encode()
    encoded["odd"] = one_array(fields.column("odd")).cast(pa.large_string())
    return pa.RecordBatch.from_pydict(encoded)


def rates_version(readings: pa.RecordBatch) -> str | None:
    """The version of the rates that hold for some readings; None where there is but one."""
    version = (readings.schema.metadata or {}).get(RATES)
    return None if version is None else version.decode()


def odd_kinds(readings: pa.RecordBatch) -> dict[str, dict[int, str]]:
    """Slot to row to kind (`r` out of range, `t` a text, `j` an object or array) of odd values."""
    column = readings.column("odd")
    kinds: dict[str, dict[int, str]] = {}
    if column.null_count == len(column):
        return kinds
    rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    for row, text in zip(rows.tolist(), column.take(pa.array(rows)).to_pylist(), strict=True):
        values: dict[str, Any] = json.loads(text)
        for slot, (kind, _) in values.items():
            kinds.setdefault(slot, {})[row] = kind
    return kinds


def dictionary_mask(column: pa.DictionaryArray, texts: frozenset[str]) -> np.ndarray:
    """Which rows of a dictionary column hold one of some texts."""
    wanted = np.array([text in texts for text in column.dictionary.to_pylist()] + [False], bool)
    return wanted[places_of(column)]
