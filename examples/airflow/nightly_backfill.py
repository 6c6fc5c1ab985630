"""Every night, meter again what `windows_to_backfill` lists.

Put this file among the DAGs of an Airflow 3 with `apache-airflow-providers-google` and, to work on
Airflow's own machines, `apache-airflow-providers-apache-beam`. What to do is said by the Variable
`meterbeam_backfill`, a JSON object:

    {"engine": "here", "parameters": {"catalog": "/srv/catalog.yaml", "output": "/srv/out"}}

`parameters` are those of the template metering-backfill. Each engine is a task of its own:

- `here`: Beam's operator runs the backfill on the worker that has the task, in the environment that
  meterbeam is installed in there. METERBEAM_PYTHON names its Python.
- `dataflow`: a job of the template, whose `project`, `region` and `bucket` stand beside
  `parameters`, and `service_account` and `job` if you like.

No night depends on another: each takes all that is listed when it begins, so the next one mends
what a failed one left. A retry does the same, and what has succeeded is not listed any more.
"""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.apache.beam.operators.beam import BeamRunPythonPipelineOperator
from airflow.providers.google.cloud.operators.dataflow import DataflowStartFlexTemplateOperator
from airflow.sdk import DAG, Variable, task

_PYTHON = os.environ.get("METERBEAM_PYTHON", "/opt/meterbeam/bin/python")
_VARIABLE = "meterbeam_backfill"


def settings() -> dict[str, Any]:
    """What the Variable says now: it is read when a task runs, never when this file is."""
    return Variable.get(_VARIABLE, deserialize_json=True)


def parameters(context: Any, **_: Any) -> dict[str, str]:
    """Those of the template, with a name for the run which no other try of any night has."""
    night, attempt = context["dag_run"].run_after, context["ti"].try_number
    return {"run_id": f"nightly-{night:%Y%m%dT%H%M%S}-{attempt}", **settings()["parameters"]}


def request(context: Any, **_: Any) -> dict[str, Any]:
    """What Dataflow is asked for, as LaunchFlexTemplateRequest has it.

    The name of the job is the same each night: while one runs, no other of its name is begun.
    """
    given = settings()
    bucket = f"gs://{given['bucket']}"
    places = {"stagingLocation": f"{bucket}/staging", "tempLocation": f"{bucket}/temp"}
    account = given.get("service_account")
    return {
        "launchParameter": {
            "jobName": given.get("job", "metering-backfill"),
            "containerSpecGcsPath": f"{bucket}/templates/metering-backfill.json",
            "parameters": parameters(context),
            "environment": places | ({"serviceAccountEmail": account} if account else {}),
        }
    }


with DAG(
    dag_id="nightly_backfill",
    doc_md=__doc__,
    schedule="0 3 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=20)},
):

    @task.branch
    def engine() -> str:
        """The task that is to do it."""
        return settings()["engine"]

    here = BeamRunPythonPipelineOperator(
        task_id="here",
        py_interpreter=_PYTHON,
        py_options=["-m"],
        py_file="pipelines.template_main",
        runner="FnApiRunner",
        pipeline_options=parameters,
    )
    dataflow = DataflowStartFlexTemplateOperator(
        task_id="dataflow",
        project_id=f"{{{{ var.json.{_VARIABLE}.project }}}}",
        location=f"{{{{ var.json.{_VARIABLE}.region }}}}",
        body=request,
        append_job_name=False,
    )
    engine() >> [here, dataflow]
