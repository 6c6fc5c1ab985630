"""How a stream differs from a batch run, for the steps that care."""

from dataclasses import dataclass

from transforms.lengths import DAY_US


@dataclass(frozen=True)
class Live:
    """A stream's own terms.

    early_us: how long a change may wait before it is shown; 0 shows each micro-batch.
    slack_us: how far recorded arrivals may be out of order: totals are kept this much longer than
        their window admits events.
    """

    early_us: int = 1_000_000
    slack_us: int = DAY_US
