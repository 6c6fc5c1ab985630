"""A folder whose files grow, and a follower of it whose time is told by hand."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.inputs.arrivals import Arrivals
from pipelines.inputs.block import Block
from pipelines.inputs.tail import Fresh, TailFolders
from pipelines.inputs.tail_file import TailFile
from pipelines.inputs.tail_watch import Moment
from transforms.catalog import Source
from transforms.lines import Lines
from transforms.sources import NATIVE, RECORDED
from transforms.timestamps import SECOND, format_time

NOON = 1_768_478_400 * SECOND
"""2026-01-15T12:00:00Z"""

HOUR = 3600 * SECOND


def record(number: int, received_us: int | None = None, **more: object) -> bytes:
    """A line: an event that arrived then, or when it is read."""
    event: dict[str, object] = {"id": str(number), "event_type": "call", "customer_id": "c1"}
    event["timestamp"] = format_time(NOON - HOUR)
    if received_us is not None:
        event["received_at"] = format_time(received_us)
    return json.dumps(event | more).encode() + b"\n"


@dataclass
class Desk:
    """The folder, and what was reported of it. `steady_us` is the time, `clock_us` the clock."""

    folder: Path
    source: Source = NATIVE
    batch_lines: int = 1000
    batch_us: int = 0
    steady_us: int = 0
    clock_us: int = NOON
    reports: list[str] = field(default_factory=list)
    left: dict[str, TailFile] = field(default_factory=dict)
    also: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        folders = [str(each) for each in (self.folder, *self.also)]
        self.tail = TailFolders(
            folders,
            batch_lines=self.batch_lines,
            batch_us=self.batch_us,
            arrivals=Arrivals(self.source, 300 * SECOND),
            left=self.left,
            report=self.reports.append,
        )

    @property
    def now(self) -> Moment:
        return Moment(self.clock_us, self.steady_us)

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def append(self, name: str, data: bytes) -> None:
        with (self.folder / name).open("ab") as file:
            file.write(data)

    def end(self, folder: Path | None = None) -> None:
        ((folder or self.folder) / "_END").touch()

    def passes(self, us: int) -> None:
        """Time passes, by both clocks."""
        self.steady_us += us
        self.clock_us += us

    def given(self) -> list[Fresh]:
        """The batches that are ready now, a second after the last look."""
        self.passes(SECOND)
        self.tail.poll(self.now)
        return list(self._taken())

    def _taken(self) -> Iterator[Fresh]:
        while (fresh := self.tail.take(self.now)) is not None:
            yield fresh

    def lines(self) -> list[bytes]:
        """The records of those batches."""
        return [line for fresh in self.given() for line in records_of(fresh.block)]

    def numbers(self) -> list[int]:
        """Their ids."""
        return [int(json.loads(line)["id"]) for line in self.lines()]


def recorded_desk(folder: Path, **more: int) -> Desk:
    """One whose records say when they arrived."""
    return Desk(folder, RECORDED, **more)


def records_of(block: Block) -> list[bytes]:
    """The records of a block without their line ends, blank lines left out."""
    lines = Lines.of(block.data)
    return [lines[i] for i in range(len(lines))]


def found_in(blocks: Iterable[Block]) -> tuple[dict[int, bytes], dict[int, bytes]]:
    """Offset and bytes of each record, those that are too large apart."""
    whole: dict[int, bytes] = {}
    oversized: dict[int, bytes] = {}
    for block in blocks:
        lines = Lines.of(block.data)
        offsets = block.start + lines.starts if block.offsets is None else block.offsets
        for i, offset in enumerate(offsets.tolist()):
            assert offset not in whole
            whole[offset] = lines[i]
        oversized |= dict(block.oversized)
    return whole, oversized
