"""The DAG of examples/airflow, run by Airflow, mends what is listed, also after bad nights."""

import json
import os
import signal
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from airflow_process import DAG, Airflow
from flex_service import FlexService, flex_service

sys.path.insert(0, str(Path(__file__).parents[1] / "templates"))
from flex_launcher import arguments
from google.cloud import dataflow_v1beta3 as dataflow

from pipelines import template_main
from pipelines.command import main
from pipelines.template_parameters import BACKFILL, spec
from runs_desk import event
from stream_desk import StreamDesk, descendants, until

CATALOG = """\
version: 1
defaults: {allowed_lateness: 1h}
meters:
  - {name: tokens, event_type: llm, aggregation: sum, value: tokens, dimensions: [model]}
"""
LISTED = "SELECT hour(window_start AT TIME ZONE 'UTC'), reason, events FROM windows_to_backfill"
LATE = [(10, "too_late", 2), (12, "too_late", 1)]
MENDED = {10: 21, 11: 1, 12: 5}
ON_DATAFLOW = {
    "engine": "dataflow",
    "project": "my-project",
    "region": "europe-west1",
    "bucket": "my-bucket",
    "parameters": {
        "catalog": "gs://my-bucket/catalog.yaml",
        "rates": "gs://my-bucket/rates.csv",
        "output": "bigquery://my-project.metering",
    },
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlexService]:
    with flex_service(tmp_path_factory.mktemp("dataflow")) as found:
        yield found


@pytest.fixture
def service(shared: FlexService) -> FlexService:
    """One that was asked nothing yet."""
    shared.launches.clear()
    shared.refuses, shared.states = None, deque(["JOB_STATE_DONE"])
    return shared


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, shared: FlexService) -> Iterator[Airflow]:
    found = Airflow(tmp_path_factory.mktemp("airflow"), shared)
    yield found
    found.end()


@pytest.fixture
def desk(tmp_path: Path) -> StreamDesk:
    """An output that a stream has left windows to backfill in."""
    desk = StreamDesk(tmp_path, CATALOG)
    times = [(1, 10, "15T10:40", 1), (2, 11, "15T12:00", 1), (5, 12, "15T15:00", 5)]
    times += [(n, 10, "15T13:30", 10) for n in (3, 4)]
    lines = [event(n, k, hour, received_at=f"2026-01-{at}:00Z") for n, hour, at, k in times]
    desk.append("a.ndjson", "".join(f"{each}\n" for each in lines).encode())
    file = desk.inputs / "a.ndjson"
    desk.here(desk.arguments("--as-streamed", "--input", file, "--run-id", "live"))
    assert sorted(desk.ask(LISTED)) == LATE
    return desk


def settings(desk: StreamDesk) -> dict[str, Any]:
    given = {"catalog": desk.catalog, "rates": desk.rates, "output": desk.out}
    return {"engine": "here", "parameters": {k: str(v) for k, v in given.items()}}


def tokens(desk: StreamDesk) -> dict[int, Decimal]:
    found = (
        "SELECT hour(window_start AT TIME ZONE 'UTC'), SUM(quantity) FROM usage_current GROUP BY 1"
    )
    return dict(desk.ask(found))


def runs(desk: StreamDesk) -> list[tuple[str, str]]:
    return desk.ask("SELECT run_id, status FROM runs WHERE run_id <> 'live' ORDER BY 1")


def mended(desk: StreamDesk) -> bool:
    balanced = desk.ask("SELECT bool_and(balanced) FROM ledger_balance")
    return (desk.ask(LISTED), tokens(desk), balanced) == ([], MENDED, [(True,)])


def test_airflow_takes_the_file_and_runs_a_night_at_a_time(airflow: Airflow) -> None:
    found = airflow.found
    assert (found["errors"], found["dags"]) == ({}, [DAG])
    assert (found["schedule"], found["catchup"], found["at_once"]) == ("0 3 * * *", False, 1)
    assert all(found["retries"])


def test_a_night_mends_what_is_listed_and_the_next_has_nothing_to_do(
    airflow: Airflow, desk: StreamDesk
) -> None:
    done = {"engine": ["success", 1], "here": ["success", 1], "dataflow": ["skipped", 0]}
    assert airflow.night(settings(desk)) == done
    assert mended(desk)
    ((run_id, status),) = runs(desk)
    assert run_id.startswith("nightly-2")
    assert status == "succeeded"
    before = desk.ask("FROM usage_current ORDER BY ALL")
    assert airflow.night(settings(desk)) == done
    assert runs(desk) == [(run_id, status)]
    assert desk.ask("FROM usage_current ORDER BY ALL") == before


def test_a_night_that_fails_is_seen_and_the_next_one_mends_what_it_left(
    airflow: Airflow, desk: StreamDesk
) -> None:
    desk.catalog.write_text("version: 1\nmetres: []\n")
    assert airflow.night(settings(desk))["here"] == ["failed", 4]
    assert "metres" in airflow.log()
    assert sorted(desk.ask(LISTED)) == LATE
    desk.catalog.write_text(CATALOG)
    assert airflow.night(settings(desk))["here"] == ["success", 1]
    assert mended(desk)


def test_a_try_that_is_killed_is_made_again(airflow: Airflow, desk: StreamDesk) -> None:
    airflow.begin(settings(desk))
    os.kill(until(lambda: backfilling(airflow)), signal.SIGKILL)
    assert airflow.heard()["here"] == ["success", 2]
    assert mended(desk)
    ((run_id, _),) = [each for each in runs(desk) if each[1] == "succeeded"]
    assert run_id.endswith("-2")


def backfilling(airflow: Airflow) -> int | None:
    """The process that has begun with the backfill's run, if one has."""
    for pid in descendants(airflow.process.pid):
        with suppress(OSError):
            if b"template_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    return None


def test_dataflow_is_asked_for_a_job_that_the_template_takes(
    airflow: Airflow, service: FlexService
) -> None:
    given = ON_DATAFLOW | {"service_account": "worker@my-project.iam.gserviceaccount.com"}
    done = airflow.night(given)
    assert done == {"engine": ["success", 1], "here": ["skipped", 0], "dataflow": ["success", 1]}
    ((project, region, asked),) = service.launches
    assert (project, region) == ("my-project", "europe-west1")
    read = dataflow.LaunchFlexTemplateRequest.from_json(
        json.dumps(asked), ignore_unknown_fields=False
    )
    launched = read.launch_parameter
    assert launched.job_name == "metering-backfill"
    assert launched.container_spec_gcs_path == "gs://my-bucket/templates/metering-backfill.json"
    assert launched.environment.service_account_email == given["service_account"]
    words = template_main.arguments(arguments(spec(BACKFILL), launched.parameters, {}))
    with main.commands[words[0]].make_context(words[0], words[1:]) as context:
        assert context.params["output"] == "bigquery://my-project.metering"
        assert context.params["run_id"].startswith("nightly-2")


@pytest.mark.parametrize(
    ("refuses", "ends", "says"),
    [
        ("a job of that name is running", "JOB_STATE_DONE", "a job of that name is running"),
        (None, "JOB_STATE_FAILED", "JOB_STATE_FAILED"),
    ],
)
def test_a_job_that_is_refused_or_fails_is_a_failed_night(
    airflow: Airflow, service: FlexService, refuses: str | None, ends: str, says: str
) -> None:
    service.refuses = refuses
    service.states = deque([ends])
    done = airflow.night(ON_DATAFLOW)
    assert done["dataflow"] == ["failed", 4]
    assert says in airflow.log()
    ids = [asked["launchParameter"]["parameters"]["run_id"] for *_, asked in service.launches]
    assert len(set(ids)) == len(ids) == (0 if refuses else 4)
