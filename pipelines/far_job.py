"""A job that an engine elsewhere has taken, from then until it is known how it ended."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from apache_beam.options.pipeline_options import GoogleCloudOptions, PortableOptions
from apache_beam.runners.runner import PipelineState

from pipelines.problems import JobFailedError

if TYPE_CHECKING:
    from pipelines.far_engine import FarEngine

_POLL_S = 2.0
_PATIENCE_S = 60.0  # an engine that does not answer is asked again for so long
_CANCEL_S = 30.0
_LOST = {PipelineState.FAILED, PipelineState.CANCELLED}

STAYS = "the run stays `running`: see at the engine what becomes of its job"


class JobGoesOnError(JobFailedError):
    """The command ends, and nobody knows that the job does."""


@dataclass(frozen=True)
class FarJob:
    """A job that an engine has taken."""

    engine: "FarEngine"
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
        """How a stream is ended so that all it has read is counted, in words; empty if unknown."""
        if not self.engine.is_dataflow:
            return ""
        place = self.engine.options.view_as(GoogleCloudOptions)
        place_of = f"--region {place.region} --project {place.project}"
        return f"gcloud dataflow jobs drain {self.name or 'JOB'} {place_of}"

    def wait(self, tell: Callable[[str], None]) -> str:
        """The state in which a stream ends; `tell` is told of each on the way.

        On Ctrl-C a job of Dataflow goes on, and one elsewhere is cancelled. Raises JobGoesOnError
        for a job that is not known to have ended, and JobFailedError for one that failed.
        """
        try:
            return self._ended(tell)
        except KeyboardInterrupt:
            if not self.engine.is_dataflow:
                raise self._cancelled() from None
            raise JobGoesOnError(
                f"the job goes on: {self.name} of Dataflow. To end it so that all it has read is"
                f" counted: {self.way_out}"
            ) from None

    def wait_for_batch(self) -> str | None:
        """The state in which a batch job ends; None where the runner does not say.

        Ctrl-C cancels it. Raises JobGoesOnError as above, and else what the runner raises.
        """
        try:
            state: str | None = self.result.wait_until_finish()
        except KeyboardInterrupt:
            self._cancel()
            raise
        except Exception as error:
            if self._has_ended():
                raise
            raise self._unknown(error) from error
        return state

    def _cancel(self) -> None:
        try:
            self.result.cancel()
        except Exception as error:  # each runner's client fails in kinds of its own
            if not self._has_ended():
                raise JobGoesOnError(
                    f"the job goes on: {self.name}, as it could not be cancelled:"
                    f" {words_of(error)}; {STAYS}"
                ) from error

    def _cancelled(self) -> JobFailedError:
        """What becomes of it on Ctrl-C."""
        until = time.monotonic() + _CANCEL_S
        try:
            self._cancel()
            while not self._has_ended():
                if time.monotonic() > until:
                    return self._asked_to_end()
                time.sleep(_POLL_S)
        except JobGoesOnError as error:
            return error
        except KeyboardInterrupt:  # once more: not to wait
            return self._asked_to_end()
        return JobFailedError(f"the job was cancelled: {self.name}")

    def _asked_to_end(self) -> JobGoesOnError:
        return JobGoesOnError(f"job {self.name} was asked to end, and may not have yet; {STAYS}")

    def _has_ended(self) -> bool:
        """Whether the engine says so."""
        try:
            return bool(PipelineState.is_terminal(self.result.state))
        except Exception:  # noqa: BLE001 - each runner's client fails in kinds of its own
            return False

    def _ended(self, tell: Callable[[str], None]) -> str:
        state = None
        while not PipelineState.is_terminal(now := self._state()):
            if now != state:
                tell(f"job {self.name}: {now}")
            state = now
            time.sleep(_POLL_S)
        if now in _LOST:
            raise JobFailedError(f"job {self.name}: {now}{self._why()}")
        return now

    def _state(self) -> str:
        """The state of now. Raises JobGoesOnError where the engine cannot be asked for long."""
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return str(self.result.state)
            except Exception as error:
                if time.monotonic() > until:
                    raise self._unknown(error) from error
            time.sleep(_POLL_S)

    def _unknown(self, error: Exception) -> JobGoesOnError:
        said = f"{self.engine.name} does not say how it is: {words_of(error)}"
        return JobGoesOnError(f"job {self.name} may go on, {said}; {STAYS}")

    def _why(self) -> str:
        try:
            self.result.wait_until_finish()
        except Exception as error:  # noqa: BLE001 - it is how Beam says why
            return f": {words_of(error)}"
        return ""


def words_of(error: BaseException) -> str:
    """What an engine says went wrong: its last line, as those before tell the way there."""
    text = error.details() if isinstance(error, grpc.Call) else str(error)
    lines = lines_of(text or "")
    return lines[-1] if lines else type(error).__name__


def lines_of(error: object) -> list[str]:
    """The lines of a text, without those of white space only."""
    return [line.strip() for line in str(error).splitlines() if line.strip()]
