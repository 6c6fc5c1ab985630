"""Write events whose number of groups is given: short lines, a customer a group, one day."""

import os
from pathlib import Path

import numpy as np
from event_lines import FIRST_US

CHUNK = 100_000
LINE = (
    '{"id":"evt_%07x","event_type":"use","customer_id":"c%07d","timestamp":"%sZ",'
    '"properties":{"n":%d}}\n'
)
_STRIDE = 2_654_435_761  # a prime: customers come in no order, and each as often as any other


def ensure_grouped(folder: Path, count: int, groups: int) -> Path:
    """A file of `count` events of `groups` customers, written first if it is not there."""
    target = folder / f"grouped-{count}-{groups}.ndjson"
    if target.exists():
        return target
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    with aside.open("w") as file:
        for first in range(0, count, CHUNK):
            file.writelines(_lines(first, min(first + CHUNK, count), groups))
    aside.replace(target)
    return target


def _lines(first: int, end: int, groups: int) -> list[str]:
    number = np.arange(first, end)
    customer = number * _STRIDE % groups
    times = (FIRST_US + number * 10_000).astype("datetime64[us]")
    stamps = np.datetime_as_string(times).tolist()
    cells = zip(number.tolist(), customer.tolist(), stamps, (number % 997).tolist(), strict=True)
    return [LINE % cell for cell in cells]
