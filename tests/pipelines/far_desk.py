"""A desk to begin streams at that run elsewhere: on Dataflow, or on an engine of another process.

The tables are in a dataset, the messages at an emulator of Pub/Sub, catalog and rates in gs://bucket.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from apache_beam.options.pipeline_options import PipelineOptions
from bigquery_emulator import Emulator
from click.testing import Result
from dataflow_service import DataflowService
from dataset_streams import DatasetDesk

from pipelines.bigquery.dataset import Dataset
from pipelines.prism import get_prism
from pipelines.prism_process import Prism

IMAGE = "example.com/meterbeam:1"
_START_S, _END_S = 60.0, 10.0
_ALONE = [("grpc.enable_http_proxy", 0)]


class FarDesk(DatasetDesk):
    """A desk whose streams run elsewhere; `bucket` is the folder that is gs://bucket."""

    def __init__(self, folder: Path, bucket: Path, dataset: Dataset, emulator: Emulator) -> None:
        super().__init__(folder, dataset, emulator)
        self.bucket = bucket
        (bucket / "rates").mkdir(parents=True)
        (bucket / "catalog.yaml").write_bytes(self.catalog.read_bytes())
        for file in self.rates.iterdir():
            (bucket / "rates" / file.name).write_bytes(file.read_bytes())

    def far(self, address: str, *more: object) -> list[str]:
        """A stream that reads a subscription."""
        files = ["--catalog", "gs://bucket/catalog.yaml", "--rates", "gs://bucket/rates"]
        given = ["run", "--streaming", "--input", address, "--output", f"bigquery://{self.dataset}"]
        return [*given, *files, "--temp_location=gs://bucket/temp", *map(str, more)]

    def launch(
        self, dataflow: DataflowService, address: str, *more: object, fails: int = 0
    ) -> Result:
        """One on Dataflow."""
        return self.here(self.far(address, *self.on(dataflow), *more), fails)

    def launch_batch(self, dataflow: DataflowService, *more: object, fails: int = 0) -> Result:
        """A batch run there, over the files that the bucket has."""
        words = self.far("gs://bucket/*.ndjson", *self.on(dataflow), *more)
        return self.here([word for word in words if word != "--streaming"], fails)

    def on(self, dataflow: DataflowService) -> list[str]:
        """The options of a job on Dataflow."""
        place = ["--project=p", "--region=europe-west1", f"--dataflow_endpoint={dataflow.address}"]
        job = ["--runner=DataflowRunner", "--no_auth", f"--sdk_container_image={IMAGE}"]
        return [*job, *place]

    def status(self, run_id: str = "live") -> str:
        """That of a run."""
        (status,) = {row["status"] for row in self.rows("runs", f"run_id = '{run_id}'")}
        return str(status)


@contextmanager
def prism() -> Iterator[str]:
    """The address of an engine that is not the command's own."""
    with Prism(get_prism(PipelineOptions([]))) as engine:
        yield engine.endpoint


@contextmanager
def workers(folder: Path) -> Iterator[str]:
    """The address of a pool of workers, each a process that has the installed package alone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    known = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    known["PATH"] = f"{Path(sys.executable).parent}:{known['PATH']}"  # a worker is `python` there
    module = "apache_beam.runners.worker.worker_pool_main"
    with (folder / "workers.txt").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, f"--service_port={port}"],
            cwd=folder,
            env=known,
            stdout=log,
            stderr=log,
        )
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=_ALONE) as channel:
            grpc.channel_ready_future(channel).result(_START_S)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(_END_S)


def at(engine: str, pool: str) -> list[str]:
    """The options of such a place."""
    place = ["--environment_type=EXTERNAL", f"--environment_config={pool}"]
    no_splits = "--experiments=prism_disable_sdf_split"
    return ["--runner=PortableRunner", f"--job_endpoint={engine}", *place, no_splits]
