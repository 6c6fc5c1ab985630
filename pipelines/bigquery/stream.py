"""A stream whose tables are in BigQuery: what it asks of a dataset, and of this machine."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from pipelines import runs, warehouse
from pipelines.bigquery import finished, registry
from pipelines.bigquery.client import connected
from pipelines.bigquery.dataset import Dataset
from pipelines.bigquery.sink import close_sink, sink_of
from pipelines.bigquery.tables import make_tables
from pipelines.bigquery.views import write_views
from pipelines.bigquery.write_stream import WriteBigQuery
from pipelines.problems import UserError
from pipelines.settings import Settings
from pipelines.summary import Summary
from pipelines.views import shapes


class DatasetTables:
    """The tables of a stream in a dataset."""

    def __init__(self, dataset: Dataset, settings: Settings) -> None:
        self._dataset, self._settings = dataset, settings

    def known(self, run_id: str) -> list[registry.Known]:
        """What the run says of itself there; it makes tables that are missing.

        Raises UserError where no stream may have this id.
        """
        with connected(self._dataset) as client:
            make_tables(client, self._dataset)
            found = registry.known(client, self._dataset, run_id)
        runs.check_statuses(run_id, "streaming", [(each.mode, each.status) for each in found])
        return found

    def is_empty(self, run_id: str) -> bool:
        """Whether nothing that the run has read is there."""
        with connected(self._dataset) as client:
            return registry.is_empty(client, self._dataset, run_id)

    def begun(self, run_id: str) -> runs.Begun | None:
        """By its rows in `runs`."""
        with connected(self._dataset) as client:
            return registry.begun(client, self._dataset, run_id)

    def prepare(self, run_id: str) -> None:  # noqa: ARG002 - nothing of a run has to be mended
        """Makes the views."""
        with connected(self._dataset) as client:
            write_views(client, self._dataset, shapes(self._settings.catalog.meters))

    def write_run(self, run: runs.Run) -> None:
        """A row for the status."""
        with connected(self._dataset) as client:
            if run.status == "running":
                registry.forget_end(client, self._dataset, run.run_id)
            registry.write_run(client, self._dataset, run)

    def begin_run(self, run: runs.Run, earlier: Sequence[registry.Known]) -> None:
        """See `registry.begin_run`."""
        with connected(self._dataset) as client:
            registry.begin_run(client, self._dataset, run, earlier)

    def write_failed(self, run: runs.Run) -> None:
        """See `registry.write_failed`."""
        registry.write_failed_anew(self._dataset, run)

    @contextmanager
    def opened(self, run_id: str) -> Iterator[Callable[[], int]]:  # noqa: ARG002 - one at a time
        """The connections of this process."""
        try:
            yield sink_of(self._dataset).safe_up_to
        finally:
            close_sink(self._dataset)

    def write(self, run_id: str, table: str) -> beam.PTransform:
        """By the Storage Write API."""
        return WriteBigQuery(self._dataset, table, run_id)

    def finished(self, run: runs.Run) -> Summary:
        """By the views of the dataset."""
        with connected(self._dataset) as client:
            finished.check(client, self._dataset, run, self._settings.max_rejects)
            return finished.summarize(client, self._dataset, run)


class DatasetOutput(DatasetTables):
    """The same, and a folder of this machine beside them."""

    def __init__(self, dataset: Dataset, settings: Settings, options: PipelineOptions) -> None:
        super().__init__(dataset, settings)
        self.state = state_of(dataset, options)
        self.about_state = f"; what it needs to go on is in {self.state}"

    def check(self, run_id: str, *, kept: bool) -> None:
        """What runs there say of themselves; it makes tables that are missing."""
        if self.known(run_id) and not kept:
            raise UserError(
                f"--run-id {run_id}: that stream was begun, and nothing of it is in {self.state};"
                " go on where it was, on the same machine and with the same --temp_location, or"
                " begin another run, and meter windows that both share with a batch run"
            )


def state_of(dataset: Dataset, options: PipelineOptions) -> Path:
    """The folder for what streams into a dataset keep: in a local --temp_location, or at home.

    Raises UserError for a path that is no folder.
    """
    given = options.view_as(GoogleCloudOptions).temp_location
    if given and "://" not in given:
        base = Path(given).expanduser()
    else:
        states = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        base = Path(states) / "meterbeam"
    return warehouse.check_out(base / str(dataset))
