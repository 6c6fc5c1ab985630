"""How much of a followed folder is on its way at a time, while nothing else moves."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.utils.timestamp import Duration
from tail_desk import record
from tail_run import TailRun

from pipelines import read_tail
from pipelines.open_tails import close_tail
from pipelines.read_tail import _Follow
from transforms.flow import Flow


@dataclass
class Numbers:
    """What an engine gives a source to claim batches with."""

    next: int = 0

    def current_restriction(self) -> range:
        return range(self.next, 1 << 62)

    def try_claim(self, number: int) -> bool:
        self.next = number + 1
        return True

    def defer_remainder(self, pause: Duration) -> None:
        assert pause.micros > 0


@dataclass
class Source:
    """The source of a run of batches of up to three lines, called as an engine would."""

    run: TailRun
    flow: Flow
    numbers: Numbers = field(default_factory=Numbers)
    stamps: list[int] = field(default_factory=list)

    def append(self, first: int, last: int) -> None:
        self.run.append("a.ndjson", b"".join(record(i) for i in range(first, last)))

    def call(self) -> list[int]:
        """How many lines each batch has that a call gives out."""
        step, watermark = _Follow(self.run.tail), ManualWatermarkEstimator(None)
        given = list(step.process(b"", self.numbers, watermark))
        self.stamps += [each.timestamp.micros // 1000 for each in given]
        return [each.value.data.count(b"\n") for each in given]

    def first_is_through(self) -> None:
        self.flow.through(self.stamps.pop(0))


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    flow = Flow(now=lambda: 0.0)  # which never runs out of patience
    monkeypatch.setattr(read_tail, "FLOW", flow)
    run = TailRun(tmp_path)
    run.reader.close()
    yield Source(run, flow)
    close_tail(run.tail)


def test_what_comes_while_a_batch_is_on_its_way_goes_as_one(source: Source) -> None:
    source.append(0, 1)
    assert source.call() == [1]
    source.append(1, 2)
    assert source.call() == []
    source.append(2, 3)
    assert source.call() == []
    source.first_is_through()
    assert source.call() == [2]


def test_of_full_batches_two_are_on_their_way(source: Source) -> None:
    source.append(0, 10)
    assert source.call() == [3, 3]
    assert source.call() == []
    source.first_is_through()
    assert source.call() == [3]
    source.first_is_through()
    assert source.call() == [1]


def test_batches_of_an_earlier_process_do_not_wait_for_one_another(source: Source) -> None:
    source.append(0, 12)
    while source.call():
        while source.stamps:
            source.first_is_through()
    close_tail(source.run.tail)
    source.numbers.next = 0
    assert source.call() == [3, 3, 3, 3]
