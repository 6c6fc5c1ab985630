"""The step that shows a batch run whose rows were written elsewhere, where it must not."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from bigquery_emulator import PROJECT, Emulator, emulating_bigquery

from pipelines.bigquery import registry
from pipelines.bigquery.dataset import Dataset
from pipelines.bigquery.show_run import ShowRun
from pipelines.bigquery.tables import make_tables
from pipelines.problems import JobFailedError
from pipelines.runs import Run

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
RUN = Run("x", "batch", "running", None, None, ("tokens",), AT, None, "c", "r")


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with emulating_bigquery() as emulator:
        yield emulator


@pytest.fixture
def dataset(service: Emulator) -> Dataset:
    made = Dataset(PROJECT, service.dataset())
    make_tables(service.client, made)
    return made


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (
            replace(RUN, started_at=AT + timedelta(microseconds=1)),
            "run x: another attempt has taken its place",
        ),
        (replace(RUN, status="failed", finished_at=AT), "run x was given up"),
    ],
)
def test_an_attempt_that_was_overtaken_or_given_up_shows_nothing(
    service: Emulator, dataset: Dataset, other: Run, words: str
) -> None:
    for attempt in (RUN, other):
        registry.write_run(service.client, dataset, attempt)
    with pytest.raises(JobFailedError, match=words):
        list(ShowRun(dataset, RUN, None, takes_place=False).process(0))
    said = registry.statuses(service.client, dataset, "x")
    assert sorted(said) == sorted([("batch", "running"), ("batch", other.status)])


def test_a_run_that_was_shown_stays_so_when_its_command_gives_up(
    service: Emulator, dataset: Dataset
) -> None:
    show = ShowRun(dataset, RUN, None, takes_place=False)
    for status in ("running", "succeeded"):
        registry.write_run(service.client, dataset, replace(RUN, status=status))
    assert list(show.process(7)) == [7]
    assert show.give_up(service.client) is None
    said = registry.statuses(service.client, dataset, "x")
    assert sorted(said) == [("batch", "running"), ("batch", "succeeded")]
