"""What is no event: the rows of `rejects` for records, with as much of each as is kept."""

import base64
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from transforms.block import Places
from transforms.counts import tally
from transforms.event_keys import hash_texts, key_texts
from transforms.exact import Verdict
from transforms.kernel import Tagged
from transforms.reasons import Reason
from transforms.rejects import rejects_batch
from transforms.run import Run

_KEPT = 64 * 1024


def refuse_records(run: Run, places: Places, verdicts: Mapping[int, Verdict]) -> Iterator[Tagged]:
    """Records that are no events: each with the reason of its verdict."""
    if not verdicts:
        return
    line = np.fromiter(verdicts, np.int64, len(verdicts))
    what = list(verdicts.values())
    arrivals = places.arrivals(line, pa.array([v.received_at for v in what], pa.int64()))
    yield (
        "rejects",
        rejects_batch(
            run.run_id,
            len(what),
            origin=places.origins(line),
            reason=[str(v.reason) for v in what],
            detail=[v.detail for v in what],
            customer_id=[v.customer_id for v in what],
            event_time=pa.array([v.event_time for v in what], pa.int64()),
            received_at=pa.array(arrivals),
            payload=[kept(places.lines[i], v.reason) for i, v in verdicts.items()],
        ),
    )
    yield from tally(arrivals, "received")
    reasons = np.array([str(v.reason) for v in what])
    for reason in sorted(set(reasons.tolist())):
        yield from tally(arrivals[reasons == reason], "rejected", reason=Reason(reason))


def refuse_future(
    run: Run, places: Places, fields: pa.Table, arrivals: np.ndarray
) -> Iterator[Tagged]:
    """Events that say they happen after they came, or came after now."""
    if not fields.num_rows:
        return
    line = fields.column("line").to_numpy()
    payloads = places.lines.texts(line)
    keys, _, _ = hash_texts(key_texts(fields, payloads))
    yield (
        "rejects",
        rejects_batch(
            run.run_id,
            len(line),
            origin=places.origins(line),
            reason=str(Reason.FUTURE_TIMESTAMP),
            detail="the event time is after the arrival, or the arrival after the clock",
            event_key=keys,
            customer_id=fields.column("customer_id").combine_chunks(),
            event_time=fields.column("event_time").combine_chunks(),
            received_at=pa.array(arrivals),
            payload=payloads,
        ),
    )
    yield from tally(arrivals, "received")
    yield from tally(arrivals, "rejected", reason=Reason.FUTURE_TIMESTAMP)


def refuse_oversized(run: Run, places: Places) -> Iterator[Tagged]:
    """Records over 1 MiB, of which the reader kept but the beginning."""
    block = places.block
    if not block.oversized:
        return
    at = np.array([offset for offset, _ in block.oversized])
    arrivals = np.full(len(at), places.clock_us)
    origins = [f"{block.path}:{offset}" for offset in at.tolist()]
    if block.origins is not None:  # of messages, whose ids and times go on behind the lines'
        origins = block.origins.take(pa.array(at)).to_pylist()
    if block.published is not None:
        arrivals = block.published[at]
    yield (
        "rejects",
        rejects_batch(
            run.run_id,
            len(at),
            origin=origins,
            reason=str(Reason.TOO_LARGE),
            detail="the record is over 1 MiB; its first 64 KiB are kept",
            received_at=pa.array(arrivals),
            payload=[kept(head, Reason.TOO_LARGE) for _, head in block.oversized],
        ),
    )
    yield from tally(arrivals, "received")
    yield from tally(arrivals, "rejected", reason=Reason.TOO_LARGE)


def kept(record: bytes, reason: Reason) -> str:
    """A rejected record as the table `rejects` keeps it."""
    if reason is Reason.NOT_UTF8:
        return base64.b64encode(record).decode("ascii")
    if reason is Reason.TOO_LARGE:
        return record[:_KEPT].decode("utf-8", errors="replace")
    return record.decode("utf-8")
