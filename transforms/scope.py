"""What of the input a run measures."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scope:
    """What a run measures: which meters, which event times (µs, end exclusive), the late rule."""

    meters: frozenset[str] | None = None
    start_us: int | None = None
    end_us: int | None = None
    as_streamed: bool = False
