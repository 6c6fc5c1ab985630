"""Keys as state had them before, when a key took 32 bytes."""

import numpy as np

from transforms.sorted_keys import SortedKeys


def of_32_bytes(keys: SortedKeys) -> bytes:
    """The segment that version would have written; bits that are not kept now are of any value."""
    more = np.random.default_rng(len(keys)).integers(0, 1 << 32, (2, len(keys)), np.uint64)
    low = keys.rest << np.uint64(32) | more[0]
    digest = keys.said << np.uint64(27) | more[1] >> np.uint64(5)
    columns = (keys.high, low, digest, keys.since)
    return b"\x01" + b"".join(column.astype("<i8").tobytes() for column in columns)
