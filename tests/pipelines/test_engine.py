"""Streams run on a Prism of their own, which hears only this machine and ends with its context."""

import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import (
    PipelineOptions,
    PortableOptions,
    PrismRunnerOptions,
    StandardOptions,
)
from apache_beam.testing import test_stream
from endless_stream import RUNNING
from endless_stream import build as endless

from pipelines.engine import is_local, run_graph, start_options
from pipelines.loopback import Loopback
from pipelines.prism import get_prism
from pipelines.prism_process import Prism
from pipelines.problems import JobFailedError, UserError

NONE = PipelineOptions([])
SEEN: list[int] = []


class OurError(Exception):
    """Takes two arguments, so that Beam cannot copy it."""

    def __init__(self, record: int, why: str) -> None:
        super().__init__(f"record {record}: {why}\nand more of it")


@pytest.fixture(scope="module")
def binary() -> Path:
    return get_prism(NONE)


def see(number: int) -> None:
    SEEN.append(number)


def few(pipeline: beam.Pipeline) -> None:
    _ = pipeline | beam.Create([1, 2, 3]) | beam.Map(see)


def failing(pipeline: beam.Pipeline) -> None:
    def fail(record: int) -> None:
        raise OurError(record, "bad")

    _ = pipeline | beam.Create([7]) | "a step" >> beam.Map(fail)


def nothing() -> None:
    """Polls nothing."""


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_graph_runs_in_this_process_to_its_end(
    binary: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    SEEN.clear()
    assert run_graph(few, NONE, nothing, binary) == "DONE"
    assert sorted(SEEN) == [1, 2, 3]
    assert capfd.readouterr() == ("", "")


def test_a_proxy_of_the_network_is_not_in_the_way(
    binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("no_grpc_proxy", "example.com")
    assert run_graph(few, NONE, nothing, binary) == "DONE"


def test_what_a_step_raises_is_raised_as_it_was(
    binary: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(OurError) as error:
        run_graph(failing, NONE, nothing, binary)
    assert str(error.value) == "record 7: bad\nand more of it"
    assert "Traceback" not in capfd.readouterr().err


def test_what_prism_cannot_do_is_said(binary: Path) -> None:
    def two_scripts(pipeline: beam.Pipeline) -> None:
        _ = pipeline | "one" >> test_stream.TestStream().advance_watermark_to_infinity()
        _ = pipeline | "two" >> test_stream.TestStream().advance_watermark_to_infinity()

    with pytest.raises(JobFailedError, match=r"(?s)Prism refuses the job: .*TestStream"):
        run_graph(two_scripts, NONE, nothing, binary)


def test_an_error_while_polling_cancels_the_job(
    binary: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    class Enough(Exception):  # noqa: N818 - no error
        """Raised when the job runs."""

    def poll() -> None:
        if RUNNING.is_set():
            raise Enough

    RUNNING.clear()
    with pytest.raises(Enough):
        run_graph(endless, NONE, poll, binary)
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_an_engine_that_is_killed_is_named_and_nothing_else_is_said(
    binary: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def children() -> set[int]:
        task = Path(f"/proc/self/task/{os.getpid()}/children")
        return {int(child) for child in task.read_text().split()}

    def poll() -> None:
        if RUNNING.is_set():
            for child in children() - others:
                os.kill(child, signal.SIGKILL)

    others = children()  # those of other tests
    RUNNING.clear()
    with pytest.raises(JobFailedError, match="Prism was ended by SIGKILL"):
        run_graph(endless, NONE, poll, binary)
    assert capfd.readouterr().err == ""


def test_prism_and_its_worker_hear_this_machine_only(binary: Path) -> None:
    with Prism(binary) as engine, Loopback(NONE) as worker:
        for address in (engine.endpoint, worker.address):
            port = int(address.rpartition(":")[2])
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            with pytest.raises(OSError, match="refused"):  # what listens everywhere answers here
                socket.create_connection(("127.0.0.2", port), timeout=5)


def test_prism_is_gone_when_its_context_ends_also_if_it_does_not_listen(binary: Path) -> None:
    with Prism(binary) as engine:
        process = engine._process  # noqa: SLF001 - its id
        assert os.getsid(process.pid) == process.pid
        process.send_signal(signal.SIGSTOP)
    assert process.returncode == -signal.SIGKILL


def test_what_does_not_start_says_why(tmp_path: Path) -> None:
    broken = program(tmp_path / "broken", "echo 'panic: no room' >&2; echo rest >&2; exit 3")
    with pytest.raises(JobFailedError, match="broken did not start: panic: no room"):
        Prism(broken).__enter__()
    no_program = tmp_path / "text"
    no_program.write_text("text")
    no_program.chmod(0o755)
    with pytest.raises(JobFailedError, match="Exec format error"):
        Prism(no_program).__enter__()


@pytest.mark.parametrize(
    ("args", "local"),
    [
        ([], True),
        (["--runner=prism"], True),
        (["--runner=PrismRunner"], True),
        (["--runner=apache_beam.runners.portability.prism_runner.PrismRunner"], True),
        (["--runner=PrismRunner", "--job_endpoint=localhost:8073"], False),
        (["--runner=FlinkRunner"], False),
        (["--runner=DataflowRunner"], False),
    ],
)
def test_the_runner_that_is_named_decides_where_a_stream_runs(args: list[str], local: Any) -> None:
    assert is_local(PipelineOptions(args)) is local


def test_the_job_gets_the_options_of_the_user_and_those_of_the_engine() -> None:
    given = PipelineOptions(["--prism_log_level=debug"])
    options = start_options(given, "127.0.0.1:7")
    assert options.view_as(PrismRunnerOptions).prism_log_level == "debug"
    assert options.view_as(StandardOptions).streaming
    assert options.view_as(PortableOptions).job_endpoint == "127.0.0.1:7"
    assert not given.view_as(StandardOptions).streaming
    with pytest.raises(UserError, match="--environment_type DOCKER"):
        start_options(PipelineOptions(["--environment_type=DOCKER"]), "127.0.0.1:7")
