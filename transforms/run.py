"""The run, as every step may know it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """What every step may know of the run: its name, and the clock, which batch reads but once."""

    run_id: str
    started_us: int
