"""Windows in which several runs have a say: found by SQL, and told to a user."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

from pipelines.problems import JobFailedError
from transforms.timestamps import format_time

_NAMED = 5


@dataclass(frozen=True)
class CoveredWindow:
    """A window of a meter (µs since the epoch) in which another run has a say, and that run."""

    meter: str
    start_us: int
    end_us: int
    run_id: str
    mode: str

    def __str__(self) -> str:
        """Say it in a line of an error message."""
        does = "covered by batch run" if self.mode == "batch" else "counted by streaming run"
        window = f"{format_time(self.start_us)} to {format_time(self.end_us)}"
        return f"{self.meter}, {window}: {does} {self.run_id}"


@dataclass(frozen=True)
class CoveredWindows:
    """Windows in their order: `len` counts all of them, the first twenty are here to be named."""

    count: int
    first: tuple[CoveredWindow, ...]

    def __len__(self) -> int:
        """Give the number of windows, of which those beyond the twentieth are only counted."""
        return self.count

    @overload
    def __getitem__(self, index: int) -> CoveredWindow: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[CoveredWindow, ...]: ...
    def __getitem__(self, index: int | slice) -> CoveredWindow | tuple[CoveredWindow, ...]:
        """Give one or some of the first."""
        return self.first[index]


def named_windows(rows: Sequence[Sequence[Any]]) -> CoveredWindows:
    """The windows that `COVERED` finds."""
    named = tuple(CoveredWindow(*row) for *row, _ in rows)
    return CoveredWindows(rows[0][-1] if rows else 0, named)


def overlap(run_id: str, covered: CoveredWindows, output: str | None = None) -> JobFailedError:
    """What is wrong with a run that covers what earlier runs cover, and the way out."""
    named = "\n".join(f"  {window}" for window in covered[:_NAMED])
    more = len(covered) - _NAMED
    return JobFailedError(
        f"run {run_id} covers windows that earlier runs cover:\n{named}"
        + (f"\n  … and {more:,} more" if more > 0 else "")
        + "\nto take their place give --replace, or --from and --to"
        + (
            f"; to add to them, name the output among the inputs: --input {output}"
            if output
            else ""
        )
    )


# of several others in a window one is named: batch runs before streams, later before earlier ones
COVERED = """
SELECT
  others.meter, UNIX_MICROS(others.window_start) AS start_us,
  UNIX_MICROS(others.window_end) AS end_us, others.run_id, others.mode, COUNT(*) OVER () AS windows
FROM (
  SELECT others.*
  FROM steps.claims AS others
  JOIN steps.claims AS own
    ON own.meter = others.meter
    AND own.window_start = others.window_start
    AND own.window_end = others.window_end
  WHERE own.run_id = @run AND others.run_id <> @run
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY others.meter, others.window_start, others.window_end
    ORDER BY others.mode, others.started_at DESC, others.run_id DESC
  ) = 1
) AS others
ORDER BY others.meter, others.window_start, others.window_end
LIMIT 20
"""
