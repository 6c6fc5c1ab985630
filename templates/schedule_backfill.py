"""Prints what has Cloud Scheduler launch the backfill template every night.

`make schedule-backfill` with the variables of `make launch-backfill`, PROJECT, SCHEDULER_ACCOUNT,
who launches, and AT, when (`0 3 * * *`, UTC). Look at what it prints, then run it.
"""

import json
import os
import shlex
import sys
from collections.abc import Mapping

from launch import Command, MissingError, job_name, needed, parameters_of

from pipelines.template_parameters import BACKFILL

_API = "https://dataflow.googleapis.com/v1b3/projects"
_RIGHT = "https://www.googleapis.com/auth/cloud-platform"


def request_of(given: Mapping[str, str]) -> dict[str, object]:
    """What Dataflow is asked for, as LaunchFlexTemplateRequest has it.

    The name of the job is the same each night: while one runs, no other of its name is begun.
    """
    bucket = needed(given, "BUCKET").removeprefix("gs://").rstrip("/")
    environment = {
        "stagingLocation": f"gs://{bucket}/staging",
        "tempLocation": f"gs://{bucket}/temp",
    }
    if given.get("SERVICE_ACCOUNT"):
        environment["serviceAccountEmail"] = given["SERVICE_ACCOUNT"]
    return {
        "launchParameter": {
            "jobName": job_name(given) or BACKFILL.name,
            "containerSpecGcsPath": f"gs://{bucket}/templates/{BACKFILL.name}.json",
            "parameters": parameters_of(BACKFILL, given),
            "environment": environment,
        }
    }


def schedule(given: Mapping[str, str]) -> Command:
    """The command that makes the schedule."""
    place = f"{needed(given, 'PROJECT')}/locations/{needed(given, 'REGION')}"
    return [
        *["gcloud", "scheduler", "jobs", "create", "http", BACKFILL.name],
        *[f"--project={given['PROJECT']}", f"--location={given['REGION']}"],
        *[f"--schedule={given.get('AT') or '0 3 * * *'}", "--time-zone=Etc/UTC"],
        *["--http-method=POST", f"--uri={_API}/{place}/flexTemplates:launch"],
        *[f"--oauth-service-account-email={needed(given, 'SCHEDULER_ACCOUNT')}"],
        *[f"--oauth-token-scope={_RIGHT}", "--headers=Content-Type=application/json"],
        f"--message-body={json.dumps(request_of(given))}",
    ]


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{shlex.join(schedule(os.environ))}\n")
    except MissingError as error:
        sys.exit(str(error))
