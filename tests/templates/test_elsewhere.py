"""Runs whose graph runs elsewhere, and launches of the templates, which run such jobs or make them.

They share emulators, and views of a dataset, which take the emulator its time.
"""

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from click.testing import CliRunner
from cloud import Cloud, dataflow, emulated, load, made
from flex_launcher import Image, launch
from graphs import described
from image import ROOT

from pipelines.bigquery.connection import EMULATOR
from pipelines.command import main
from pipelines.prism import get_prism
from pipelines.prism_process import Prism
from pipelines.template_parameters import BACKFILL, STREAM, Template
from runs_desk import Desk, event
from stream_desk import until
from transforms.tables import TABLES

GOLDEN = Path(__file__).with_name("graph.golden")
HOW = """\
the streaming graph has other names or coders than before, so a running job cannot be updated to it.
If that is meant, say in docs/templates.md under "What an update can take along" what changed, then
put these lines into tests/templates/graph.golden"""

COMPARED = ("usage_current", "ledger_balance", "rejects", "events_current")
_OWN = {"run_id", "written_at", "received_at"}  # of a run: its name, and its clock


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with emulated(tmp_path_factory.mktemp("gs")) as cloud:
        yield cloud


@pytest.fixture
def cloud(shared: Cloud) -> Cloud:
    """One without rows."""
    shared.writes.refuses = lambda *_: None
    for table in TABLES:
        shared.bigquery.query(f"DELETE FROM {shared.dataset.table(table)} WHERE TRUE")  # noqa: S608 - ours
    return shared


@pytest.fixture(scope="module")
def far() -> Iterator[list[str]]:
    """The options that send a graph to an engine that the command did not start."""
    with Prism(get_prism(PipelineOptions([])), port=0, log_level="info") as engine:
        there = ["--job_endpoint", engine.endpoint, "--environment_type", "LOOPBACK"]
        yield ["--runner", "PortableRunner", *there]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def start(
    image: Image, cloud: Cloud, tmp_path: Path
) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Launches a template with what a user gives, and with options of the job."""
    started: list[subprocess.Popen[bytes]] = []

    def start(template: Template, given: dict[str, str], **job: str) -> subprocess.Popen[bytes]:
        usual = {"catalog": "gs://bucket/catalog.yaml", "rates": "gs://bucket/rates.csv"}
        usual["output"] = f"bigquery://{cloud.dataset}"
        spec = ROOT / "templates" / f"{template.name}.json"
        started.append(launch(image, spec, usual | given, job, tmp_path / "console_logs"))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def ends(process: subprocess.Popen[bytes], log: Path) -> None:
    assert process.wait(60) == 0, log.read_text()[-3000:]


def line(number: int, arrives: str = "2026-01-15T10:40:00Z") -> bytes:
    return event(number, number, received_at=arrives).encode()


def test_a_stream_and_then_a_backfill_count_every_event(
    cloud: Cloud,
    start: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = cloud.messages.subscribe("calls")
    late = line(99, "2026-01-17T09:00:00Z")
    cloud.messages.publish(address, [*map(line, range(30)), late, b"nonsense"])
    given = {"input": address, "run_id": "live", "source": "recorded"}
    process = start(STREAM, given, runner="PrismRunner", temp_location=str(tmp_path / "temp"))
    log = tmp_path / "console_logs"

    def still() -> None:
        assert process.poll() is None, log.read_text()[-3000:]

    until(lambda: len(cloud.rows("events")) == 31 and cloud.tokens(), still)
    process.send_signal(signal.SIGTERM)
    ends(process, log)
    assert cloud.tokens() == [(30, sum(range(30)))]
    assert len(cloud.rows("windows_to_backfill")) == 2
    # reads go to the emulator itself, which the service that takes appends stands before
    monkeypatch.setenv(EMULATOR, cloud.bigquery.service.grpc)
    ends(start(BACKFILL, {"from": "2026-01-15", "max_rejects": "50%"}), log)
    assert cloud.tokens() == [(31, sum(range(30)) + 99)]
    assert cloud.rows("windows_to_backfill") == []
    assert all(row["balanced"] for row in cloud.rows("ledger_balance"))


def test_dataflow_gets_a_job_that_its_workers_can_load(
    cloud: Cloud,
    start: Callable[..., subprocess.Popen[bytes]],
    image: Image,
    tmp_path: Path,
) -> None:
    address = cloud.messages.subscribe("others")
    given = {"input": address, "run_id": "on-dataflow"}
    ends(start(STREAM, given, **dataflow(1)), tmp_path / "console_logs")
    job, pipeline = made(cloud, 1)
    assert job["type"] == "JOB_TYPE_STREAMING"
    options = job["environment"]["sdkPipelineOptions"]["options"]
    assert options["number_of_worker_harness_threads"] == 8
    (pool,) = job["environment"]["workerPools"]
    images = {each["containerImage"] for each in pool["sdkHarnessContainerImages"]}
    assert images == {"europe-docker.pkg.dev/p/r/i:1"}
    assert "enable_streaming_engine" in job["environment"]["experiments"]
    loaded = load(cloud, image)
    assert any(each.startswith("transforms.") for each in loaded)
    assert not any(each in {"__main__", "main"} for each in loaded)
    assert described(pipeline) == GOLDEN.read_text().splitlines(), (
        HOW + "\n" + "\n".join(described(pipeline))
    )


def test_a_backfill_on_dataflow_is_one_job_whose_last_step_shows_it(
    cloud: Cloud,
    start: Callable[..., subprocess.Popen[bytes]],
    image: Image,
    tmp_path: Path,
) -> None:
    ends(start(BACKFILL, {}, **dataflow(2)), tmp_path / "console_logs")
    job, pipeline = made(cloud, 2)
    assert job["type"] == "JOB_TYPE_BATCH"
    names = {step.unique_name for step in pipeline.components.transforms.values()}
    assert any("Nothing to do" in each for each in names)
    assert load(cloud, image)


def test_a_run_elsewhere_says_in_a_dataset_what_it_says_in_a_folder(
    cloud: Cloud, desk: Desk, far: list[str]
) -> None:
    lines = [event(i % 7, f"{i % 7}.1", 10 + i % 7 % 3, customer_id="c'\"\\") for i in range(9)]
    path = desk.file("a.ndjson", *lines, event(9, "many"), "non'sense", event(1, 99))
    desk.run("--input", path)
    run(desk, cloud, "--input", path, *far)
    same(cloud, desk)
    assert set(statuses(cloud).values()) == {"succeeded"}


def test_what_does_not_hold_is_found_by_the_graph_itself_and_shows_nothing(
    cloud: Cloud, desk: Desk, far: list[str]
) -> None:
    first = desk.file("a.ndjson", event(1, 5, 10), event(2, 6, 11), "nonsense")
    limit = ("--max-rejects", "10%", "--run-id", "x")
    said = run(desk, cloud, "--input", first, *limit, *far, fails=1)
    assert "1 rejects of 3 records received are more than --max-rejects" in said
    assert statuses(cloud)["x"] == "failed"
    assert all(cloud.rows(view) == [] for view in COMPARED)
    run(desk, cloud, "--input", first, "--run-id", "x", *far)
    assert hours(cloud) == {10: 5, 11: 6}
    assert len(cloud.stored("events")) == 2
    late = desk.file("b.ndjson", event(3, 7, 10))
    said = run(desk, cloud, "--input", late, "--run-id", "late", *far, fails=1)
    assert "2026-01-15T10:00:00" in said
    assert hours(cloud) == {10: 5, 11: 6}
    run(desk, cloud, "--input", late, "--run-id", "late", "--replace", *far)
    assert hours(cloud) == {10: 7, 11: 6}
    cloud.writes.refuses = lambda table, _: "none of these" if table == "usage" else None
    run(desk, cloud, "--input", late, "--run-id", "odd", "--replace", *far, fails=1)
    assert statuses(cloud)["odd"] == "failed"
    assert hours(cloud) == {10: 7, 11: 6}


def test_a_run_that_succeeded_is_not_done_again(cloud: Cloud, desk: Desk, far: list[str]) -> None:
    path = desk.file("a.ndjson", event(1, 5))
    run(desk, cloud, "--input", path, "--run-id", "x", *far)
    done = run(desk, cloud, "--input", path, "--run-id", "x", *far, fails=2)
    assert "run x has succeeded" in done
    assert hours(cloud) == {10: 5}


def test_dataflow_is_not_asked_to_read_files_of_this_machine(cloud: Cloud, desk: Desk) -> None:
    path = desk.file("a.ndjson", event(1, 5))
    done = run(desk, cloud, "--input", path, "--runner", "DataflowRunner", fails=2)
    assert f"--input {path}: Dataflow reads gs:// and bigquery:// only" in done
    folder = desk.run("--input", path, "--runner", "DataflowRunner", fails=2)
    assert "a folder is of this machine, and Dataflow's workers are not" in folder.stderr
    assert not desk.out.exists()
    assert len(cloud.stored("events")) == 0


def run(desk: Desk, cloud: Cloud, *args: object, fails: int = 0) -> str:
    """What a run into the dataset says to standard error."""
    usual = ["--catalog", desk.folder / "catalog.yaml", "--rates", desk.folder / "rates.csv"]
    given = ["run", *usual, "--output", f"bigquery://{cloud.dataset}", "--quiet", *args]
    done = CliRunner().invoke(main, [str(each) for each in given])
    assert done.exit_code == fails, (done.output, done.exception)
    return done.stderr


def statuses(cloud: Cloud) -> dict[str, str]:
    return {row["run_id"]: row["status"] for row in cloud.rows("runs")}


def hours(cloud: Cloud) -> dict[int, int]:
    rows = [row for row in cloud.rows("usage_current") if row["meter"] == "tokens"]
    return {row["window_start"].hour: int(row["quantity"]) for row in rows}


def same(cloud: Cloud, desk: Desk) -> None:
    for view in COMPARED:
        columns = [name for (name, *_) in desk.ask(f"DESCRIBE {view}")]
        local = [dict(zip(columns, row, strict=True)) for row in desk.ask(f"FROM {view}")]
        assert local
        assert sorted(map(said, cloud.rows(view))) == sorted(map(said, local)), view


def said(row: dict[str, object]) -> str:
    return str({k: str(v) for k, v in sorted(row.items()) if k not in _OWN}).replace("UTC", "")
