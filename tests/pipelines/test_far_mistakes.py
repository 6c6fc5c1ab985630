"""What a stream on other machines refuses: exit code 2, the culprit named, nobody asked."""

from pathlib import Path

import pytest

from stream_desk import StreamDesk

DATAFLOW = ("--runner=DataflowRunner", "--sdk_container_image=i")
MESSAGES = ("--input", "pubsub://my-project/calls")
DATASET = ("--output", "bigquery://my-project.metering")
MISTAKES: dict[str, tuple[tuple[str, ...], str]] = {
    "a folder for the tables": (
        (*DATAFLOW, *MESSAGES, "--output", "out"),
        "--output out: a folder is of this machine",
    ),
    "a folder that is followed": (
        (*DATAFLOW, *DATASET, "--input", "tail:."),
        "--input tail: is read on this machine only",
    ),
    "rates that are read again": (
        (*DATAFLOW, *MESSAGES, *DATASET, "--rates-refresh", "5"),
        "--rates-refresh: on other machines",
    ),
    "a time for micro-batches": (
        (*DATAFLOW, *MESSAGES, *DATASET, "--batch-ms", "5"),
        "--batch-ms: Dataflow decides",
    ),
    "workers without meterbeam": (
        ("--runner=DataflowRunner", *MESSAGES, *DATASET),
        "name it with --sdk_container_image",
    ),
    "an update of no run": (
        (*DATAFLOW, *MESSAGES, *DATASET, "--update"),
        "--update: name the run",
    ),
    "a runner without streams": (
        ("--runner=DirectRunner", *MESSAGES, *DATASET),
        "--runner DirectRunner: streams run on Prism, on Dataflow",
    ),
    "workers that would end with the command": (
        (
            *("--runner=FlinkRunner", "--environment_type=LOOPBACK", "--no_wait_until_finish"),
            *(*MESSAGES, *DATASET),
        ),
        "--no_wait_until_finish: with --environment_type LOOPBACK",
    ),
    "buckets on this machine": (
        ("--input", "tail:.", "--output", "out", "--buckets", "8"),
        "--buckets: a stream on this machine has one",
    ),
    "a catalog of another cloud": (
        (*MESSAGES, *DATASET, "--catalog", "s3://bucket/catalog.yaml"),
        "s3://bucket/catalog.yaml: files are local paths, or begin with gs://",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_said_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str
) -> None:
    desk = StreamDesk(tmp_path)
    monkeypatch.chdir(tmp_path)
    given, words = MISTAKES[mistake]
    usual = ["run", "--streaming", "--catalog", str(desk.catalog)]
    said = desk.here([*usual, *given], fails=2)
    assert words in " ".join(said.stderr.split())
    assert "Traceback" not in said.stderr
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_no_dataset_is_said_once(tmp_path: Path) -> None:
    desk = StreamDesk(tmp_path)
    output = "bigquery://my_project.metering"
    said = desk.here(desk.arguments("--input", "none.ndjson", out=output), fails=2)  # type: ignore[arg-type]
    assert said.stderr.count(output) == 1
    assert "'my_project' is no id of a project" in said.stderr
