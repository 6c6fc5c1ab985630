"""Keys as state had them before, when a key took 32 bytes."""

import numpy as np

from transforms.sorted_keys import SortedKeys


def of_32_bytes(keys: SortedKeys) -> bytes:
    """The segment that version would have written: what it kept and is not kept now is zeros."""
    low, digest = keys.rest << np.uint64(32), keys.said << np.uint64(27)
    columns = (keys.high, low, digest, keys.since)
    return b"\x01" + b"".join(column.astype("<i8").tobytes() for column in columns)
