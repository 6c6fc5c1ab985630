"""What the scheduled query asks holds where each ledger balances, and only there."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from bigquery_emulator import PROJECT, Emulator, emulating_bigquery
from dataset_desk import run

from pipelines.bigquery.dataset import Dataset
from runs_desk import Desk, event

FILE = Path(__file__).parent.parent.parent / "templates" / "monitoring" / "ledger_alert.sql"
RUNNING = "INSERT {runs} (run_id, mode, status) VALUES ('live', 'streaming', 'running')"
COUNT = (
    "INSERT {ledger} (run_id, period_start, outcome, events)"
    " VALUES ('live', TIMESTAMP_SUB(TIMESTAMP_TRUNC(CURRENT_TIMESTAMP(), HOUR),"
    " INTERVAL {hours} HOUR), '{outcome}', 1)"
)


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with emulating_bigquery() as emulator:
        yield emulator


def unbalanced(service: Emulator, dataset: Dataset) -> list[str]:
    """The emulator has no ASSERT, so this is what it asks."""
    asserted = re.search(r"ASSERT NOT EXISTS \((.*)\) AS '[^']*';", FILE.read_text(), re.DOTALL)
    assert asserted
    sql = asserted[1].replace("my-project.metering", str(dataset))
    return [row["run_id"] for row in service.query(sql)]


def test_a_ledger_that_does_not_balance_is_found_when_it_has_come_to_rest(
    service: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dataset, desk = Dataset(PROJECT, service.dataset()), Desk(tmp_path)
    file = desk.file("a.ndjson", event(1, 5), event(1, 5), event(1, 6), "[]")
    run(desk, dataset, "--input", file, "--run-id", "monday")
    assert unbalanced(service, dataset) == []

    tables = {name: dataset.table(name) for name in ("runs", "ledger", "usage")}
    service.query(RUNNING.format(**tables))
    service.query(COUNT.format(**tables, hours=1, outcome="received"))
    assert unbalanced(service, dataset) == []
    service.query(COUNT.format(**tables, hours=4, outcome="received"))
    assert unbalanced(service, dataset) == ["live"]
    service.query(COUNT.format(**tables, hours=4, outcome="accepted"))

    service.query(f"DELETE FROM {tables['usage']} WHERE meter = 'tokens'")  # noqa: S608 - ours
    assert set(unbalanced(service, dataset)) == {"monday"}
