"""`meterbeam tables`: makes the tables and views of an output, or prints the SQL that does."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines import warehouse
from pipelines.outputs import dataset_of, folder_of
from pipelines.views import MeterShape, shapes, views_sql
from transforms.catalog import Catalog


@dataclass(frozen=True)
class Output:
    """What a user names: a dataset of BigQuery, or a folder. Raises UserError for neither."""

    text: str
    catalog: Catalog | None = None  # its meters get a view each

    @property
    def meters(self) -> dict[str, MeterShape]:
        """What views know of the meters."""
        return shapes(self.catalog.meters if self.catalog else ())

    def sql(self) -> Iterator[str]:
        """The statements, in their order; nothing is asked for or written."""
        dataset = dataset_of(self.text)
        if dataset is None:
            yield from ("CREATE SCHEMA IF NOT EXISTS stored", "CREATE SCHEMA IF NOT EXISTS steps")
            yield from views_sql(folder_of(self.text), self.meters)
            return
        from pipelines.bigquery import tables, views  # noqa: PLC0415 - imports Google's clients

        yield from tables.tables_sql(dataset)
        yield from views.views_sql(dataset, self.meters)

    def make(self) -> list[str]:
        """Makes what is missing, and says what was done. Raises UserError."""
        dataset = dataset_of(self.text)
        if dataset is None:
            return self._make_folder()
        from pipelines.bigquery.client import connected  # noqa: PLC0415
        from pipelines.bigquery.tables import make_tables  # noqa: PLC0415
        from pipelines.bigquery.views import write_views  # noqa: PLC0415

        with connected(dataset) as client:
            done = make_tables(client, dataset)
            write_views(client, dataset, self.meters)
        return [*done, "the views are up to date"]

    def _make_folder(self) -> list[str]:
        folder = folder_of(self.text)
        warehouse.prepare(folder)
        warehouse.write_views(folder, self.meters)
        return [f"{folder}: the tables and views are up to date"]
