"""Engines that are not on this machine: what is asked of one, and a job begun there."""

import copy
import traceback
from dataclasses import dataclass

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
from google.api_core.exceptions import RetryError, ServerError
from google.auth.exceptions import TransportError

from pipelines.beam_options import engine_of, is_launch
from pipelines.far_job import STAYS, FarJob, JobGoesOnError, lines_of, words_of
from pipelines.job_server import engine_options
from pipelines.problems import JobFailedError, UserError

_DATAFLOW = "dataflow"
_PORTABLE = ("flink", "portable", "prism", "spark")  # engines that a job server stands for
_CHECKPOINTS, _NEVER = "checkpointing_interval", "-1"  # Flink's
# where Beam asks for the job itself; what fails before it is no job
_ASKING = {"JobServiceHandle.run", "DataflowApplicationClient.submit_job_description"}
_NO_ANSWER = {
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNAVAILABLE,
}


@dataclass(frozen=True)
class FarEngine:
    """An engine that the user named, and the options of a job on it."""

    name: str
    options: PipelineOptions

    @classmethod
    def of_batch(cls, options: PipelineOptions) -> "FarEngine":
        """One for a batch job. Raises UserError where it lacks what a job there needs."""
        engine = cls(engine_of(options), options)
        engine._check()
        return engine

    @classmethod
    def of(cls, given: PipelineOptions) -> "FarEngine":
        """One for a stream. Raises UserError also for one that runs none."""
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
        engine._check_checkpoints()
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

    def begin(self, pipeline: beam.Pipeline) -> FarJob:
        """The job that the engine takes.

        Raises JobFailedError where it does not, and JobGoesOnError where nobody knows: it was
        asked, and gave no answer.
        """
        try:
            return FarJob(self, pipeline.run())
        except BaseException as error:  # each runner's client fails in kinds of its own
            said = words_of(error)
            if _was_asked(error) and _is_unanswered(error):
                raise JobGoesOnError(
                    f"{self.name} was asked to begin the job, and may have: {said}; {STAYS}"
                ) from error
            if isinstance(error, Exception):
                raise JobFailedError(f"{self.name} did not take the job: {said}") from error
            raise

    def _check(self) -> None:
        place = self.options.view_as(PortableOptions)
        if self.is_dataflow:
            check_image(self.options)
        elif self.is_left_alone and place.environment_type == "LOOPBACK":
            raise UserError(
                "--no_wait_until_finish: with --environment_type LOOPBACK the workers are in this"
                " command, and would end with it"
            )

    def _check_checkpoints(self) -> None:
        server = self.options.view_as(PortableOptions).job_endpoint
        if self.is_dataflow or not server:
            return
        given = self.options.get_all_options(retain_unknown_options=True)
        every = str(given.get(_CHECKPOINTS) or _NEVER)
        if every.startswith("-") and f"--{_CHECKPOINTS}" in engine_options(server):
            raise UserError(
                f"--{_CHECKPOINTS}: say how often (ms) the engine makes a checkpoint, also where"
                " the cluster has an interval of its own; without any, no row would ever come"
                " (docs/engines.md says what else a stream needs there)"
            )


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
        raise UserError(lines_of(error)) from error


def _was_asked(error: BaseException) -> bool:
    """Whether Beam had come to ask for the job itself: before, it brings files, and looks about."""
    way = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code.co_qualname in _ASKING for frame, _ in way)


def _is_unanswered(error: BaseException) -> bool:
    """Whether the engine did not say what it did: the way there is broken, or Ctrl-C came first."""
    if isinstance(error, grpc.Call):
        return error.code() in _NO_ANSWER
    trouble = (ServerError, RetryError, TransportError, OSError)
    return isinstance(error, trouble) or not isinstance(error, Exception)
