"""Aggregate: partials of all bundles → one partial for each meter and bucket of series.

Holds the groups of one (meter, bucket) a thread, at most three times. A stream's are windowed: see
transforms/revise.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam
import pyarrow as pa
from apache_beam.typehints import KV, Tuple

from transforms.catalog import Catalog
from transforms.kernel import THREADS, Kernel, KernelFunction, Tagged
from transforms.live import Live
from transforms.partials import CombinePartials, merge
from transforms.revise import WINDOWED, CutWindows, Revise

Keyed = tuple[tuple[str, int], pa.RecordBatch]
KEYED = KV[Tuple[str, int], pa.RecordBatch]  # the same, as Beam says it


@dataclass
class Aggregate(beam.PTransform):
    """((meter, bucket), partial) → the same with a row for each group; live, in panes."""

    catalog: Catalog
    live: Live | None = None
    threads: int = THREADS

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        """Combines, then merges what is left, as a kernel; live, adds up in state."""
        if self.live:
            cut = beam.ParDo(CutWindows(self.catalog)).with_output_types(WINDOWED)
            revise = beam.ParDo(Revise(self.live)).with_output_types(KEYED)
            return pcoll | "Cut windows" >> cut | "Revise" >> revise
        done = (
            pcoll
            | "Gather" >> beam.CombinePerKey(CombinePartials()).with_output_types(KEYED)
            | "Merge" >> beam.ParDo(Kernel(_merger, self.threads)).with_outputs()
        )
        done.groups.element_type = KEYED
        return done.groups


def _merger() -> KernelFunction:
    return _merge


def _merge(element: Keyed) -> Iterator[Tagged]:
    key, gathered = element
    yield "groups", (key, merge(gathered))
