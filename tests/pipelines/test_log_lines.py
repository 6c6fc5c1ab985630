"""What the command writes to standard error, as the command itself writes it.

As JSON each line is an object that Cloud Logging's agents take, which says run and step; as text
it is as ever.
"""

import gzip
from pathlib import Path

import pytest
from log_desk import JSON, assert_run, batch, lines, prepared, said, streaming

from runs_desk import event


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return prepared(tmp_path)


def test_each_line_of_a_batch_run_is_an_object_with_its_run(folder: Path) -> None:
    found = lines(said(batch(folder, *JSON, "--verbose")))
    assert_run(found, "nightly")
    assert {each["logger"].partition(".")[0] for each in found} >= {"apache_beam"}


def test_each_line_of_a_stream_is_an_object_with_its_run(folder: Path) -> None:
    (folder / "in" / "a.ndjson").write_text(f"{event(1, 5)}\n")
    found = lines(said(streaming(folder, *JSON, "--verbose")))
    assert_run(found, "live")
    loggers = {each["logger"].partition(".")[0] for each in found}
    assert loggers >= {"meterbeam", "apache_beam", "prism"}
    (begins,) = [each for each in found if each["message"] == "run live begins"]
    assert (begins["severity"], begins["logger"]) == ("INFO", "meterbeam")


def test_a_run_without_trouble_has_nothing_to_log(folder: Path) -> None:
    assert said(batch(folder, *JSON)) == ""


def test_a_line_logged_in_a_step_names_it(folder: Path) -> None:
    many = "".join(f"{event(number, 5)}\n" for number in range(50_000))
    whole = gzip.compress(many.encode())
    (folder / "cut.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    found = lines(said(batch(folder, *JSON, name="cut.ndjson.gz"), fails=1))
    assert_run(found, "nightly")
    inside = [each for each in found if "step" in each]
    assert inside
    assert all(each["step"].startswith("Read/") for each in inside)
    assert all("Traceback" in each["exception"] for each in inside)
    assert "cut.ndjson.gz cannot be read" in found[-1]["message"]
    assert (found[-1]["severity"], found[-1]["logger"]) == ("ERROR", "meterbeam")


def test_runs_of_a_backfill_are_told_apart(folder: Path) -> None:
    for day in (10, 15):
        late = {"timestamp": f"2026-01-{day}T10:00:00Z", "received_at": "2026-01-20T10:00:00Z"}
        (folder / "in" / f"{day}.ndjson").write_text(f"{event(day, 5, **late)}\n")
    said(streaming(folder, "--source", "recorded", "--quiet"))
    given = ["--catalog", folder / "catalog.yaml", "--output", folder / "out", "--run-id", "again"]
    found = lines(said(["backfill", *given, *JSON, "--verbose"]))
    runs = [each["run"] for each in found if "run" in each]
    assert [run for i, run in enumerate(runs) if run not in runs[:i]] == [
        "again-202601101000-calls",
        "again-202601151000-calls",
    ]
    assert runs == sorted(runs)


MISTAKES = [
    (["--rates", "none.csv"], "none.csv"),
    (["--log-format", "json", "--streaming", "--replace"], "--replace"),
    (["--nonsense"], "--nonsense"),
    (["--early"], "--early"),
    (["--batch-rows", "x"], "--batch-rows"),
    (["--from", "yesterday", "--to", "tomorrow"], "yesterday"),
]


@pytest.mark.parametrize(("given", "named"), MISTAKES)
def test_a_mistake_is_one_object_and_exit_code_2(
    folder: Path, given: list[str], named: str
) -> None:
    (line,) = lines(said(batch(folder, "--log-format=json", *given), fails=2))
    assert named in line["message"]
    assert (line["severity"], line["logger"]) == ("ERROR", "meterbeam")
    assert not (folder / "out").exists()


def test_a_format_that_there_is_not_is_said_as_text(folder: Path) -> None:
    text = said(batch(folder, "--log-format", "xml"), fails=2)
    assert "Invalid value for '--log-format': 'xml' is not one of 'text', 'json'." in text


def test_text_is_as_ever(folder: Path) -> None:
    assert said(batch(folder)) == ""
    again = "meterbeam: run nightly has succeeded before; choose another run id\n"
    assert said(batch(folder), fails=2) == again
    assert said(batch(folder, "--log-format", "text"), fails=2) == again
    two = said(batch(folder, "--from", "yesterday", "--to", "tomorrow"), fails=2)
    assert [each.partition(" ")[0] for each in two.splitlines()] == ["meterbeam:"] * 2
    assert said(streaming(folder)) == "meterbeam: run live begins\n"
