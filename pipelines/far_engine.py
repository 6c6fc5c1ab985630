"""Engines that are not on this machine: what is asked of one, and what becomes of a job there."""

import contextlib
import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    SetupOptions,
    StandardOptions,
    WorkerOptions,
)
from apache_beam.runners.runner import PipelineState
from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError

from pipelines.beam_options import engine_of, is_launch
from pipelines.problems import JobFailedError, UserError

_DATAFLOW = "dataflow"
_PORTABLE = ("flink", "portable", "prism", "spark")  # engines that a job server stands for
_POLL_S = 2.0


@dataclass(frozen=True)
class FarEngine:
    """An engine that the user named, and the options of a stream's job on it."""

    name: str
    options: PipelineOptions

    @classmethod
    def of(cls, given: PipelineOptions) -> "FarEngine":
        """Raises UserError for one that runs no streams, or lacks what a job there needs."""
        options = copy.deepcopy(given)
        options.view_as(StandardOptions).streaming = True
        name = engine_of(options)
        if name not in {_DATAFLOW, *_PORTABLE}:
            named = options.view_as(StandardOptions).runner or ""
            raise UserError(
                f"--runner {named}: streams run on Prism, on Dataflow, and on Flink and others"
                " behind a job server (--job_endpoint)"
            )
        engine = cls(name, options)
        engine._check()
        return engine

    @property
    def is_dataflow(self) -> bool:
        """Whether it is Dataflow, which reads messages by itself."""
        return self.name == _DATAFLOW

    @property
    def makes_template(self) -> bool:
        """Whether there is no job yet when the command is done: a launcher makes it."""
        return is_launch(self.options)

    @property
    def updates(self) -> bool:
        """Whether the job takes the place, and the state, of one that runs."""
        return self.is_dataflow and bool(self.options.view_as(GoogleCloudOptions).update)

    @property
    def is_left_alone(self) -> bool:
        """Whether the command ends when the job is begun."""
        return self.makes_template or self.options.view_as(StandardOptions).no_wait_until_finish

    def pipeline(self) -> beam.Pipeline:
        """See `pipeline_of`."""
        return pipeline_of(self.options)

    def begin(self, pipeline: beam.Pipeline) -> "FarJob":
        """Raises JobFailedError where the engine does not take the job."""
        try:
            return FarJob(self, pipeline.run())
        except Exception as error:  # each runner's client fails in kinds of its own
            raise JobFailedError(f"{self.name} did not take the job: {words_of(error)}") from error

    def _check(self) -> None:
        place = self.options.view_as(PortableOptions)
        if self.is_dataflow:
            check_image(self.options)
        elif self.is_left_alone and place.environment_type == "LOOPBACK":
            raise UserError(
                "--no_wait_until_finish: with --environment_type LOOPBACK the workers are in this"
                " command, and would end with it"
            )


@dataclass(frozen=True)
class FarJob:
    """A job that an engine has taken."""

    engine: FarEngine
    result: Any

    @property
    def name(self) -> str:
        """The engine's word for it; empty where there is none."""
        if self.engine.is_dataflow:
            return str(self.result.job_id()) if self.result.has_job else ""
        return str(getattr(self.result, "_job_id", ""))

    @property
    def about(self) -> str:
        """What it is and where to look at it, in words."""
        if self.engine.makes_template:
            return "as the job that Dataflow makes of this template"
        place = self.engine.options.view_as(GoogleCloudOptions)
        if not self.engine.is_dataflow:
            where = self.engine.options.view_as(PortableOptions).job_endpoint
            return f"as job {self.name}" + (f" at {where}" if where else "")
        return (
            f"as job {self.name} of Dataflow, see https://console.cloud.google.com/dataflow/jobs/"
            f"{place.region}/{self.name}?project={place.project}"
        )

    @property
    def way_out(self) -> str:
        """How it is ended so that all it has read is counted, in words; empty if unknown."""
        if not self.engine.is_dataflow:
            return ""
        place = self.engine.options.view_as(GoogleCloudOptions)
        place_of = f"--region {place.region} --project {place.project}"
        return f"gcloud dataflow jobs drain {self.name or 'JOB'} {place_of}"

    def wait(self, tell: Callable[[str], None]) -> str:
        """The state it ends in; `tell` is told of each on the way.

        On Ctrl-C a job of Dataflow goes on, and one elsewhere is cancelled. Raises JobFailedError
        for both, and for a job that failed.
        """
        try:
            return self._ended(tell)
        except KeyboardInterrupt:
            if self.engine.is_dataflow:
                raise JobGoesOnError(
                    f"the job goes on: {self.name} of Dataflow. To end it so that all it has read"
                    f" is counted: {self.way_out}"
                ) from None
            with contextlib.suppress(Exception):  # not all engines can
                self.result.cancel()
            raise JobFailedError(f"the job was cancelled: {self.name}") from None

    def _ended(self, tell: Callable[[str], None]) -> str:
        state = None
        while not PipelineState.is_terminal(now := self._state(state)):
            if now != state:
                tell(f"job {self.name}: {now}")
            state = now
            time.sleep(_POLL_S)
        if now in {PipelineState.FAILED, PipelineState.CANCELLED}:
            raise JobFailedError(f"job {self.name}: {now}{self._why()}")
        return str(now)

    def _state(self, before: str | None) -> str | None:
        """The state of now; that of before, where the engine cannot be asked for a moment."""
        try:
            return str(self.result.state)
        except (GoogleAPIError, GoogleAuthError, OSError):
            return before
        except grpc.RpcError as error:
            raise JobFailedError(
                f"job {self.name}: {self.engine.name}: {words_of(error)}"
            ) from error

    def _why(self) -> str:
        try:
            self.result.wait_until_finish()
        except Exception as error:  # noqa: BLE001 - it is how Beam says why
            return f": {words_of(error)}"
        return ""


class JobGoesOnError(JobFailedError):
    """The command ends, and the job does not."""


def check_image(options: PipelineOptions) -> None:
    """Raises UserError where workers of Dataflow would not have this package."""
    setup = options.view_as(SetupOptions)
    image = options.view_as(WorkerOptions).sdk_container_image
    if not (is_launch(options) or image or setup.setup_file or setup.extra_packages):
        raise UserError(
            "--runner DataflowRunner: its workers need an image that has meterbeam; name it with"
            " --sdk_container_image (docs/templates.md says how one is built)"
        )


def pipeline_of(options: PipelineOptions) -> beam.Pipeline:
    """An empty pipeline. Raises UserError for options that Beam finds wrong."""
    try:
        return beam.Pipeline(options=options)
    except ValueError as error:
        raise UserError(_lines(error)) from error


def words_of(error: BaseException) -> str:
    """What an engine says went wrong: its last line, as those before tell the way there."""
    text = error.details() if isinstance(error, grpc.Call) else str(error)
    return _lines(text)[-1] if text and text.strip() else type(error).__name__


def _lines(error: object) -> list[str]:
    return [line.strip() for line in str(error).splitlines() if line.strip()]
