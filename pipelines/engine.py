"""Runs the graph of a stream on this machine, with Prism."""

import contextlib
import copy
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import (
    DebugOptions,
    JobServerOptions,
    PipelineOptions,
    PortableOptions,
    PrismRunnerOptions,
    StandardOptions,
)
from apache_beam.runners.portability.prism_runner import PrismRunner
from apache_beam.runners.runner import PipelineState
from apache_beam.transforms.environments import (
    ExternalEnvironment,
    python_sdk_capabilities,
    resource_hints_from_options,
)

from pipelines.beam_options import engine_of
from pipelines.loopback import Loopback
from pipelines.no_sampler import without_sampler
from pipelines.prism_process import Prism
from pipelines.problems import JobFailedError, UserError

LOCAL_RUNNER = "PrismRunner"
# Prism 2.77 divides a bundle that looks slow also where its step keeps state, and then both parts
# may write the state of one key, so that changes are lost. This ends it, for steps of all kinds.
_NO_SPLITS = "prism_disable_sdf_split"
_POLL_S = 0.1
_CANCEL_S = 2.0
_EXCEPT = "no_grpc_proxy"  # gRPC has it in small letters only
_THIS_MACHINE = ("localhost", "127.0.0.1")


def is_local(options: PipelineOptions) -> bool:
    """Whether the stream runs on a Prism of this command's own."""
    name = engine_of(options, LOCAL_RUNNER)
    return name == "prism" and not options.view_as(PortableOptions).job_endpoint


def start_options(options: PipelineOptions, endpoint: str) -> PipelineOptions:
    """The options of a job for the Prism at `endpoint`."""
    local = copy.deepcopy(options)
    environment = local.view_as(PortableOptions).environment_type
    if environment not in (None, "LOOPBACK"):
        raise UserError(
            f"--environment_type {environment}: streams on this machine run in the process of the"
            " command; leave it out"
        )
    local.view_as(StandardOptions).runner = LOCAL_RUNNER
    local.view_as(StandardOptions).streaming = True
    local.view_as(PortableOptions).job_endpoint = endpoint
    local.view_as(DebugOptions).add_experiment(_NO_SPLITS)
    return local


class _Runner(PrismRunner):
    """Sends jobs to a Prism whose worker is asked at an address of this process.

    What Beam makes for LOOPBACK lists all installed packages first, which takes most of a second,
    and leaves a folder behind.
    """

    def __init__(self, worker: str) -> None:
        super().__init__()
        self._worker = worker

    def default_environment(self, options: PipelineOptions) -> ExternalEnvironment:
        """Where steps run."""
        hints = resource_hints_from_options(options)
        able = python_sdk_capabilities()
        return ExternalEnvironment(self._worker, capabilities=able, resource_hints=hints)


def run_graph(
    build: Callable[[beam.Pipeline], Any],
    options: PipelineOptions,
    poll: Callable[[], None],
    prism: Path,
) -> str:
    """Runs a graph until it ends, and gives its final state, DONE or CANCELLED.

    `prism` is its binary; `poll` is called about ten times a second and may
    raise to cancel the job. Raises the first exception of a step, or JobFailedError if the engine
    failed. To be called in the main thread.
    """
    given = options.view_as(PrismRunnerOptions).prism_log_level
    engine = Prism(
        prism,
        port=options.view_as(JobServerOptions).job_port,
        log_level="debug" if given == "debug" else "info",
    )
    _ask_no_proxy()
    with engine, without_sampler(), Loopback(options) as worker:
        pipeline = beam.Pipeline(
            runner=_Runner(worker.address), options=start_options(options, engine.endpoint)
        )
        build(pipeline)
        try:
            state = _watch(pipeline.run(), poll)
        except grpc.RpcError as error:
            raise JobFailedError(_refusal(engine, error)) from error
    if state == PipelineState.FAILED:
        raise worker.failures[0] if worker.failures else JobFailedError(engine.last_words())
    return state


def _ask_no_proxy() -> None:
    """Keeps gRPC from asking a proxy of the network for this machine, as it would."""
    given = os.environ.get(_EXCEPT) or os.environ.get("no_proxy") or ""
    names = [name for name in given.split(",") if name]
    os.environ[_EXCEPT] = ",".join(dict.fromkeys([*names, *_THIS_MACHINE]))


def _watch(result: Any, poll: Callable[[], None]) -> str:
    try:
        while not PipelineState.is_terminal(state := result.state):
            poll()
            time.sleep(_POLL_S)
    except BaseException:
        _cancel(result)
        raise
    return state


def _cancel(result: Any) -> None:
    """Cancels a job, and gives it a moment to end its worker in good order."""
    deadline = time.monotonic() + _CANCEL_S
    with contextlib.suppress(grpc.RpcError):  # it is gone already
        result.cancel()
        while not PipelineState.is_terminal(result.state) and time.monotonic() < deadline:
            time.sleep(_POLL_S / 4)


def _refusal(engine: Prism, error: grpc.RpcError) -> str:
    if error.code() == grpc.StatusCode.UNAVAILABLE:
        return engine.end()
    return f"Prism refuses the job: {error.details()}"
