"""Runs the nights of a DAG, one after the other: a program for Airflow's own Python.

`python nights.py FOLDER DAG_ID` says what FOLDER has of DAGs, as a line of JSON. For each line that
it reads, an object of variables of the environment, it runs a night and says how its tasks ended,
and at which try. All that Airflow itself prints goes to standard error.
"""

import json
import os
import sys
from datetime import timedelta

said = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

from airflow.dag_processing.dagbag import DagBag  # noqa: E402 - it prints when it is imported


def say(what: object) -> None:
    """A line for who reads."""
    said.write(f"{json.dumps(what)}\n")
    said.flush()


folder, name = sys.argv[1:]
bag = DagBag(folder)
dag = bag.get_dag(name)
say(
    {
        "errors": bag.import_errors,
        "dags": sorted(bag.dags),
        "schedule": dag and dag.schedule,
        "catchup": dag and dag.catchup,
        "at_once": dag and dag.max_active_runs,
        "retries": dag and [each.retries for each in dag.tasks],
    }
)
for task in dag.tasks if dag else []:
    task.retry_delay = timedelta(0)
for line in sys.stdin:
    os.environ.update(json.loads(line))
    tasks = dag.test().get_task_instances()
    say({each.task_id: [each.state, each.try_number] for each in tasks})
