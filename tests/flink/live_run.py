"""The graph of a stream on a Flink cluster, into a folder, without the command around it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from flink_cluster import OPTIONS, Cluster, until

from pipelines import runs, warehouse
from pipelines.metering import Job, build
from pipelines.views import shapes
from transforms.catalog import Catalog


@contextmanager
def graph_on(
    flink: Cluster, out: Path, started: datetime, job: Job, options: Sequence[str]
) -> Iterator[str]:
    """While the graph of the run `live` runs; gives the id of Flink's job."""
    warehouse.prepare(out)
    warehouse.write_views(out, shapes(job.catalog.meters))
    runs.write_run(out, _record(job.catalog, started))
    pipeline = beam.Pipeline(options=PipelineOptions([*OPTIONS, *options]))
    build(pipeline, job)
    before = len(flink.jobs())
    pipeline.run()
    until(
        lambda: len(flink.jobs()) > before and flink.runs() and flink.jobs()[-1]["tasks"]["total"]
    )
    name = flink.jobs()[-1]["jid"]
    try:
        yield name
    finally:
        flink.cancel(name)
        until(lambda: flink.jobs()[-1]["state"] == "CANCELED")


def _record(catalog: Catalog, started: datetime) -> runs.Run:
    return runs.Run(
        run_id="live",
        mode="streaming",
        status="running",
        range_start=None,
        range_end=None,
        meters=tuple(meter.name for meter in catalog.meters),
        started_at=started,
        finished_at=None,
        catalog_digest=catalog.digest,
        rates_digest=None,
    )


def dimensions(catalog: Catalog) -> Mapping[str, tuple[str, ...]]:
    """The names of the dimensions of each meter, as rates are checked by."""
    return {meter.name: tuple(name for name, _ in meter.dimensions) for meter in catalog.meters}
