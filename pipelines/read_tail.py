"""The source of a local stream: micro-batches of the files that grow in some folders."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Duration, Timestamp

import pipelines.read  # noqa: F401 - registers the coder for blocks
from pipelines.inputs import Block, InputErrors
from pipelines.inputs.find import absolute, nearest_name
from pipelines.open_tails import close_tail, opened
from pipelines.stopping import STOP
from pipelines.tail_reader import Tail, TailReader
from pipelines.unbounded import BATCHES, END, WATERMARK
from transforms.flow import FLOW

_PREFIX = "tail:"
_SLICE_S = 0.2
# how many batches may be on their way. What comes meanwhile goes as one, which costs less; one that
# is full cannot become any larger, and while it is written the next one may be read; and nobody
# waits for any one of those that were given out before
_FRESH, _FULL, _AGAIN = 1, 2, 16
_POLL_S, _IDLE_POLL_S = 0.002, 0.005
# how long after a call that gave something out the engine calls again: batches bring their own wait
_CALLS_US, _PAUSE_US = 5_000, 1_000


def find_tails(inputs: Sequence[str]) -> list[Path]:
    """The folders, absolute, that are named as `tail:DIR`, each once.

    Raises InputErrors with all that is wrong with them.
    """
    found: dict[Path, Path] = {}
    problems = []
    for text in inputs:
        path = absolute(text.removeprefix(_PREFIX))
        problem = _problem(text, path)
        if problem:
            problems.append(f"{text}: {problem}")
        else:
            found.setdefault(path.resolve(), path)
    if problems:
        raise InputErrors(list(dict.fromkeys(problems)))
    return list(found.values())


def _problem(text: str, path: Path) -> str | None:
    if not text.startswith(_PREFIX):
        return "a folder that is followed is named as tail:DIR"
    if text == _PREFIX:
        return "names no folder; write tail:DIR"
    try:
        if not path.exists():
            return f"there is no such folder{nearest_name(path)}"
        if not path.is_dir():
            return f"{path} is a file; name the folder that it is in, as in tail:{path.parent}"
        next(path.iterdir(), None)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return None


@dataclass
class ReadTail(beam.PTransform):
    """Growing files → blocks, in micro-batches, with the moment and the watermark of arrivals.

    It ends when all folders have ended, or at `STOP`. Holds a batch: 8 MiB, and a line of up to 1
    MiB more; the engine has another one then, or a few at the start.
    """

    tail: Tail

    def expand(self, pbegin: beam.pvalue.PBegin) -> beam.PCollection:
        """One element, whose batches are its restriction."""
        return (
            pbegin
            | "Once" >> beam.Impulse()
            | "Batches" >> beam.ParDo(_Follow(self.tail)).with_output_types(Block)
        )


@dataclass
class _Follow(beam.DoFn):
    tail: Tail

    @beam.DoFn.unbounded_per_element()
    def process(
        self,
        _element: bytes,
        batches: Any = BATCHES,
        watermark: Any = WATERMARK,
    ) -> Iterator[TimestampedValue]:
        """Gives out what there is, or waits a little for it, and asks to be called again."""
        try:
            yield from self._give_out(batches, watermark)
        except Exception:
            close_tail(self.tail)
            raise

    def _give_out(self, batches: Any, watermark: Any) -> Iterator[TimestampedValue]:
        reader = opened(self.tail)
        number = first = batches.current_restriction().start
        until = time.monotonic() + _SLICE_S
        while time.monotonic() < until:
            if FLOW.has(_on_their_way(reader, number)):
                if number > first:
                    break  # they go on their way when this call is over
                reader.look()
                time.sleep(_POLL_S)
                continue
            batch = reader.batch(number)
            if batch is not None:
                if not batches.try_claim(number):
                    return
                FLOW.given(batch.stamp_ms)
                yield TimestampedValue(batch.block, Timestamp(micros=1000 * batch.stamp_ms))
                _move(watermark, batch.watermark_us)
                number += 1
                continue
            if reader.ended:
                watermark.set_watermark(MAX_TIMESTAMP)
                batches.try_claim(END)
                reader.finish()
                return
            _move(watermark, reader.watermark_us)
            if number > first:
                # what was given out goes on its way when this call is over
                break
            STOP.wait(_IDLE_POLL_S if reader.idle else _POLL_S)
        pause_us = max(_PAUSE_US, _CALLS_US - self.tail.batch_us)
        batches.defer_remainder(Duration(micros=pause_us))


def _on_their_way(reader: TailReader, number: int) -> int:
    """How many batches may be, when this one is next."""
    if reader.had(number):
        return _AGAIN
    return _FULL if reader.behind else _FRESH


def _move(watermark: Any, to_us: int) -> None:
    moved = Timestamp(micros=to_us)
    before = watermark.current_watermark()
    if before is None or before < moved:
        watermark.set_watermark(moved)
