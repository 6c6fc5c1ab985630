"""Measure `meterbeam run --streaming` on this machine: latency, backlog, steadiness, pauses.

    python benchmarks/live.py latency [--rates 100,1000,10000] [--seconds 20]
    python benchmarks/live.py backlog [--events 2000000]
    python benchmarks/live.py steady [--minutes 10] [--rate 5000] [--keys 3000000]
    python benchmarks/live.py pauses [--runs 30] [--events 1000000]

README.md says what each figure means. Ends with 1 if a total is not what was fed.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from live_feed import BEFORE, REPEATED, Feed
from live_stream import Stream, Watch, children, files

TICK_S = 0.005
LINES = 100_000  # appended at once
AN_HOUR_US = 3_600_000_000


def fed(stream: Stream, feed: Feed, first: int, count: int, rate: float) -> np.ndarray:
    """Appends events at a rate; gives when each was appended."""
    at = np.zeros(count)
    start, sent = time.time(), 0
    while sent < count:
        due = min(count, int((time.time() - start) * rate) + 1)
        if due > sent:
            stream.append(feed.lines(first + sent, first + due))
            at[sent:due] = time.time()
            sent = due
        time.sleep(TICK_S)
    return at


def quantiles(ms: np.ndarray) -> str:
    """Half and nearly all of some latencies, in words."""
    half, most, last = np.percentile(ms, [50, 99, 100])
    return f"p50 {half:6.0f} ms  p99 {most:6.0f} ms  max {last:6.0f} ms"


def latency(args: argparse.Namespace) -> bool:
    """From the append of a line to the visible row that counts it, at several rates."""
    good = True
    for rate in map(int, args.rates.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            stream = Stream(Path(folder), ("--early", args.early))
            feed, count, warm = Feed(args.customers), rate * args.seconds, max(rate * 3, 500)
            watch = Watch(stream, warm + count, args.customers)
            stream.start()
            watch.start()
            stream.append(feed.lines(0, 100))
            stream.wait_until_reading()
            fed(stream, feed, 100, warm - 100, rate)
            at = fed(stream, feed, warm, count, rate)
            stream.end()
            watch.done.set()
            seen = watch.seen_at[warm:]
            fresh = np.arange(warm, warm + count) % REPEATED != REPEATED - 1
            missing = int(np.isnan(seen[fresh]).sum())
            ms = (seen - at)[fresh & ~np.isnan(seen)] * 1e3
            verdict = stream.check(warm + count)
            good &= verdict == "exact" and not missing
            print(f"{rate:>6}/s  {quantiles(ms)}  {verdict}  not seen: {missing}", flush=True)
    return good


def a_backlog(stream: Stream, args: argparse.Namespace) -> None:
    """Writes an hour of events and `_END`."""
    start = datetime.now(UTC) - timedelta(hours=3)
    feed = Feed(args.customers, start, AN_HOUR_US // args.events)
    for first in range(0, args.events, LINES):
        stream.append(feed.lines(first, min(args.events, first + LINES)))
    (stream.input / "_END").touch()


def backlog(args: argparse.Namespace) -> bool:
    """How fast events that wait already go through."""
    with tempfile.TemporaryDirectory() as folder:
        stream = Stream(Path(folder), ("--early", args.early))
        a_backlog(stream, args)
        start = time.monotonic()
        stream.start()
        stream.wait_until_reading()
        first_s = time.monotonic() - start
        stream.end()
        seconds = time.monotonic() - start
        verdict = stream.check(args.events)
        # the command waits 2 s in the end, so that readers can finish with files that were merged
        print(
            f"backlog of {args.events:,}: {args.events / (seconds - first_s - 2):,.0f}/s from the"
            f" first row on; the whole command {seconds:.1f} s, first row after {first_s:.1f} s "
            f" {verdict}"
        )
    return verdict == "exact"


def steady(args: argparse.Namespace) -> bool:
    """Latency and memory minute by minute, with many keys held.

    Arrivals are recorded: those before the first minute at the same rate as those in it. So as many
    keys expire as come, from the beginning, unless another horizon is asked for.
    """
    held_s = args.keys // args.rate
    with tempfile.TemporaryDirectory() as folder:
        options = ("--early", args.early, "--source", "recorded")
        stream = Stream(Path(folder), options, args.horizon or f"{held_s}s")
        start = datetime.now(UTC) - timedelta(seconds=held_s)
        feed = Feed(args.customers, start, 1_000_000 // args.rate, recorded=True, at_once=True)
        count = args.keys + args.rate * 60 * args.minutes
        watch = Watch(stream, count, args.customers)
        stream.start()
        watch.start()
        for first in range(0, args.keys, LINES):
            stream.append(feed.lines(first, min(args.keys, first + LINES)))
        while np.isnan(watch.seen_at[args.keys - BEFORE - 2 : args.keys - 1]).all():
            time.sleep(0.5)
        for minute in range(args.minutes):
            first = args.keys + minute * args.rate * 60
            at = fed(stream, feed, first, args.rate * 60, args.rate)
            time.sleep(1)
            seen = watch.seen_at[first : first + len(at)]
            ms = (seen - at)[~np.isnan(seen)] * 1e3
            memory, listed = stream.memory_mb(), len(files(stream.out))
            print(
                f"minute {minute + 1:>2}: {quantiles(ms)}  {memory:,.0f} MB  {listed} files",
                flush=True,
            )
        stream.end()
        watch.done.set()
        verdict = stream.check(count)
        print(verdict)
    return verdict == "exact"


def pauses(args: argparse.Namespace) -> bool:
    """Whether totals are right though the command and its engine are stopped at random moments."""
    good = True
    for seed in range(args.first, args.first + args.runs):
        with tempfile.TemporaryDirectory() as folder:
            stream = Stream(Path(folder))
            a_backlog(stream, args)
            stream.start()
            stream.wait_until_reading()
            stopped = stop_and_go(stream, random.Random(seed))  # noqa: S311 - no secret
            stream.end()
            verdict = stream.check(args.events)
            good &= verdict == "exact"
            print(f"seed {seed}: {stopped} pauses  {verdict}", flush=True)
    return good


def stop_and_go(stream: Stream, chance: random.Random) -> int:
    """Stops one process or the other for a while, again and again; gives how often."""
    stopped = 0
    while stream.process.poll() is None:
        time.sleep(chance.uniform(0.05, 1.0))
        pid = chance.choice([stream.process.pid, *children(stream.process.pid)])
        try:
            os.kill(pid, signal.SIGSTOP)
            time.sleep(chance.uniform(0.01, 1.5))
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            break
        stopped += 1
    return stopped


def main() -> None:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["latency", "backlog", "steady", "pauses"])
    parser.add_argument("--rates", default="100,1000,10000", help="events/s, of latency")
    parser.add_argument("--seconds", type=int, default=20, help="of latency")
    parser.add_argument("--early", default="0")
    parser.add_argument("--customers", type=int, default=200)
    parser.add_argument("--events", type=int, default=1_000_000, help="of backlog and pauses")
    parser.add_argument("--minutes", type=int, default=10, help="of steady")
    parser.add_argument("--rate", type=int, default=5000, help="events/s, of steady")
    parser.add_argument("--keys", type=int, default=3_000_000, help="held before, of steady")
    parser.add_argument("--horizon", help="of keys, of steady")
    parser.add_argument("--runs", type=int, default=30, help="of pauses")
    parser.add_argument("--first", type=int, default=0, help="first seed of pauses")
    args = parser.parse_args()
    wanted = {"latency": latency, "backlog": backlog, "steady": steady, "pauses": pauses}
    sys.exit(0 if wanted[args.what](args) else 1)


if __name__ == "__main__":
    main()
