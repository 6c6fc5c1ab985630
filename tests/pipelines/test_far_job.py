"""What a command says of a job elsewhere of which it does not know how it ended."""

import os
import signal
import threading
from collections.abc import Iterator

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from endless_stream import RUNNING
from endless_stream import build as endless

from pipelines import far_job
from pipelines.far_engine import FarEngine
from pipelines.far_job import FarJob, JobGoesOnError
from pipelines.prism import get_prism
from pipelines.prism_process import Prism
from pipelines.problems import JobFailedError, UserError

LEFT = "--no_wait_until_finish"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far_job, "_POLL_S", 0.01)
    monkeypatch.setattr(far_job, "_PATIENCE_S", 0.1)


@pytest.fixture
def prism() -> Iterator[Prism]:
    with Prism(get_prism(PipelineOptions([]))) as running:
        yield running


def options(endpoint: str, *more: str) -> PipelineOptions:
    place = ["--runner=PortableRunner", f"--job_endpoint={endpoint}"]
    loopback = ["--environment_type=LOOPBACK", "--job_server_timeout=5"]
    return PipelineOptions([*place, *loopback, "--experiments=prism_disable_sdf_split", *more])


def begun(endpoint: str) -> FarJob:
    """An endless stream, when its first elements are through."""
    RUNNING.clear()
    engine = FarEngine.of(options(endpoint))
    pipeline = engine.pipeline()
    endless(pipeline)
    job = engine.begin(pipeline)
    assert RUNNING.wait(60)
    return job


def kill(prism: Prism) -> None:
    prism._process.kill()  # noqa: SLF001 - nobody else kills it
    prism._process.wait()  # noqa: SLF001 - likewise


def after(pause: float, *steps: object) -> threading.Timer:
    def take() -> None:
        for step in steps:
            step()  # type: ignore[operator]

    timer = threading.Timer(pause, take)
    timer.start()
    return timer


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_job_whose_engine_cannot_be_asked_may_go_on(prism: Prism) -> None:
    job = begun(prism.endpoint)
    kill(prism)
    with pytest.raises(JobGoesOnError, match=r"may go on, portable does not say how it is: .+"):
        job.wait(lambda _: None)
    with pytest.raises(JobGoesOnError, match="the run stays `running`"):
        job.wait_for_batch()


def test_a_job_that_ctrl_c_could_not_cancel_may_go_on(
    prism: Prism, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(far_job, "_PATIENCE_S", 60)
    job = begun(prism.endpoint)
    timer = after(0.1, lambda: kill(prism), interrupt)
    with pytest.raises(JobGoesOnError, match=r"goes on: .*, as it could not be cancelled"):
        job.wait(lambda _: None)
    timer.join()


def test_a_job_that_ctrl_c_cancels_has_ended(prism: Prism) -> None:
    job = begun(prism.endpoint)
    timer = after(0.1, interrupt)
    with pytest.raises(JobFailedError, match="the job was cancelled") as told:
        job.wait(lambda _: None)
    timer.join()
    assert not isinstance(told.value, JobGoesOnError)


def test_an_engine_that_is_not_there_has_not_taken_the_job(prism: Prism) -> None:
    engine = FarEngine.of_batch(options(prism.endpoint))
    pipeline = engine.pipeline()
    pipeline | beam.Create([1])
    kill(prism)
    with pytest.raises(JobFailedError, match="portable did not take the job") as told:
        engine.begin(pipeline)
    assert not isinstance(told.value, JobGoesOnError)


def test_a_batch_job_is_not_left_alone_with_workers_that_would_end_with_the_command() -> None:
    with pytest.raises(UserError, match="--no_wait_until_finish: with --environment_type LOOPBACK"):
        FarEngine.of_batch(options("127.0.0.1:1", LEFT))
