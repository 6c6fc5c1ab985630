"""What a stream refuses: exit code 2, the culprit named, nothing written, no traceback."""

from collections.abc import Callable
from pathlib import Path

import pytest

from runs_desk import CATALOG, event
from stream_desk import StreamDesk


@pytest.fixture
def desk(tmp_path: Path) -> StreamDesk:
    return StreamDesk(tmp_path)


EARLIER, EVENT = (
    f"{event(1, 1, hour, received_at=f'2026-01-15T{hour}:40:00Z')}\n".encode() for hour in (10, 11)
)

Change = Callable[[StreamDesk], list[str]]


def batch(desk: StreamDesk, *more: object) -> list[str]:
    return desk.arguments("--input", desk.folder / "a.ndjson", *more)


def with_another_catalog(desk: StreamDesk) -> list[str]:
    desk.catalog.write_text(CATALOG + "  - {name: more, event_type: llm, aggregation: count}\n")
    return desk.streaming()


BEFORE_A_RUN: dict[str, tuple[Change, str]] = {
    "a folder that is not there": (
        lambda desk: desk.arguments("--streaming", "--input", f"tail:{desk.folder / 'inn'}"),
        "no such folder; did you mean",
    ),
    "a file as a folder": (
        lambda desk: desk.arguments("--streaming", "--input", f"tail:{desk.catalog}"),
        "is a file; name the folder",
    ),
    "files": (lambda desk: batch(desk, "--streaming"), "a stream reads tail:DIR"),
    "a folder without --streaming": (
        lambda desk: desk.arguments("--input", f"tail:{desk.inputs}"),
        "--streaming",
    ),
    "no number of seconds": (lambda desk: desk.streaming("--early", "x"), "--early x"),
    "negative seconds": (lambda desk: desk.streaming("--early", "-1"), "--early"),
    "no pause between rates": (
        lambda desk: desk.streaming("--rates-refresh", "often"),
        "--rates-refresh often",
    ),
    "no rows": (lambda desk: desk.streaming("--batch-rows", 0), "--batch-rows"),
    "--replace": (lambda desk: desk.streaming("--replace"), "--replace"),
    "an option of streams without one": (lambda desk: batch(desk, "--early", 0), "--early"),
    "a run id that is none": (lambda desk: desk.streaming("--run-id", "a/b"), "a/b"),
    "a source that is not there": (lambda desk: desk.streaming("--source", "x"), "--source x"),
    "a subscription without a project": (
        lambda desk: desk.arguments("--streaming", "--input", "pubsub://subscription"),
        "pubsub://project/subscription",
    ),
    "a subscription and a folder": (
        lambda desk: desk.streaming("--input", "pubsub://project/subscription"),
        "one subscription, or folders",
    ),
    "an output that cannot be written": (
        lambda desk: desk.streaming("--output", "/proc/out"),
        "/proc/out cannot be written",
    ),
    "another runner": (lambda desk: desk.streaming("--runner", "FlinkRunner"), "--runner"),
}
AFTER_A_RUN: dict[str, tuple[Change, str]] = {
    "another catalog": (with_another_catalog, "begun with another catalog"),
    "another source": (lambda desk: desk.streaming("--source", "native"), "another source"),
    "another folder": (
        lambda desk: desk.streaming("--input", f"tail:{desk.rates}"),
        "another inputs",
    ),
    "other meters": (lambda desk: desk.streaming("--meters", "calls"), "another meters"),
    "the run id of a batch run": (
        lambda desk: desk.streaming("--run-id", "batch"),
        "is that of a batch run",
    ),
    "the run id of a stream for a batch run": (
        lambda desk: batch(desk, "--run-id", "live"),
        "is that of a streaming run",
    ),
}


def written(folder: Path) -> dict[str, int]:
    """All files, and when they were written."""
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def assert_refused(desk: StreamDesk, change: Change, words: str) -> None:
    arguments = change(desk)
    before = written(desk.folder)
    said = desk.here(arguments, fails=2)
    # rows of options are wide
    assert words in " ".join(said.stderr.split())
    assert "Traceback" not in said.stderr
    assert written(desk.folder) == before


@pytest.mark.parametrize("mistake", BEFORE_A_RUN)
def test_a_mistake_is_said_before_anything_is_written(desk: StreamDesk, mistake: str) -> None:
    (desk.folder / "a.ndjson").write_bytes(EARLIER)
    assert_refused(desk, *BEFORE_A_RUN[mistake])
    assert not desk.out.exists()


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> StreamDesk:
    """An output with a stream and a batch run, and the terms they had."""
    desk = StreamDesk(tmp_path_factory.mktemp("used"))
    (desk.folder / "a.ndjson").write_bytes(EARLIER)
    desk.here(batch(desk, "--run-id", "batch"))
    desk.append("b.ndjson", EVENT)
    desk.end()
    desk.here(desk.streaming())
    return desk


@pytest.mark.parametrize("mistake", AFTER_A_RUN)
def test_a_run_that_exists_goes_on_with_its_own_terms_only(used: StreamDesk, mistake: str) -> None:
    try:
        assert_refused(used, *AFTER_A_RUN[mistake])
    finally:
        used.catalog.write_text(CATALOG)
