"""Counts what the work of a step takes, in figures that are the same in each run.

They are of a process of its own that does one thing after the other: what was done before in a
process, and what other threads do, would be counted too.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pyarrow as pa

INSTRUCTIONS = "Python instructions"  # of functions of ours, whatever these call
ALLOCATIONS = "allocations by Arrow"
BYTES = "bytes allocated by Arrow"

_ROOT = Path(__file__).parents[2]
_OURS = tuple(f"{_ROOT / package}/" for package in ("pipelines", "transforms", "rates"))

Totals = dict[str, dict[str, float]]  # step, then figure


class StepCounter:
    """Totals by step, of all the times it was done; the figures `whole` are of the run."""

    def __init__(self, whole: Sequence[str] = ()) -> None:
        self.whole = whole
        self.totals: Totals = defaultdict(lambda: defaultdict(float))
        self._instructions = 0
        self._pool = pa.default_memory_pool()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Around the work of a step, which is all to be done within: no iterator is left."""
        allocations, size = self._pool.num_allocations(), self._pool.total_bytes_allocated()
        self._instructions = 0
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(before)
        self.add(name, INSTRUCTIONS, self._instructions)
        self.add(name, ALLOCATIONS, self._pool.num_allocations() - allocations)
        self.add(name, BYTES, self._pool.total_bytes_allocated() - size)

    def add(self, step: str, figure: str, amount: float) -> None:
        """Adds to a figure of a step."""
        self.totals[step][figure] += amount

    def per(self, count: int) -> Totals:
        """The totals for one of so many, to four digits; `whole` figures as they are."""
        return {
            step: {
                figure: amount if figure in self.whole else float(f"{amount / count:.4g}")
                for figure, amount in figures.items()
            }
            for step, figures in self.totals.items()
        }

    def _trace(self, frame: FrameType, event: str, _arg: object) -> Any:
        if event == "call":
            if not frame.f_code.co_filename.startswith(_OURS):
                return None
            frame.f_trace_lines, frame.f_trace_opcodes = False, True
        elif event == "opcode":
            self._instructions += 1
        return self._trace
