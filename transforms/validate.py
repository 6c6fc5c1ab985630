"""Validate: a block of bytes → the events in it, the readings of them, and what is no event.

Holds one block a thread (32 MiB unless told otherwise) and about as much again while it is read;
nothing grows with the input.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam.typehints import KV
from apache_beam.typehints.decorators import no_annotations

from transforms.block_reader import BlockReader
from transforms.catalog import Catalog
from transforms.counts import COUNT
from transforms.kernel import THREADS, Kernel
from transforms.run import Run
from transforms.spill import IN_MEMORY, Spill


class Validated(NamedTuple):
    """What `Validate` gives: readings by bucket (as Arrow streams), rows of tables, and counts."""

    readings: beam.PCollection
    events: beam.PCollection
    rejects: beam.PCollection
    counts: beam.PCollection


@dataclass
class Validate(beam.PTransform):
    """Blocks → readings keyed by bucket of their event key, events, rejects, counts."""

    run: Run
    catalog: Catalog
    source: str
    buckets: int
    spill: Spill = IN_MEMORY
    threads: int = THREADS

    @no_annotations
    def expand(self, pcoll: beam.PCollection) -> Validated:
        """Wires `BlockReader` as a kernel."""
        make = partial(BlockReader, self.run, self.catalog, self.source, self.buckets, self.spill)
        done = (
            pcoll
            | "Read records"
            >> beam.ParDo(Kernel(make, self.threads, self.run.run_id)).with_outputs()
        )
        done.readings.element_type = KV[int, bytes]
        done.events.element_type = pa.RecordBatch
        done.rejects.element_type = pa.RecordBatch
        done.counts.element_type = COUNT
        return Validated(done.readings, done.events, done.rejects, done.counts)
