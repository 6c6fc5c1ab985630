"""What has to stay the same when a job on Dataflow takes the place of another, with its state.

The rows of a run do not say it, so it is in the labels of its job.
"""

import hashlib
from collections.abc import Mapping

from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions
from google.api_core.exceptions import GoogleAPICallError

from pipelines.problems import JobFailedError, UserError
from pipelines.settings import Settings
from pipelines.stream_settings import Stream

_LABEL = "meterbeam-"
_WHY = {
    "buckets": "keys and totals are kept in so many pieces",
    "source": "events would be read in another way",
    "subscription": "its events would be counted under this run",
}


def terms_of(settings: Settings, stream: Stream) -> dict[str, str]:
    """Those of a stream. Labels take few characters: names are digests."""
    return {
        "buckets": str(stream.buckets),
        "source": _digest(settings.source.name),
        "subscription": _digest(stream.subscription or ""),
    }


def label(options: PipelineOptions, terms: Mapping[str, str]) -> None:
    """Has the job bear them, beside the labels that the user gives it."""
    place = options.view_as(GoogleCloudOptions)
    place.labels = [*(place.labels or []), *(f"{_LABEL}{key}={terms[key]}" for key in terms)]


def check_terms(options: PipelineOptions, terms: Mapping[str, str]) -> None:
    """Holds them against those of the running job whose place is to be taken.

    Raises UserError where others were given, or no job of this name runs.
    """
    known = _labels_of_running(options)
    other = [key for key in terms if known.get(_LABEL + key, terms[key]) != terms[key]]
    if other:
        raise UserError(
            [f"--update: the running job has another {key}, and {_WHY[key]}" for key in other]
        )


def _labels_of_running(options: PipelineOptions) -> dict[str, str]:
    # importing it asks where it runs
    from apache_beam.runners.dataflow.internal.apiclient import (  # noqa: PLC0415
        DataflowApplicationClient,
    )
    from google.cloud import dataflow_v1beta3 as dataflow  # noqa: PLC0415

    place = options.view_as(GoogleCloudOptions)
    at = {"project_id": place.project, "location": place.region}
    states = {dataflow.JobState.JOB_STATE_RUNNING, dataflow.JobState.JOB_STATE_DRAINING}
    try:
        client = DataflowApplicationClient(options)._jobs_client  # noqa: SLF001 - as it is set up
        for job in client.list_jobs(dataflow.ListJobsRequest(**at)):
            if job.name == place.job_name and job.current_state in states:
                view = dataflow.JobView.JOB_VIEW_DESCRIPTION
                asked = dataflow.GetJobRequest(**at, job_id=job.id, view=view)
                return dict(client.get_job(asked).labels)
    except GoogleAPICallError as error:
        raise JobFailedError(f"--update: the running job is not known: {error.message}") from error
    raise UserError(f"--update: no job named {place.job_name} runs in {place.region}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
