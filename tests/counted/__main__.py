"""Counts the steps of one area in this process, and prints the figures as JSON."""

import json
import sys
from pathlib import Path

import pyarrow as pa

from counted.areas import BENCHMARKS, EVENTS
from counted.batch import BatchSteps
from counted.counter import Totals
from counted.live import BATCHES, LiveSteps
from counted.shuffles import shuffles


def _stream() -> Totals:
    steps = LiveSteps()
    steps.take()
    return steps.count.per(BATCHES)


def _batch(events: Path, *, bad: bool) -> Totals:
    steps = BatchSteps(BENCHMARKS / "catalog.yaml", BENCHMARKS / "rates.csv", events)
    steps.take()
    if not bad:
        shuffles(steps)
        return steps.count.per(EVENTS)
    return {"Validate": steps.count.per(EVENTS)["Validate"]}


if __name__ == "__main__":
    area, *files = sys.argv[1:]
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    found = _stream() if area == "stream" else _batch(Path(files[0]), bad=area == "bad lines")
    sys.stdout.write(json.dumps(found))
