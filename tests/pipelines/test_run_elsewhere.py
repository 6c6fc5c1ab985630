"""A stream on other machines: launched on Dataflow, and run by an engine and workers apart."""

import json
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import far_desk
import pytest
from apache_beam.portability.api import beam_runner_api_pb2 as api
from apache_beam.utils.retry import Clock
from bigquery_emulator import PROJECT, Emulator, emulating_bigquery
from bigquery_write_service import write_service
from dataflow_service import DataflowService, dataflow_service
from far_desk import FarDesk
from google.cloud.dataflow_v1beta3 import JobType
from storage_server import storing

from pipelines import far_job
from pipelines.bigquery.connection import EMULATOR
from pipelines.bigquery.dataset import Dataset
from pubsub_emulator import Emulator as Messages
from runs_desk import CATALOG, event
from stream_desk import Command
from transforms.tables import TABLES

# what a worker does before its first bundle, in a process that has the installed package alone
LOADS = """
import sys
import apache_beam as beam
from apache_beam.portability.api import beam_runner_api_pb2 as api
from apache_beam.options.pipeline_options import PipelineOptions
graph = api.Pipeline.FromString(open(sys.argv[1], "rb").read())
beam.Pipeline.from_runner_api(graph, "FnApiRunner", PipelineOptions())
"""
LEFT = "--no_wait_until_finish"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with emulating_bigquery() as running:
        yield running


@pytest.fixture(scope="module")
def kept(emulator: Emulator) -> Dataset:
    """One for all tests: its views are made once, which takes the emulator its time."""
    return Dataset(PROJECT, emulator.dataset())


@pytest.fixture(scope="module")
def address(service: Messages) -> str:
    return service.subscribe("calls")


@pytest.fixture
def dataflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[DataflowService]:
    monkeypatch.setattr(far_job, "_POLL_S", 0.01)
    with dataflow_service() as running:
        yield running


@pytest.fixture
def desk(
    tmp_path: Path, kept: Dataset, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FarDesk]:
    """A desk whose dataset has no rows."""
    for table in emulator.client.list_tables(str(kept)):
        if table.table_id in TABLES:
            emulator.query(f"DELETE FROM {kept.table(table.table_id)} WHERE TRUE")  # noqa: S608 - ours
    with storing(tmp_path / "gs") as files, write_service(emulator.client) as (appends, _):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", files)
        monkeypatch.setenv(EMULATOR, appends)
        yield FarDesk(tmp_path, tmp_path / "gs" / "bucket", kept, emulator)


def calls(first: int, count: int) -> list[bytes]:
    """Events as messages, which say when they arrived."""
    arrival = "2026-01-15T10:40:00Z"
    return [event(n, n, received_at=arrival).encode() for n in range(first, first + count)]


def graph_of(desk: FarDesk) -> Path:
    """What was staged for the last job."""
    return max(desk.bucket.rglob("pipeline.pb"), key=lambda path: path.stat().st_mtime_ns)


def test_dataflow_gets_the_whole_job_and_the_command_returns(
    desk: FarDesk, dataflow: DataflowService, address: str
) -> None:
    done = desk.launch(dataflow, address, LEFT, "--run-id", "live")
    assert "run live begins as job job-1 of Dataflow, see https://console" in done.stderr
    assert "gcloud dataflow jobs drain job-1 --region europe-west1 --project p" in done.stderr
    (job,) = dataflow.jobs
    assert job["type"] == JobType.JOB_TYPE_STREAMING
    assert "enable_streaming_engine" in job["environment"]["experiments"]
    (image,) = job["environment"]["workerPools"][0]["sdkHarnessContainerImages"]
    assert image["containerImage"] == far_desk.IMAGE
    (run,) = desk.rows("runs")
    assert (run["run_id"], run["status"], run["finished_at"]) == ("live", "running", None)
    steps = api.Pipeline.FromString(graph_of(desk).read_bytes()).components.transforms.values()
    urns = {each.unique_name: each.spec.urn for each in steps}
    (read,) = (name for name, urn in urns.items() if urn == "beam:transform:pubsub_read:v1")
    assert read.startswith("Read/Messages")
    elsewhere = desk.folder / "elsewhere"
    elsewhere.mkdir()
    loads = [sys.executable, "-I", "-c", LOADS, str(graph_of(desk))]
    subprocess.run(loads, cwd=elsewhere, check=True)


def test_a_run_has_one_job_and_those_that_take_its_place(
    desk: FarDesk, dataflow: DataflowService, address: str, service: Messages
) -> None:
    elsewhere = service.subscribe("elsewhere")
    named = [LEFT, "--job_name=metering", "--run-id", "live"]
    nobody = desk.launch(dataflow, address, *named, "--update", fails=2)
    assert "there is no such run" in nobody.stderr
    dataflow.refuses = "no quota"
    refused = desk.launch(dataflow, address, *named, fails=1)
    assert "did not take the job: 400" in refused.stderr
    assert "no quota" in refused.stderr
    dataflow.refuses = None
    desk.launch(dataflow, address, *named)  # the one before has read nothing
    assert desk.status() == "running"
    again = desk.launch(dataflow, address, *named, fails=2)
    assert "Launch it with --update" in again.stderr
    nameless = [LEFT, "--job_name=others", "--run-id", "live", "--update"]
    nobody = desk.launch(dataflow, address, *nameless, fails=2)
    assert "no job named others runs in europe-west1" in nobody.stderr
    changed = ["--source", "recorded", "--buckets", "8", "--update"]
    other = desk.launch(dataflow, elsewhere, *named, *changed, fails=2)
    for word in ("buckets", "source", "subscription"):
        assert f"--update: the running job has another {word}, and" in other.stderr
    desk.launch(dataflow, address, *named, "--update")
    first, second = dataflow.jobs
    assert ("replaceJobId" in first, second["replaceJobId"]) == (False, "job-1")
    assert desk.status() == "running"
    more = "  - {name: more, event_type: llm, aggregation: count}\n"
    (desk.bucket / "catalog.yaml").write_text(CATALOG + more)
    other = desk.launch(dataflow, address, *named, "--update", fails=2)
    assert "begun with another catalog" in other.stderr


def test_of_a_template_no_job_is_begun(
    desk: FarDesk, dataflow: DataflowService, address: str
) -> None:
    place = "--template_location=gs://bucket/launches/job_object"
    done = desk.launch(dataflow, address, place, "--run-id", "live")
    assert "begins as the job that Dataflow makes of this template" in done.stderr
    assert not dataflow.jobs
    assert json.loads((desk.bucket / "launches" / "job_object").read_text())["name"]
    assert desk.status() == "running"


def test_a_job_that_is_drained_ends_its_run(
    desk: FarDesk, dataflow: DataflowService, address: str
) -> None:
    dataflow.states = deque(f"JOB_STATE_{each}" for each in ("RUNNING", "DRAINING", "DRAINED"))
    done = desk.launch(dataflow, address, "--run-id", "live")
    assert "job job-1: RUNNING" in done.stderr
    assert desk.status() == "succeeded"
    dataflow.states = deque(["JOB_STATE_CANCELLED"])
    cut = desk.launch(dataflow, address, "--run-id", "cut", fails=1)
    assert "job job-2: CANCELLED" in cut.stderr
    assert desk.status("cut") == "failed"


def test_a_job_that_may_have_begun_or_may_go_on_leaves_its_run_running(
    desk: FarDesk, dataflow: DataflowService, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Clock, "sleep", lambda *_: None)
    monkeypatch.setattr(far_job, "_PATIENCE_S", 0.1)
    dataflow.is_lost = True
    lost = desk.launch(dataflow, address, LEFT, "--run-id", "lost", fails=1)
    assert "dataflow was asked to begin the job, and may have: " in lost.stderr
    assert dataflow.jobs
    dataflow.is_lost, dataflow.is_silent = False, True
    silent = desk.launch(dataflow, address, "--run-id", "silent", fails=1)
    assert "may go on, dataflow does not say how it is: " in silent.stderr
    assert "the run stays `running`: see at the engine" in silent.stderr
    assert (desk.status("lost"), desk.status("silent")) == ("running", "running")


def test_a_batch_run_that_is_not_waited_for_says_where_it_is(
    desk: FarDesk, dataflow: DataflowService
) -> None:
    dataflow.states = deque(["JOB_STATE_CANCELLED"])
    (desk.bucket / "a.ndjson").write_text(f"{event(1, 3)}\n")
    done = desk.launch_batch(dataflow, LEFT, "--run-id", "nightly")
    assert "run nightly begins as job job-1 of Dataflow, see https://console" in done.stderr
    assert f"its last step shows it in bigquery://{desk.dataset}" in done.stderr
    (job,) = dataflow.jobs
    assert job["type"] == JobType.JOB_TYPE_BATCH
    assert desk.status("nightly") == "running"


def test_a_stream_runs_where_neither_engine_nor_workers_are_of_the_command(
    desk: FarDesk, service: Messages, tmp_path: Path
) -> None:
    address = service.subscribe("far")
    desk.here(["tables", "--output", f"bigquery://{desk.dataset}", "--catalog", str(desk.catalog)])
    service.publish(address, calls(0, 50) + [b"nonsense"])
    with far_desk.prism() as engine, far_desk.workers(tmp_path) as pool:
        place = [*far_desk.at(engine, pool), "--run-id", "live", "--source", "recorded"]
        place += ["--buckets", "2", "--early", "0"]  # each bucket is rows to append of its own
        command = Command(tmp_path / "far.txt", desk.far(address, *place))
        try:
            command.until(lambda: desk.stored("usage"))
            service.publish(address, calls(40, 30))
            command.until(lambda: desk.tokens() == [(70, sum(range(70)))])
            command.until(lambda: all(row["balanced"] for row in desk.rows("ledger_balance")))
            command.send(signal.SIGINT)
            assert command.ends() == 1
        finally:
            if command.process.poll() is None:
                command.kill()
    assert "the job was cancelled" in command.errors
    assert desk.status() == "failed"
    assert not service.pull(address)  # all were acknowledged
    assert len(desk.rows("rejects")) == 1
