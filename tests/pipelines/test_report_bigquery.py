"""A report of a dataset says what that of a folder says."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from bigquery_emulator import PROJECT, Emulator, emulating_bigquery
from click.testing import CliRunner
from report_desk import ReportDesk, rich_lines

from pipelines.command import main


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with emulating_bigquery() as emulator:
        yield emulator


def compared(page: Path) -> str:
    """All but what each output has of its own: its name, and the names and times of its runs."""
    body = page.read_text().partition("<main>")[2]
    return re.sub(r"20[0-9]{6}T[0-9.]+Z-[0-9a-f]{6}|--output \S+", "…", body)


def test_a_dataset_and_a_folder_give_the_same_page(service: Emulator, tmp_path: Path) -> None:
    desk = ReportDesk(tmp_path)
    desk.run(rich_lines(3), "--as-streamed", "--run-id", "one")
    desk.report()
    local = compared(desk.page)
    output = f"bigquery://{PROJECT}.{service.dataset()}"
    given = ["--catalog", tmp_path / "catalog.yaml", "--rates", tmp_path / "rates.csv"]
    given += ["--input", tmp_path / "events.ndjson", "--output", output, "--source", "recorded"]
    given += ["--as-streamed", "--run-id", "one", "--quiet"]
    done = CliRunner().invoke(main, ["run", *map(str, given)])
    assert done.exit_code == 0, done.output
    desk.report(output=output)
    assert compared(desk.page) == local


def test_a_dataset_without_views_names_the_way_to_them(service: Emulator, tmp_path: Path) -> None:
    output = f"bigquery://{PROJECT}.{service.dataset()}"
    said = ReportDesk(tmp_path).report(output=output, fails=2).stderr
    assert f"meterbeam tables --output {output}" in said
