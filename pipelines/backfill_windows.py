"""What a backfill of an output would mend: its view `windows_to_backfill`."""

from collections.abc import Sequence
from typing import Any

from google.api_core.exceptions import NotFound

from pipelines import warehouse
from pipelines.backfill_plan import Window
from pipelines.bigquery.client import ask, connected
from pipelines.bigquery.dataset import PREFIX, Dataset
from pipelines.problems import UserError
from pipelines.settings import Settings
from pipelines.views import VIEWS
from pipelines.views.dialects import for_bigquery
from pipelines.views.duckdb_sql import for_duckdb

_LISTED = """
SELECT
  meter, UNIX_MICROS(window_start) AS start_us, UNIX_MICROS(window_end) AS end_us, reason, events
FROM windows_to_backfill
ORDER BY meter, start_us, end_us, reason
"""


def listed_windows(settings: Settings) -> list[Window]:
    """All windows that are listed now. Raises UserError where there is no such view."""
    if settings.dataset:
        return _windows(_of_dataset(settings.dataset))
    with warehouse.connect(settings.output) as connection:
        return _windows(connection.execute(for_duckdb(_LISTED)).fetchall())


def _of_dataset(dataset: Dataset) -> list[tuple[Any, ...]]:
    with connected(dataset) as client:
        try:
            rows = ask(client, for_bigquery(_LISTED, str(dataset), VIEWS))
        except NotFound as error:
            raise UserError(
                f"{PREFIX}{dataset}: {error.message}\nthe views are made by"
                f" `meterbeam tables --output {PREFIX}{dataset} --catalog C.yaml`, and by runs"
            ) from None
        return [row.values() for row in rows]


def _windows(rows: Sequence[Sequence[Any]]) -> list[Window]:
    return [Window(*row) for row in rows]
