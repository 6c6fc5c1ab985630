"""The last step of a batch run whose rows are written elsewhere: it shows them, if all holds."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

import apache_beam as beam
from google.cloud import bigquery

from pipelines import runs
from pipelines.bigquery import finished, registry
from pipelines.bigquery.client import connected
from pipelines.bigquery.dataset import Dataset
from pipelines.covered import overlap
from pipelines.problems import JobFailedError
from pipelines.settings import Settings

_SUCCEEDED, _FAILED = ("batch", "succeeded"), ("batch", "failed")


def ended(record: runs.Run, status: str) -> runs.Run:
    """What a run says of itself at its end, now."""
    return replace(record, status=status, finished_at=datetime.now(UTC))


@dataclass
class ShowRun(beam.DoFn):
    """Checks a run whose rows are all written, and writes that it succeeded, or failed and why."""

    dataset: Dataset
    record: runs.Run
    max_rejects: Decimal | None
    takes_place: bool

    @classmethod
    def of(cls, dataset: Dataset, settings: Settings, record: runs.Run) -> "ShowRun":
        """That of a run."""
        return cls(dataset, record, settings.max_rejects, settings.takes_place)

    def process(self, rows: int) -> Iterator[int]:
        """Takes and gives how many rows there are. Raises JobFailedError: what does not hold."""
        run = self.record
        with connected(self.dataset) as client:
            if not registry.is_latest(client, self.dataset, run):
                raise JobFailedError(f"run {run.run_id}: another attempt has taken its place")
            said = registry.statuses(client, self.dataset, run.run_id)
            if _FAILED in said:
                raise JobFailedError(f"run {run.run_id} was given up")
            if _SUCCEEDED not in said:  # else a worker was lost just behind it
                try:
                    self._check(client)
                except JobFailedError:
                    registry.write_failed(client, self.dataset, run)
                    raise
                registry.write_run(client, self.dataset, ended(run, "succeeded"))
        yield rows

    def give_up(self, client: bigquery.Client) -> JobFailedError | None:
        """Notes that the run failed, unless it is shown; why, if it was this step that said so."""
        said = registry.statuses(client, self.dataset, self.record.run_id)
        if _FAILED not in said:
            if _SUCCEEDED not in said:
                registry.write_failed(client, self.dataset, self.record)
            return None
        try:
            self._check(client)
        except JobFailedError as why:
            return why
        return None

    def _check(self, client: bigquery.Client) -> None:
        run, dataset = self.record, self.dataset
        finished.check(client, dataset, run, self.max_rejects, pending=True)
        if not self.takes_place:
            covered = registry.windows_already_covered(client, dataset, run.run_id)
            if covered:
                raise overlap(run.run_id, covered)
