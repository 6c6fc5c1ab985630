"""Events for a stream: lines of about 250 bytes, some repeated, whose totals are known."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

MODELS, REGIONS = ("large", "mini", "nano"), ("eu", "us", "ap", "sa")
REPEATED = 50  # every so many events one is sent again
BEFORE = 20  # how many events before


@dataclass
class Feed:
    """Events 0, 1, 2, … of `customers` customers, `spacing_us` apart from `start` on.

    Arrivals are recorded where `recorded`; then all of them happened at `start` where `at_once`.
    """

    customers: int
    start: datetime = field(default_factory=lambda: datetime.now(UTC))
    spacing_us: int = 0
    recorded: bool = False
    at_once: bool = False

    def line(self, number: int) -> str:
        """The record, of some earlier event where this one is a repeat."""
        of = number - BEFORE if number % REPEATED == REPEATED - 1 else number
        at = self.start + timedelta(microseconds=0 if self.at_once else of * self.spacing_us)
        received = self.start + timedelta(microseconds=number * self.spacing_us)
        recorded = f'"received_at":"{received:%Y-%m-%dT%H:%M:%S.%fZ}",' if self.recorded else ""
        return (
            f'{{"id":"{of:032x}","event_type":"llm","customer_id":"c{of % self.customers}",'
            f'"timestamp":"{at:%Y-%m-%dT%H:%M:%S.%fZ}",{recorded}'
            f'"properties":{{"tokens":{of % 1000},"model":"{MODELS[of % 3]}",'
            f'"region":"{REGIONS[of % 4]}"}},"metadata":{{"sdk":"py-1.2.3"}}}}\n'
        )

    def lines(self, first: int, last: int) -> bytes:
        """The records from one number to another."""
        return "".join(map(self.line, range(first, last))).encode()


def accepted(count: int) -> int:
    """How many of the first `count` are no repeats."""
    return count - count // REPEATED


def tokens(count: int) -> int:
    """What the accepted of them sum up to."""
    whole = sum(number % 1000 for number in range(1000))
    every = whole * (count // 1000) + sum(range(count % 1000))
    return every - sum(number % 1000 for number in range(REPEATED - 1, count, REPEATED))
