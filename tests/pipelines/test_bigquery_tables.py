"""The tables of a dataset are made once, brought up to date, and never taken from somebody else."""

from collections.abc import Iterator

import pytest
from bigquery_emulator import PROJECT, Emulator, emulating_bigquery

from pipelines.bigquery.client import connected
from pipelines.bigquery.dataset import Dataset
from pipelines.bigquery.tables import COLUMNS, LAYOUTS, make_tables, tables_sql
from pipelines.problems import UserError
from transforms.tables import TABLES

_TYPES = {  # as the emulator gives them back
    "string": "STRING",
    "int64": "INTEGER",
    "timestamp[us, tz=UTC]": "TIMESTAMP",
    "decimal128(38, 18)": "NUMERIC",
}


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with emulating_bigquery() as emulator:
        yield emulator


@pytest.fixture
def dataset(service: Emulator) -> Dataset:
    return Dataset(PROJECT, service.dataset())


def made(dataset: Dataset) -> list[str]:
    with connected(dataset) as client:
        return make_tables(client, dataset)


def columns(service: Emulator, dataset: Dataset, table: str) -> list[tuple[str, str, str]]:
    known = service.client.get_table(f"{dataset}.{table}")
    return [(field.name, field.field_type, field.mode) for field in known.schema]


def tables(service: Emulator, dataset: Dataset) -> set[str]:
    return {table.table_id for table in service.client.list_tables(str(dataset))}


def test_missing_tables_are_made_with_the_columns_and_types_of_the_contract(
    service: Emulator, dataset: Dataset
) -> None:
    assert made(dataset) == [f"made table {table}" for table in TABLES]
    for table, schema in TABLES.items():
        wanted = [(column.name, _TYPES[str(column.type)], "NULLABLE") for column in schema]
        assert columns(service, dataset, table) == wanted
        known = service.client.get_table(f"{dataset}.{table}")
        assert known.description == LAYOUTS[table].about


def test_a_second_time_nothing_is_done(service: Emulator, dataset: Dataset) -> None:
    made(dataset)
    before = len(service.requests())
    assert made(dataset) == []
    assert {asked.partition(" ")[0] for asked in service.requests()[before:]} == {"GET"}


def test_every_column_has_a_description_and_none_is_described_in_vain() -> None:
    assert set(COLUMNS) == {name for schema in TABLES.values() for name in schema.names}
    assert all(about.endswith(".") for about in COLUMNS.values())
    for statement, schema in zip(tables_sql(Dataset("p", "d")), TABLES.values(), strict=True):
        lines = statement.splitlines()
        described = [line.split()[0] for line in lines if " OPTIONS (description = '" in line]
        assert described == schema.names


def test_tables_are_kept_by_day_and_sorted_within() -> None:
    statements = dict(zip(TABLES, tables_sql(Dataset("p", "d")), strict=True))
    assert "PARTITION BY DATE(window_start)\nCLUSTER BY meter, customer_id" in statements["usage"]
    assert "PARTITION" not in statements["runs"]
    for table, layout in LAYOUTS.items():
        assert f"`p.d.{table}`" in statements[table]
        assert {layout.day_of, *layout.sorted_by} - {None} <= set(TABLES[table].names)
        if layout.day_of:
            assert f"\nPARTITION BY DATE({layout.day_of})\n" in statements[table]
            assert f"\nCLUSTER BY {', '.join(layout.sorted_by)}\n" in statements[table]
        assert len(layout.sorted_by) <= 4  # as many as BigQuery takes


def test_amounts_have_their_precision_which_the_emulator_does_not_tell() -> None:
    usage = dict(zip(TABLES, tables_sql(Dataset("p", "d")), strict=True))["usage"]
    for amount in ("quantity", "unit_price", "per", "cost"):
        assert f"  {amount} BIGNUMERIC(38, 18) OPTIONS" in usage


def test_a_table_that_lacks_columns_gets_them_and_keeps_its_rows(
    service: Emulator, dataset: Dataset
) -> None:
    service.query(f"CREATE TABLE {dataset.table('ledger')} (run_id STRING, events INT64)")
    service.query(f"INSERT INTO {dataset.table('ledger')} VALUES ('r', 7)")  # noqa: S608 - ours
    done = made(dataset)
    added = ("period_start", "meter", "outcome", "reason")
    assert [each for each in done if each.startswith("added")] == [
        f"added column {name} to table ledger" for name in added
    ]
    rows = service.query(f"SELECT * FROM {dataset.table('ledger')}")  # noqa: S608 - ours
    assert rows == [{"run_id": "r", "events": 7, **dict.fromkeys(added)}]


def test_gap_added_columns_are_not_told(service: Emulator, dataset: Dataset) -> None:
    """BigQuery tells of them; so here they are added a second time, which changes nothing."""
    service.query(f"CREATE TABLE {dataset.table('ledger')} (run_id STRING)")
    made(dataset)
    assert [name for name, *_ in columns(service, dataset, "ledger")] == ["run_id"]
    made(dataset)
    rows = service.query(f"SELECT meter, events FROM {dataset.table('ledger')}")  # noqa: S608 - ours
    assert rows == []


def test_an_added_amount_has_its_precision(service: Emulator, dataset: Dataset) -> None:
    schema = [name for name in TABLES["usage"].names if name not in {"cost", "per"}]
    kinds = {column.name: _TYPES[str(column.type)] for column in TABLES["usage"]}
    own = ", ".join(f"{name} {kinds[name]}" for name in schema)
    service.query(f"CREATE TABLE {dataset.table('usage')} ({own})")
    made(dataset)
    digits = "12345678901234567890.123456789012345678"
    amount = f"CAST('{digits}' AS BIGNUMERIC(38, 18))"
    service.query(f"INSERT INTO {dataset.table('usage')} (cost) VALUES ({amount})")  # noqa: S608 - ours
    (row,) = service.query(f"SELECT cost FROM {dataset.table('usage')}")  # noqa: S608 - ours
    assert str(row["cost"]) == digits


def test_columns_in_other_letters_are_the_same_columns(service: Emulator, dataset: Dataset) -> None:
    service.query(
        f"CREATE TABLE {dataset.table('ledger')} (RUN_ID STRING, Period_Start TIMESTAMP,"
        " meter STRING, outcome STRING, reason STRING, events INT64)"
    )
    assert "ledger" not in " ".join(made(dataset))


@pytest.mark.parametrize(
    ("table", "statement", "words"),
    [
        ("ledger", "TABLE {} (run_id STRING, events STRING)", ["events", "STRING", "INT64"]),
        ("usage", "TABLE {} (cost FLOAT64)", ["cost", "FLOAT", "BIGNUMERIC"]),
        ("events", "TABLE {} (payload ARRAY<STRING>)", ["payload", "REPEATED STRING"]),
        ("rejects", "TABLE {} (run_id STRING, team STRING NOT NULL)", ["team"]),
        ("runs", "TABLE {} (mode STRING NOT NULL)", ["mode", "REQUIRED", "DROP NOT NULL"]),
        ("runs", "VIEW {} AS SELECT 1 AS mode", ["is a view"]),
    ],
)
def test_a_table_of_somebody_else_is_named_before_anything_is_done(
    service: Emulator, dataset: Dataset, table: str, statement: str, words: list[str]
) -> None:
    service.query("CREATE " + statement.format(dataset.table(table)))
    before = columns(service, dataset, table)
    with pytest.raises(UserError) as told:
        made(dataset)
    (problem,) = told.value.problems
    assert problem.startswith(f"bigquery://{dataset}: table {table} ")
    for word in words:
        assert word in problem
    assert tables(service, dataset) == {table}
    assert columns(service, dataset, table) == before


def test_all_that_is_wrong_is_told_at_once(service: Emulator, dataset: Dataset) -> None:
    service.query(f"CREATE TABLE {dataset.table('ledger')} (events STRING, meter INT64)")
    service.query(f"CREATE TABLE {dataset.table('runs')} (mode BYTES)")
    with pytest.raises(UserError) as told:
        made(dataset)
    named = [problem.split(" of type")[0] for problem in told.value.problems]
    assert named == [
        f"bigquery://{dataset}: table ledger has a column events",
        f"bigquery://{dataset}: table ledger has a column meter",
        f"bigquery://{dataset}: table runs has a column mode",
    ]
