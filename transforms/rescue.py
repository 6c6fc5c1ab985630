"""No record ends the job: what a kernel fails on is cut until the record that does it stands alone.

A kernel fails on data only by a mistake of ours. Then its element goes through again in halves, and
the one record that still fails is rejected, with the error as its detail. What has nothing to do
with data, such as a full disk, ends the job as ever.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from transforms.block import Block

T = TypeVar("T")
Results = list[tuple[str, Any]]

_LOG = logging.getLogger(__name__)


def careful(
    function: Callable[[T], Iterable[tuple[str, Any]]],
    halves: Callable[[T], Sequence[T]],
    give_up: Callable[[T, Exception], Iterable[tuple[str, Any]]],
    element: T,
) -> Results:
    """All results of a kernel function, in spite of records that it fails on."""
    try:
        return list(function(element))
    except (OSError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever the mistake is
        pieces = halves(element)
        if pieces:
            rest = [careful(function, halves, give_up, piece) for piece in pieces]
            return [result for results in rest for result in results]
        # the error may quote the record, so only its kind is logged
        _LOG.error("a record could not be processed: %s", type(error).__name__)
        return list(give_up(element, error))


def halves_of_block(block: Block) -> list[Any]:
    """A block cut in two, at a line; nothing where it has but one record.

    One of rows goes through again by its text, whole, before it is cut.
    """
    if block.rows is not None:
        return [block.plain()]
    ends = np.flatnonzero(np.frombuffer(block.data, np.uint8) == ord("\n")) + 1
    if not len(ends) or ends[-1] != len(block.data):
        ends = np.append(ends, len(block.data))
    if block.oversized and len(block.data):
        alone: Any = replace(block, data=b"", malformed=frozenset())  # type: ignore[type-var]
        return [alone, replace(block, oversized=())]  # type: ignore[type-var]
    if len(ends) < 2:  # noqa: PLR2004 - one line
        return []
    at = len(ends) // 2
    return [_lines(block, ends, 0, at), _lines(block, ends, at, len(ends))]


def _lines(block: Any, ends: np.ndarray, first: int, last: int) -> Any:
    start = int(ends[first - 1]) if first else 0

    def cut(column: Any) -> Any:
        return None if column is None else column[first:last]

    return replace(
        block,
        data=block.data[start : int(ends[last - 1])],
        start=block.start + start,
        offsets=cut(block.offsets),
        origins=cut(block.origins),
        arrivals=cut(block.arrivals),
        published=cut(block.published),
        malformed=frozenset(i - first for i in block.malformed if first <= i < last),
    )


def halves_of_batch(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    """A batch cut in two; nothing where it has but one row."""
    half = batch.num_rows // 2
    return [batch.slice(0, half), batch.slice(half)] if half else []
