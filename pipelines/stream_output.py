"""Where a stream writes: what it asks of a place for its tables, and a folder as such a place."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import apache_beam as beam
import pyarrow.parquet as pq

from pipelines import runs, warehouse
from pipelines.live_files import remove_torn
from pipelines.live_tables import LiveTables
from pipelines.run import check_finished
from pipelines.settings import Settings
from pipelines.summary import Summary, summarize
from pipelines.views import shapes
from pipelines.write_live import WriteLive
from transforms.tables import RUNS

# how long rows wait at most for others, so that a file has more than a few
_PAUSES_S = {"usage": 0.02, "events": 0.5, "rejects": 0.5, "ledger": 0.5}


class StreamOutput(Protocol):
    """The tables of a stream. Any method raises JobFailedError for what a place refuses."""

    @property
    def state(self) -> Path:
        """The folder on this machine for what a stream keeps beside its tables."""

    @property
    def about_state(self) -> str:
        """Where that is, in words for the user; empty where they know."""

    def check(self, run_id: str, *, kept: bool) -> None:
        """Raises UserError where no stream may begin under this id.

        Nor may it go on, where nothing of it was `kept` on this machine.
        """

    def begun(self, run_id: str) -> runs.Begun | None:
        """What is known of the run; None if it is new."""

    def prepare(self, run_id: str) -> None:
        """Makes tables and views, and mends what a crash left."""

    def write_run(self, run: runs.Run) -> None:
        """Writes the status of a run. One that runs again has no earlier end any more."""

    def write_failed(self, run: runs.Run) -> None:
        """The same for one that failed, as far as it can be written."""

    def opened(self, run_id: str) -> AbstractContextManager[Callable[[], int]]:
        """Around the graph; gives who tells up to which stamp (ms) events and rejects are safe."""

    def write(self, run_id: str, table: str) -> beam.PTransform:
        """Takes the rows of a table."""

    def finished(self, run: runs.Run) -> Summary:
        """Raises JobFailedError where something does not hold that must in the end."""


class FolderOutput:
    """A folder of this machine."""

    about_state = ""

    def __init__(self, settings: Settings) -> None:
        self.state = settings.output
        self._settings = settings

    def check(self, run_id: str, *, kept: bool) -> None:  # noqa: ARG002 - all is in the folder
        """What runs there say of themselves."""
        runs.check_run_id(self.state, run_id, "streaming")

    def begun(self, run_id: str) -> runs.Begun | None:
        """By the files of its rows in `runs`."""
        folder = self.state / "runs" / run_id
        files = sorted(folder.glob("[!.]*.parquet"))
        times = [pq.read_table(each, schema=RUNS)["started_at"][0].as_py() for each in files]
        return runs.Begun(min(times), (folder / "succeeded.parquet").exists()) if times else None

    def prepare(self, run_id: str) -> None:
        """Removes files that a power failure left torn."""
        remove_torn(self.state, run_id)
        warehouse.prepare(self.state)
        warehouse.write_views(self.state, shapes(self._settings.catalog.meters))

    def write_run(self, run: runs.Run) -> None:
        """A file for the status."""
        runs.write_run(self.state, run)

    def write_failed(self, run: runs.Run) -> None:
        """See `runs.write_failed`."""
        runs.write_failed(self.state, run)

    @contextmanager
    def opened(self, run_id: str) -> Iterator[Callable[[], int]]:
        """The open tables."""
        with LiveTables(self.state, run_id, _PAUSES_S) as tables:
            yield tables.safe_up_to

    def write(self, run_id: str, table: str) -> beam.PTransform:
        """Into the open tables."""
        return WriteLive(str(self.state), run_id, table)

    def finished(self, run: runs.Run) -> Summary:
        """By the views of the folder."""
        with warehouse.connect(self.state, pending=run.run_id) as pending:
            check_finished(pending, self._settings, run)
            return summarize(pending, run)


def too_many(run: runs.Run, received: int, rejected: int, most: Decimal, where: str) -> str:
    """What is wrong with a run of too many rejects."""
    return (
        f"run {run.run_id}: {rejected:,} rejects of {received:,} records received are more than"
        f" --max-rejects {most * 100:f}%; they are in {where}"
    )
