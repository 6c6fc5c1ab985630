"""What changed in one window: a partial of each meter that something changed for.

Meters whose windows begin, end and close together share their place in state, so that a change of
all of them takes no more requests to the engine than a change of one.
"""

import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from transforms import arrow_coder
from transforms.window_totals import add_up

_LENGTHS = struct.Struct("<HI")

Delta = dict[str, pa.RecordBatch]  # meter → partial


def to_bytes(delta: Delta) -> bytes:
    """For each meter its name and an Arrow stream, their lengths before them."""
    pieces = []
    for meter, partial in delta.items():
        name, stream = meter.encode(), arrow_coder.to_bytes(partial)
        pieces += [_LENGTHS.pack(len(name), len(stream)), name, stream]
    return b"".join(pieces)


def from_bytes(encoded: bytes) -> Delta:
    """The delta of such bytes."""
    delta, at = {}, 0
    while at < len(encoded):
        name, stream = _LENGTHS.unpack_from(encoded, at)
        start = at + _LENGTHS.size + name
        meter = encoded[at + _LENGTHS.size : start].decode()
        at = start + stream
        delta[meter] = arrow_coder.from_bytes(encoded[start:at])
    return delta


def by_meter(deltas: Iterable[Delta]) -> dict[str, list[pa.RecordBatch]]:
    """The partials of each meter, in the order of the deltas."""
    partials = defaultdict(list)
    for delta in deltas:
        for meter, partial in delta.items():
            partials[meter].append(partial)
    return dict(partials)


def delta_of(partials: Mapping[str, Sequence[pa.RecordBatch]]) -> Delta:
    """The partials of each meter, in the order they came, added up to one."""
    return {
        meter: few[0] if len(few) == 1 else add_up(few)  # one has a row for each group already
        for meter, few in partials.items()
    }


def joined(deltas: Iterable[Delta]) -> Delta:
    """Deltas in the order they came, added up to one."""
    return delta_of(by_meter(deltas))


def rows_of(delta: Delta) -> int:
    """How many groups it has, of all meters."""
    return sum(partial.num_rows for partial in delta.values())
