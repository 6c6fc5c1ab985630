"""`meterbeam query` over a dataset prints what it prints over a folder."""

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
from bigquery_emulator import PROJECT, Emulator, emulating_bigquery
from click.testing import CliRunner, Result
from stored_rows import usage_row

from pipelines.bigquery.client import connected
from pipelines.bigquery.dataset import Dataset
from pipelines.bigquery.tables import make_tables
from pipelines.command import main

DIGITS = "12345678901234567890.123456789012345678"


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with emulating_bigquery() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def dataset(service: Emulator) -> Dataset:
    """Of two rows of usage, and a view."""
    made = Dataset(PROJECT, service.dataset())
    with connected(made) as client:
        make_tables(client, made)
    for row in (
        usage_row("r", 1, 7, cost=Decimal(DIGITS)),
        usage_row("r", 2, 10, customer_id='c,"2"', cost=Decimal("-1e-18")),
    ):
        texts = ", ".join(_literal(value) for value in row.values())
        service.query(f"INSERT INTO {made.table('usage')} ({', '.join(row)}) VALUES ({texts})")  # noqa: S608 - ours
    view = f"SELECT customer_id, window_start, quantity, cost, unit FROM {made.table('usage')}"  # noqa: S608 - ours
    service.query(f"CREATE VIEW {made.table('usage_current')} AS {view}")
    return made


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, Decimal):
        return f"CAST('{value:f}' AS BIGNUMERIC(38, 18))"
    return str(value) if isinstance(value, int) else f"'{value}'"


def query(dataset: Dataset, sql: str, form: str = "csv", fails: int = 0) -> Result:
    given = ["query", "--output", f"bigquery://{dataset}", "--format", form, sql]
    done = CliRunner().invoke(main, given)
    assert done.exit_code == fails, (done.output, done.exception)
    assert "Traceback" not in done.output
    return done


def test_csv(dataset: Dataset) -> None:
    """Plain names are tables and views of the dataset; every digit is there, and UTC."""
    assert query(dataset, "SELECT * FROM usage_current ORDER BY window_start").stdout == (
        "customer_id,window_start,quantity,cost,unit\n"
        f"c1,2026-01-15T01:00:00Z,7,{DIGITS},\n"
        '"c,""2""",2026-01-15T02:00:00Z,10,-0.000000000000000001,\n'
    )


def test_json(dataset: Dataset) -> None:
    sql = "SELECT customer_id, window_start, cost, unit FROM usage ORDER BY window_start"
    printed = query(dataset, sql, "json").stdout
    assert printed == (
        '[\n  {"customer_id": "c1", "window_start": "2026-01-15T01:00:00Z", "cost": '
        f'{DIGITS}, "unit": null}},\n'
        '  {"customer_id": "c,\\"2\\"", "window_start": "2026-01-15T02:00:00Z", "cost": '
        '-0.000000000000000001, "unit": null}\n]\n'
    )
    assert json.loads(printed, parse_float=Decimal)[0]["cost"] == Decimal(DIGITS)
    assert query(dataset, "SELECT 1 AS a FROM usage WHERE FALSE", "json").stdout == "[]\n"


def test_table(dataset: Dataset) -> None:
    sql = "SELECT customer_id, quantity, unit FROM usage ORDER BY 2"
    assert query(dataset, sql, "table").stdout == (
        "customer_id   quantity   unit\n"
        "─────────────────────────────\n"
        "c1                   7   ∅\n"
        'c,"2"               10   ∅\n'
    )
    many = query(dataset, "SELECT n FROM UNNEST(GENERATE_ARRAY(1, 1203)) AS n", "table").stdout
    assert many.endswith("… 1,003 more rows\n")


def test_values_of_every_type_have_one_text_each(dataset: Dataset) -> None:
    texts = {
        "CAST('1.50' AS BIGNUMERIC(38, 18))": "1.5",
        "9223372036854775807": "9223372036854775807",
        "0.1": "0.1",
        "TRUE": "true",
        "TIMESTAMP '2026-01-15 10:00:00.123456+02'": '"2026-01-15T08:00:00.123456Z"',
        "DATETIME '2026-01-15 10:00:00'": '"2026-01-15T10:00:00"',
        "DATE '2026-01-15'": '"2026-01-15"',
        "TIME '10:00:00'": '"10:00:00"',
        "b'ab'": '"6162"',
        "INTERVAL 2 HOUR": '"02:00:00"',
        "[1, 2]": "[1, 2]",
        "STRUCT('x' AS a, NULL AS b)": '{"a": "x", "b": null}',
        "JSON '{\"a\": [1]}'": r'"{\"a\": [1]}"',
        "''": '""',
        "CAST(NULL AS TIMESTAMP)": "null",
    }
    columns = [f"{value} AS v{number}" for number, value in enumerate(texts)]
    printed = query(dataset, f"SELECT {', '.join(columns)}", "json").stdout
    cells = [f'"v{number}": {text}' for number, text in enumerate(texts.values())]
    assert printed == f"[\n  {{{', '.join(cells)}}}\n]\n"


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (" ", ["there is no query"]),
        ("SELEC 1", ["Syntax error", "SELEC"]),
        ("SELECT custmer FROM usage", ["custmer"]),
        ("SELECT * FROM usage_curent", ["Did you mean usage_current", "rejects, runs, usage"]),
        ("SELECT * FROM elsewhere.usage", ["elsewhere"]),
        ("SELECT 1 / 0", ["division by zero"]),
    ],
)
def test_what_cannot_be_asked_is_said_in_the_words_of_the_service(
    dataset: Dataset, sql: str, words: list[str]
) -> None:
    done = query(dataset, sql, fails=2)
    for word in words:
        assert word in done.stderr
    assert "Job ID" not in done.stderr
    assert not done.stdout


def test_a_dataset_that_is_not_there_is_named(service: Emulator) -> None:
    assert service.client.project == PROJECT
    done = query(Dataset(PROJECT, "nowhere"), "SELECT 1", fails=2)
    assert f"bigquery://{PROJECT}.nowhere: " in done.stderr
    assert "bq mk" in done.stderr


def test_statements_without_rows_print_nothing(dataset: Dataset) -> None:
    """BigQuery decides what its user may do; a folder is only read."""
    assert not query(dataset, "DELETE FROM usage WHERE customer_id = 'nobody'", "table").stdout
