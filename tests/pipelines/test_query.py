"""What `meterbeam query` prints, and what it will not do."""

import json
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from stored_rows import new_store, run_row, usage_row

from pipelines.query import Form, QueryError, run_query
from pipelines.warehouse import WarehouseError


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = new_store(tmp_path_factory.mktemp("query") / "out")
    store.run(run_row("r"))
    store.add("usage", usage_row("r", 1, 7), usage_row("r", 2, 10, customer_id='c,"2"'))
    return store.out


def asked(out: Path, sql: str, form: Form = "csv") -> str:
    texts: list[str] = []
    run_query(out, sql, form, texts.append)
    return "".join(texts)


def test_csv(out: Path) -> None:
    sql = "SELECT customer_id, window_start, quantity, unit FROM usage_current ORDER BY 2"
    assert asked(out, sql) == (
        "customer_id,window_start,quantity,unit\n"
        "c1,2026-01-15T01:00:00Z,7,\n"
        '"c,""2""",2026-01-15T02:00:00Z,10,\n'
    )


def test_json(out: Path) -> None:
    sql = "SELECT customer_id, window_start, quantity, unit FROM usage_current ORDER BY 2"
    assert asked(out, sql, "json") == (
        "[\n"
        '  {"customer_id": "c1", "window_start": "2026-01-15T01:00:00Z", "quantity": 7,'
        ' "unit": null},\n'
        '  {"customer_id": "c,\\"2\\"", "window_start": "2026-01-15T02:00:00Z", "quantity": 10,'
        ' "unit": null}\n'
        "]\n"
    )
    assert asked(out, "SELECT 1 AS a FROM usage WHERE FALSE", "json") == "[]\n"
    assert asked(out, "SELECT 1 AS a FROM usage WHERE FALSE", "csv") == "a\n"


def test_table(out: Path) -> None:
    sql = "SELECT customer_id, quantity, unit, '[b]' AS markup FROM usage_current ORDER BY 2"
    assert asked(out, sql, "table") == (
        "customer_id   quantity   unit   markup\n"
        "──────────────────────────────────────\n"
        "c1                   7   ∅      [b]\n"
        'c,"2"               10   ∅      [b]\n'
    )


def test_numbers_keep_their_digits(out: Path) -> None:
    texts = {
        "1.50::DECIMAL(38,18)": "1.5",
        "100::DECIMAL(38,18)": "100",
        "0::DECIMAL(38,18)": "0",
        "-0.000000000000000001::DECIMAL(38,18)": "-0.000000000000000001",
        "99999999999999999999.999999999999999999": "99999999999999999999.999999999999999999",
        "SUM(9223372036854775807) OVER ()": "9223372036854775807",
        "0.1::DOUBLE": "0.1",
        "'NaN'::DOUBLE": '"nan"',
        "TRUE": "true",
        "[1.50, NULL]": "[1.5, null]",
        "{'a': 1.10, 'b': [TIMESTAMPTZ '2026-01-15 00:00:00+00']}": (
            '{"a": 1.1, "b": ["2026-01-15T00:00:00Z"]}'
        ),
    }
    columns = [f"{value} AS v{number}" for number, value in enumerate(texts)]
    printed = asked(out, f"SELECT {', '.join(columns)}", "json")
    cells = [f'"v{number}": {text}' for number, text in enumerate(texts.values())]
    assert printed == f"[\n  {{{', '.join(cells)}}}\n]\n"
    assert json.loads(printed, parse_float=Decimal)[0]["v3"] == Decimal("-1e-18")


def test_other_values_have_one_text_each(out: Path) -> None:
    texts = {
        "TIMESTAMPTZ '2026-01-15 10:00:00.123456+02'": "2026-01-15T08:00:00.123456Z",
        "TIMESTAMPTZ '0001-01-01 00:00:00+00'": "0001-01-01T00:00:00Z",
        "TIMESTAMPTZ 'infinity'": "infinity",
        "TIMESTAMP '2026-01-15 10:00:00'": "2026-01-15T10:00:00",
        "DATE '2026-01-15'": "2026-01-15",
        "INTERVAL '-1 month 2 days 25:00:01.5'": "-1 months 2 days 25:00:01.500000",
        "'ab'::BLOB": "6162",
        "''": '""',
        "NULL": "",
        "'two\nlines'": '"two\nlines"',
        "'x'::ENUM ('x', 'y')": "x",
    }
    printed = asked(out, f"SELECT {', '.join(texts)}")
    assert printed.endswith("\n" + ",".join(texts.values()) + "\n")


def test_columns_of_one_name_are_told_apart(out: Path) -> None:
    assert asked(out, "SELECT 1 AS a, 2 AS a") == "a,a_2\n1,2\n"


def test_a_table_says_what_it_leaves_out(out: Path) -> None:
    lines = asked(out, "SELECT * FROM range(1203)", "table").splitlines()
    assert lines[-2:] == ["  199", "… 1,003 more rows"]
    assert len(asked(out, "SELECT * FROM range(200)", "table").splitlines()) == 202
    assert len(asked(out, "SELECT * FROM range(1203)").splitlines()) == 1204
    long = asked(out, "SELECT repeat('x', 1200) AS v", "table")
    assert long.endswith("x… 1,000 more characters\n")


def test_a_table_cannot_drive_the_terminal(out: Path) -> None:
    assert "\\u001b[31m\\n" in asked(out, r"SELECT E'\x1b[31m\n' AS v", "table")


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("", "there is no query"),
        ("SELECT 1; SELECT 2", "one query at a time: this is 2"),
        ("INSERT INTO usage VALUES (1)", "this is INSERT"),
        ("COPY (SELECT 1) TO 'x.csv'", "this is COPY"),
        ("EXPLAIN ANALYZE SELECT 1", "this is EXPLAIN"),
        ("SET threads = 1", "this is SET"),
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("SELECT custmer_id FROM usage", '"customer_id"'),
        ("SELECT * FROM usage_curent", r"Did you mean usage_current\b"),
        ("SELECT * FROM nothing_like_it", "The tables and views are: cost_by_customer, "),
        ("SELECT * FROM texts", "The tables and views are"),
        ("SELECT * FROM read_text('/etc/passwd')", "Permission Error"),
        ("SELECT $1", "parameters"),
        ("SELECT CAST(customer_id AS INT) FROM usage", "Could not convert string"),
    ],
)
def test_what_cannot_be_asked_is_said_so(out: Path, sql: str, text: str) -> None:
    texts = ["a list that SQL must not find"]
    with pytest.raises(QueryError, match=text):
        run_query(out, sql, "csv", texts.append)


def test_statements_that_only_look_are_queries(out: Path) -> None:
    assert "usage_current\n" in asked(out, "SHOW TABLES")
    assert "rates_digest,VARCHAR" in asked(out, "DESCRIBE runs;")
    assert asked(out, "WITH a AS (FROM usage) SELECT COUNT(*) AS n FROM a -- all") == "n\n2\n"


def test_standard_output_is_where_it_goes_by_default(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_query(str(out), "SELECT 1 AS a", "csv")
    assert capsys.readouterr().out == "a\n1\n"


def test_an_output_needs_no_views_file(out: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(out, tmp_path / "copy")
    (copy / "warehouse.duckdb").unlink(missing_ok=True)
    assert asked(copy, "SELECT SUM(cost) AS cost FROM usage_calls") == "cost\n34\n"
    with pytest.raises(WarehouseError, match="there is no such folder"):
        asked(tmp_path / "none", "SELECT 1")
