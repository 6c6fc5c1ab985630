"""A desk to make live runs at whose tables are in a dataset."""

from pathlib import Path
from typing import Any

from bigquery_emulator import Emulator

from pipelines.bigquery.dataset import Dataset
from pipelines.views.dialects import bigquery_name
from stream_desk import StreamDesk


class DatasetDesk(StreamDesk):
    """A desk whose streams write to a dataset; `out` is where they keep what they need."""

    def __init__(self, folder: Path, dataset: Dataset, emulator: Emulator) -> None:
        super().__init__(folder)
        self.dataset, self.emulator = dataset, emulator
        self.out = folder / "kept" / str(dataset)

    def arguments(self, *more: object, out: Path | None = None) -> list[str]:
        place: Any = out or f"bigquery://{self.dataset}"
        return super().arguments("--temp_location", self.folder / "kept", *more, out=place)

    def rows(self, name: str, where: str = "TRUE") -> list[dict[str, Any]]:
        """Those of a table or view as users see it."""
        known = self.dataset.table(bigquery_name(name))
        return self.emulator.query(f"SELECT * FROM {known} WHERE {where}")  # noqa: S608 - ours

    def stored(self, table: str) -> int:
        """How many rows a table has, with those that are there twice."""
        return len(self.emulator.query(f"SELECT run_id FROM {self.dataset.table(table)}"))  # noqa: S608 - ours

    def tokens(self) -> list[tuple[int, int]]:
        rows = self.rows("usage_current", "meter = 'tokens'")
        return sorted((row["event_count"], int(row["quantity"])) for row in rows)

    def ended_well(self) -> None:
        assert all(row["balanced"] for row in self.rows("ledger_balance"))
        (run,) = self.rows("runs")
        assert (run["run_id"], run["mode"], run["status"]) == ("live", "streaming", "succeeded")
        origins = [row["origin"] for row in self.rows("events")]
        assert len(origins) == len(set(origins))
