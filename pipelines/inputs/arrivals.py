"""When the records of a stream arrived, peeked from single lines where they say so themselves."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from transforms.catalog import Source
from transforms.exact import ExactReader, Verdict
from transforms.slots import Slots

_ATTEMPTS = 8


@dataclass(frozen=True)
class Arrivals:
    """Peeks at lines of one source.

    An arrival of more than `tolerance_us` after the clock is not believed: such a record is
    rejected, and may not move the watermark.
    """

    source: Source
    tolerance_us: int
    _reader: ExactReader = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_reader", ExactReader(self.source, Slots((), ())))

    @property
    def recorded(self) -> bool:
        """Whether the records say when they arrived."""
        return self.source.received_at is not None

    def first(self, data: bytes, clock_us: int) -> int | None:
        """The arrival (µs) of the first of some whole lines that says so, if it is among the first.

        None where no arrival is recorded.
        """
        return self._peek(_from_start(data), clock_us)

    def last(self, data: bytes, clock_us: int) -> int | None:
        """That of the last such line, likewise."""
        return self._peek(_from_end(data), clock_us)

    def _peek(self, lines: Iterable[bytes], clock_us: int) -> int | None:
        if not self.recorded:
            return None
        for _, line in zip(range(_ATTEMPTS), lines, strict=False):
            row = self._reader.read(line)
            arrival = row.received_at if isinstance(row, Verdict) else row["received_at"]
            if arrival is not None and arrival <= clock_us + self.tolerance_us:
                return arrival
        return None


def _from_start(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        yield data[start:end]
        start = end + 1


def _from_end(data: bytes) -> Iterator[bytes]:
    end = len(data) - data.endswith(b"\n")
    while end > 0:
        start = data.rfind(b"\n", 0, end) + 1
        yield data[start:end]
        end = start - 1
