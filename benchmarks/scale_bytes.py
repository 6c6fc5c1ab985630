"""What a second of a large stream costs each step: bytes that are shuffled, requests, CPU.

    python benchmarks/scale_bytes.py [--events 1200000] [--buckets 64,512,2048]

The kernels of a stream, in the order of the graph and in this process, over messages of events.py
whose times lie within half an hour. State is in this process too, and each use of it is counted.
docs/scale.md reckons with these figures. What an engine adds for itself is not in them.

A micro-batch of `--rows` messages goes to each bucket of keys as one element, and each of those is
a bundle of its own behind it, as where an engine hands out work by key. Changes are shown once, at
the end, as where a pane comes each second and this is the second.
"""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain, islice

import event_lines
import events
from google.pubsub_v1 import types
from scale_steps import NOW_US, SPAN_US, Second

SEED = 1
KEYS_PER_SERIES = 4  # as pipelines/run_elsewhere.py has it


def messages(count: int, rows: int) -> Iterator[list[bytes]]:
    """Events of the half hour before `NOW_US` as messages, in micro-batches."""
    event_lines.SPAN_US = SPAN_US
    repeats, conflicts = round(count * events.REPEATED), round(count * events.CONFLICTING)
    lines = chain.from_iterable(events.generate(events.Written(count, SEED, repeats, conflicts)))
    published = datetime.fromtimestamp(NOW_US / 1_000_000, UTC)
    for start in range(0, count, rows):
        yield [
            types.PubsubMessage.pb()(
                data=line.rstrip(b"\n"), message_id=str(10**16 + number), publish_time=published
            ).SerializeToString()
            for number, line in enumerate(islice(lines, rows), start)
        ]


def report(second: Second, count: int) -> None:
    """What each event of the second took."""
    for what, size in second.bytes.items():
        elements = second.elements[what]
        print(
            f"  {what}: {size / count:.1f} bytes an event, {elements / count:.5f} elements an event"
        )
    for step, states in (("dedup", second.seen), ("revise", second.totals)):
        uses = ", ".join(f"{each / count:.5f} {kind}" for kind, each in sorted(states.uses.items()))
        held = sum(len(v) for of in states.of.values() for each in of for v in each.values)
        print(f"  state of {step}, an event: {uses}; {len(states.of):,} keys, {held:,} bytes held")
    took = ", ".join(f"{step} {each / count * 1e6:.2f}" for step, each in second.cpu.items())
    print(f"  CPU, us an event: {took}")
    print(f"  usage rows shown: {second.usage_rows:,}", flush=True)


def main() -> None:
    """Prints a report for each number of buckets."""
    parser = argparse.ArgumentParser(description="Bytes, requests and CPU of a second of a stream.")
    parser.add_argument("--events", type=int, default=1_200_000)
    parser.add_argument("--buckets", default="64,512,2048")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--series", type=int, help="buckets of series, not a quarter of the others")
    asked = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    for buckets in map(int, asked.buckets.split(",")):
        series = asked.series or max(buckets // KEYS_PER_SERIES, 1)
        second = Second(buckets, series)
        for batch in messages(asked.events, asked.rows):
            second.batch(batch)
        second.show()
        print(f"{buckets:,} buckets of keys, {series:,} of series, micro-batches of {asked.rows:,}")
        report(second, asked.events)


if __name__ == "__main__":
    main()
