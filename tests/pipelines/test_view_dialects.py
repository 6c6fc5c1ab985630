"""Views are written in BigQuery's SQL, and say the same in DuckDB, to the digit and the moment."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from sqlglot import exp, parse_one

from pipelines.views import VIEWS, view_sql
from pipelines.views.dialects import bigquery_name, for_bigquery
from pipelines.views.duckdb_sql import for_duckdb

_MICROS = 1_767_225_599_999_999  # the last of 2025 in UTC


def in_duckdb(sql: str) -> Any:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'America/New_York'")
        connection.execute("CREATE TABLE t AS SELECT MAKE_TIMESTAMPTZ(?) AS at", [_MICROS])
        row = connection.execute(for_duckdb(sql)).fetchone()
        return row[0] if row else None


def test_moments_keep_their_zone() -> None:
    moment = in_duckdb(f"SELECT TIMESTAMP_MICROS({_MICROS})")
    assert moment.astimezone(UTC) == datetime(2025, 12, 31, 23, 59, 59, 999_999, UTC)
    assert in_duckdb("SELECT UNIX_MICROS(at) FROM t") == _MICROS


def test_days_are_those_of_utc_wherever_the_reader_is() -> None:
    assert in_duckdb("SELECT DATE(at, 'UTC') FROM t") == date(2025, 12, 31)


def test_amounts_keep_every_digit() -> None:
    most = "99999999999999999999.999999999999999999"
    assert in_duckdb(f"SELECT SAFE_CAST('{most}' AS BIGNUMERIC(38, 18))") == Decimal(most)
    assert in_duckdb("SELECT SAFE_CAST('1e20' AS BIGNUMERIC(38, 18))") is None


def test_div_is_of_whole_operands_and_cuts() -> None:
    assert in_duckdb("SELECT DIV(7 - 17, 1 + 3)") == -2
    assert in_duckdb("SELECT DIV(100, DIV(100, 9))") == 9


@pytest.mark.parametrize("name", VIEWS)
def test_the_service_gets_no_digits_in_casts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BIGQUERY_EMULATOR_HOST", raising=False)
    sql = for_bigquery(view_sql(name), "some-project.some_dataset", VIEWS)
    assert "NUMERIC(" not in sql


@pytest.mark.parametrize("name", VIEWS)
def test_an_emulator_gets_them_in_all(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "localhost:1")
    sql = for_bigquery(view_sql(name), "some-project.some_dataset", VIEWS)
    assert "BIGNUMERIC" not in sql.replace("BIGNUMERIC(", "")


def test_nulls_come_first_as_in_bigquery() -> None:
    sql = "SELECT x FROM UNNEST([2, NULL, 1]) AS x ORDER BY x LIMIT 1"
    assert in_duckdb(sql) is None


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_reads_nothing_but_its_dataset(name: str) -> None:
    sql = for_bigquery(view_sql(name), "some-project.some_dataset", VIEWS)
    tree = parse_one(sql, read="bigquery")
    own = {each.alias for each in tree.find_all(exp.CTE)}
    tables = list(tree.find_all(exp.Table))
    assert tables
    for table in tables:
        place = (table.catalog, table.db)
        assert place == ("some-project", "some_dataset") or table.name in own


@pytest.mark.parametrize(
    ("name", "layer", "known_as"),
    [
        ("usage", "stored", "usage"),
        ("usage", "", "steps_usage"),
        ("meters", "stored", "steps_meters"),
        ("claims", "steps", "steps_claims"),
        ("usage_current", "", "usage_current"),
    ],
)
def test_tables_keep_their_names_in_a_dataset(name: str, layer: str, known_as: str) -> None:
    assert bigquery_name(name, layer) == known_as
