"""The rates of a job on other machines: those of its launch, which go there with the graph.

The folder in which a stream on this machine keeps versions is on no worker. So the rates hold for
as long as the job does, and a job that takes its place brings the next ones.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class FixedRates:
    """One version, which holds for all events; None where a run has no rates."""

    version: str | None

    def current(self) -> str | None:
        """That one."""
        return self.version
