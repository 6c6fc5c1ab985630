"""The ledger: how many events each step took in and gave out, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

import apache_beam as beam
import pyarrow as pa

from transforms.counts import COUNT, ledger_batch
from transforms.live import Live
from transforms.metrics import counted
from transforms.running_ledger import HOURLY, CountBundle, RunningLedger


@dataclass
class Ledger(beam.PTransform):
    """Counts of all steps → rows of the ledger; live, again and again with the totals so far.

    Holds one number for each hour of arrival, meter, outcome and reason.
    """

    run_id: str
    live: Live | None = None

    def expand(self, counts: Sequence[beam.PCollection]) -> beam.PCollection:
        """PCollections of ((period, meter, outcome, reason), count) to one of record batches."""
        run_id = self.run_id
        if self.live:
            # before they are put together: so it is done where they are made, at no cost of its own
            bundled = [
                each | f"Count bundle {i}" >> beam.ParDo(CountBundle()).with_output_types(HOURLY)
                for i, each in enumerate(counts)
            ]
            running = beam.ParDo(RunningLedger(run_id))
            rows = running.with_output_types(pa.RecordBatch)
            return bundled | "All counts" >> beam.Flatten() | "Add up live" >> rows
        return (
            counts
            | "All counts" >> beam.Flatten()
            | "Metrics" >> beam.Map(counted).with_output_types(COUNT)
            | "Add up" >> beam.CombinePerKey(sum)
            | "One list" >> beam.combiners.ToList()
            | "Rows"
            >> beam.Map(lambda counts: ledger_batch(run_id, counts)).with_output_types(
                pa.RecordBatch
            )
        )
