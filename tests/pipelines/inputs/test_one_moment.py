"""The events of a dataset as input are those of the moment a run begins, however they are read."""

import pickle
from collections.abc import Iterator

import pytest
from bigquery_emulator import PROJECT, Emulator, emulating_bigquery
from bigquery_read_front import ReadFront, reading_through

from pipelines.bigquery.connection import EMULATOR
from pipelines.bigquery.dataset import Dataset
from pipelines.bigquery.tables import make_tables
from pipelines.inputs import Needed, Piece, at_one_moment, find_inputs, read_blocks

AT = "TIMESTAMP '2026-01-15 10:30:00+00'"
HOUR_US = 1_768_471_200_000_000  # 2026-01-15T10:00:00Z


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with emulating_bigquery() as emulator:
        yield emulator


@pytest.fixture
def front(service: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReadFront]:
    with reading_through(service.service.grpc) as (address, running):
        monkeypatch.setenv(EMULATOR, address)
        yield running


@pytest.fixture
def dataset(service: Emulator) -> Dataset:
    made = Dataset(PROJECT, service.dataset())
    make_tables(service.client, made)
    return made


def run(service: Emulator, dataset: Dataset, run_id: str, events: int) -> None:
    """A batch run that has succeeded."""
    said = f"('{run_id}', 'batch', 'succeeded', {AT}, 'c')"
    names = "(run_id, mode, status, started_at, catalog_digest)"
    service.query(f"INSERT INTO {dataset.table('runs')} {names} VALUES {said}")  # noqa: S608 - ours
    rows = ", ".join(
        f"('{run_id}', 'native', '{run_id}:{n}', '{run_id}{n}', {AT}, {AT}, '{{}}')"
        for n in range(events)
    )
    names = "(run_id, source, origin, event_key, event_time, received_at, payload)"
    service.query(f"INSERT INTO {dataset.table('events')} {names} VALUES {rows}")  # noqa: S608 - ours


def count(piece: Piece) -> int:
    """How many events a worker reads that gets the piece."""
    there = pickle.loads(pickle.dumps(piece))  # noqa: S301 - ours
    return sum(block.data.count(b"\n") for block in read_blocks(there, 1 << 20))


@pytest.mark.parametrize("needed", [None, Needed(HOUR_US, None, "c", frozenset())])
def test_a_piece_that_is_read_again_gives_the_same_events(
    service: Emulator, front: ReadFront, dataset: Dataset, needed: Needed | None
) -> None:
    run(service, dataset, "first", 3)
    (file,) = find_inputs([f"bigquery://{dataset}.events"])
    (piece,) = at_one_moment([Piece(file, needed=needed)])
    assert count(piece) == 3
    run(service, dataset, "second", 2)
    assert count(piece) == 3
    first, again = front.asked
    assert first.table_modifiers.snapshot_time == again.table_modifiers.snapshot_time
    assert first.table_modifiers.snapshot_time.year > 1970
    assert first.read_options.row_restriction == again.read_options.row_restriction
    (later,) = at_one_moment([Piece(file, needed=needed)])
    assert count(later) == 5
