"""`meterbeam tables` makes an output ahead of a run, or says how, and then writes nothing."""

from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from sqlglot import exp, parse

from pipelines import warehouse
from pipelines.command import main
from runs_desk import CATALOG
from transforms.tables import TABLES

DATASET = "bigquery://some-project.metering"


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    path = tmp_path / "catalog.yaml"
    path.write_text(CATALOG)
    return path


def said(*arguments: object, fails: int = 0) -> str:
    done = CliRunner().invoke(main, ["tables", *map(str, arguments)])
    assert done.exit_code == fails, (done.output, done.exception)
    return done.output


def test_a_folder_can_be_read_before_its_first_run(tmp_path: Path, catalog: Path) -> None:
    out = tmp_path / "out"
    for _ in range(2):
        assert f"{out}: " in said("--output", out, "--catalog", catalog)
    with warehouse.connect(out) as connection:
        assert connection.execute("SELECT COUNT(*) FROM usage_tokens").fetchone() == (0,)


def test_printed_statements_make_the_views_of_a_folder(tmp_path: Path, catalog: Path) -> None:
    out = tmp_path / "out"
    printed = said("--output", out, "--catalog", catalog, "--print-sql")
    assert not out.exists()
    warehouse.prepare(out)
    with duckdb.connect() as connection:
        connection.execute(printed)
        assert connection.execute("SELECT COUNT(*) FROM usage_calls").fetchone() == (0,)


def test_printed_statements_are_bigquerys_and_need_no_service(catalog: Path) -> None:
    printed = said("--output", DATASET, "--catalog", catalog, "--print-sql")
    statements = [each for each in parse(printed, read="bigquery") if each]
    assert {type(each) for each in statements} == {exp.Create}
    made = {(each.kind, each.find(exp.Table).name) for each in statements}
    assert {("TABLE", table) for table in TABLES} <= made
    assert {("VIEW", "usage_current"), ("VIEW", "usage_tokens")} <= made


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("bigquery://metering", "bigquery://project.dataset"),
        ("bigquery://some-project.a-b", "'a-b' is no dataset"),
        ("bigquery://Some-project.metering", "is no id of a project"),
        ("gs://bucket/out", "name a local folder, or bigquery://project.dataset"),
        ("", "--output is empty"),
    ],
)
def test_an_output_that_is_none_is_said_to_be(output: str, words: str) -> None:
    assert words in said("--output", output, "--print-sql", fails=2)
