"""Emulators of the cloud that jobs run in, and what a launch leaves there for Dataflow."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from apache_beam.portability.api import beam_runner_api_pb2
from bigquery_emulator import PROJECT, Emulator, emulating_bigquery
from bigquery_write_service import WriteService, write_service
from flex_launcher import Image
from storage_server import storing

import pubsub_emulator
from pipelines.bigquery.connection import EMULATOR
from pipelines.bigquery.dataset import Dataset
from pipelines.bigquery.tables import make_tables
from pipelines.bigquery.views import write_views
from pipelines.views import shapes
from pipelines.views.dialects import bigquery_name
from runs_desk import CATALOG, RATES
from transforms.catalog_file import load_catalog

# what a worker does with a job's pipeline before its first element
LOAD = """
import json, sys
from apache_beam.coders.coders import deserialize_coder
from apache_beam.internal import pickler
from apache_beam.portability.api import beam_runner_api_pb2 as api
components = api.Pipeline.FromString(open(sys.argv[1], 'rb').read()).components
found = []
for step in components.transforms.values():
    if step.spec.urn == 'beam:transform:pardo:v1':
        made = api.ParDoPayload.FromString(step.spec.payload).do_fn
        found.append(type(pickler.loads(made.payload)[0]).__module__)
for coder in components.coders.values():
    if coder.spec.urn == 'beam:coder:pickled_python:v1':
        found.append(type(deserialize_coder(coder.spec.payload)).__module__)
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Cloud:
    """Emulators of all that a job needs, which this process and those it starts take for it."""

    bucket: Path
    bigquery: Emulator
    messages: pubsub_emulator.Emulator
    dataset: Dataset
    writes: WriteService

    def rows(self, view: str) -> list[dict[str, Any]]:
        known = self.dataset.table(bigquery_name(view))
        return self.bigquery.query(f"SELECT * FROM {known}")  # noqa: S608 - ours

    def stored(self, table: str) -> list[dict[str, Any]]:
        """The rows of a table, shown or not."""
        return self.bigquery.query(f"SELECT run_id FROM {self.dataset.table(table)}")  # noqa: S608 - ours

    def tokens(self) -> list[tuple[int, int]]:
        rows = [row for row in self.rows("usage_current") if row["meter"] == "tokens"]
        return sorted((row["event_count"], int(row["quantity"])) for row in rows)


@contextmanager
def emulated(files: Path) -> Iterator[Cloud]:
    """A cloud whose gs:// is a folder: it has a bucket, and a catalog and rates in that."""
    (files / "bucket").mkdir()
    (files / "bucket" / "catalog.yaml").write_text(CATALOG)
    (files / "bucket" / "rates.csv").write_text(RATES)
    with (
        emulating_bigquery() as bigquery,
        write_service(bigquery.client) as (address, writes),
        pubsub_emulator.emulating() as messages,
        storing(files) as storage,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv(EMULATOR, address)
        patch.setenv("STORAGE_EMULATOR_HOST", storage)
        patch.setenv("XDG_STATE_HOME", str(files / "state"))
        dataset = Dataset(PROJECT, bigquery.dataset())
        make_tables(bigquery.client, dataset)
        meters = load_catalog("catalog.yaml", CATALOG.encode()).meters
        write_views(bigquery.client, dataset, shapes(meters))
        yield Cloud(files / "bucket", bigquery, messages, dataset, writes)


def dataflow(number: int) -> dict[str, str]:
    """The options with which Dataflow's launcher has a job made."""
    return {
        "runner": "DataflowRunner",
        "project": PROJECT,
        "region": "europe-west1",
        "job_name": "metering",
        "staging_location": "gs://bucket/staging",
        "temp_location": "gs://bucket/temp",
        "template_location": f"gs://bucket/staging/template_launches/{number}/job_object",
        "sdk_container_image": "europe-docker.pkg.dev/p/r/i:1",
    }


def made(cloud: Cloud, number: int) -> tuple[dict[str, Any], beam_runner_api_pb2.Pipeline]:
    """The job that a launch has left for Dataflow, and its graph."""
    place = cloud.bucket / "staging" / "template_launches" / str(number) / "job_object"
    return json.loads(place.read_text()), beam_runner_api_pb2.Pipeline.FromString(
        staged(cloud).read_bytes()
    )


def staged(cloud: Cloud) -> Path:
    """The graph that was put into the bucket last."""
    return max(cloud.bucket.rglob("pipeline.pb"), key=lambda each: each.stat().st_mtime_ns)


def load(cloud: Cloud, image: Image) -> list[str]:
    """The modules of all that a worker of the image unpickles of a job."""
    done = subprocess.run(
        [image.python, "-c", LOAD, staged(cloud)],
        cwd=image.main.parent,
        env={"PATH": os.defpath, "HOME": str(image.main.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)
