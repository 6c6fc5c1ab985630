"""Options of an engine behind a job server are known by asking it, and no others are."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

from pipelines.beam_options import beam_options
from pipelines.far_engine import FarEngine
from pipelines.job_server import engine_options
from pipelines.problems import UserError


class _Engine(beam_job_api_pb2_grpc.JobServiceServicer):
    """A job server that says which options it has."""

    def DescribePipelineOptions(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        option = beam_job_api_pb2.PipelineOptionDescriptor(name="checkpointing_interval")
        return beam_job_api_pb2.DescribePipelineOptionsResponse(options=[option])


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(1))
    beam_job_api_pb2_grpc.add_JobServiceServicer_to_server(_Engine(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


def named(endpoint: str, *more: str) -> list[str]:
    return ["--runner=PortableRunner", f"--job_endpoint={endpoint}", *more]


@pytest.mark.parametrize(
    "given", [["--checkpointing_interval=5"], ["--checkpointing_interval", "5"]]
)
def test_an_option_of_the_engine_is_taken(endpoint: str, given: list[str]) -> None:
    assert beam_options(named(endpoint, *given))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--checkpoint_interval=5"], "did you mean --checkpointing_interval"),
        (["--checkpointing_interval=5", "--no-such"], "--no-such"),
        (["--checkpointing_interval", "5", "stray", "--no-such", "6"], "--no-such"),
    ],
)
def test_an_option_that_nobody_has_is_an_error(endpoint: str, given: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        beam_options(named(endpoint, *given))


def test_a_stream_without_checkpoints_is_refused_as_no_row_would_come(endpoint: str) -> None:
    for more in ([], ["--checkpointing_interval=-1"]):
        with pytest.raises(UserError, match="--checkpointing_interval: say how often"):
            FarEngine.of(beam_options(named(endpoint, *more)))
    assert FarEngine.of(beam_options(named(endpoint, "--checkpointing_interval=5")))
    assert FarEngine.of_batch(beam_options(named(endpoint)))


def test_a_job_server_that_does_not_say_its_options_has_none() -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        assert engine_options(f"127.0.0.1:{port}") == frozenset()
    finally:
        server.stop(0).wait()


def test_an_engines_option_without_an_engine_is_an_error() -> None:
    with pytest.raises(UserError, match="--checkpointing_interval"):
        beam_options(["--checkpointing_interval=5"])


def test_a_job_server_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.job_server._ANSWER_S", 0.5)
    with pytest.raises(UserError, match=r"--job_endpoint 127\.0\.0\.1:1: no job server answers"):
        beam_options(named("127.0.0.1:1", "--checkpointing_interval=5"))
