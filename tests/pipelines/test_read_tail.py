"""The source of a local stream, on the engine that streams run on: Prism."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import TimerSpec, on_timer
from tail_desk import NOON, found_in, record
from tail_run import RUN, Versions

from pipelines.inputs import Block, InputErrors
from pipelines.open_tails import close_tail, progress
from pipelines.read_tail import ReadTail, find_tails
from pipelines.stopping import STOP
from pipelines.tail_reader import Tail
from transforms.catalog import Source
from transforms.sources import NATIVE, RECORDED
from transforms.timestamps import SECOND

LONG_S = 60
_BLOCKS: list[tuple[int, Block]] = []
_CAME, _FIRED = threading.Event(), threading.Event()


class _Keep(beam.DoFn):
    """Keeps blocks, with their stamps (ms), where the test sees them: in this process."""

    def process(self, block: Block, at: Any = beam.DoFn.TimestampParam) -> Iterator[tuple]:
        _BLOCKS.append((at.micros // 1000, block))
        _CAME.set()
        yield 0, at.micros


class _Later(beam.DoFn):
    """Waits until the watermark is two seconds behind an element."""

    TIMER = TimerSpec("later", TimeDomain.WATERMARK)

    def process(self, kv: tuple[int, int], timer: Any = beam.DoFn.TimerParam(TIMER)) -> Iterator:
        timer.set(beam.utils.timestamp.Timestamp(micros=kv[1] + 2 * SECOND))
        yield from ()

    @on_timer(TIMER)
    def fire(self) -> Iterator[int]:
        _FIRED.set()
        yield 0


Start = Callable[..., Any]


@pytest.fixture
def start(tmp_path: Path, options: PipelineOptions) -> Iterator[Start]:
    """Starts a stream that follows the folder `in`; it is stopped at the end of the test."""
    (tmp_path / "in").mkdir()
    running = []

    def begin(source: Source = NATIVE, batch_rows: int = 2) -> Any:
        for event in (STOP, _CAME, _FIRED):
            event.clear()
        _BLOCKS.clear()
        folders = (str(tmp_path / "in"),)
        out = str(tmp_path / "out")
        tail = Tail(folders, out, RUN.run_id, source, SECOND, batch_rows, 0, Versions())
        pipeline = beam.Pipeline(options=options)
        kept = pipeline | ReadTail(tail) | beam.ParDo(_Keep()).with_output_types(tuple[int, int])
        kept | beam.ParDo(_Later()) | beam.Reshuffle() | beam.Map(print)
        result = pipeline.run()
        running.append((tail, result))
        return result

    yield begin
    STOP.set()
    for tail, result in running:
        result.wait_until_finish(LONG_S * 1000)
        close_tail(tail)
    STOP.clear()


def test_the_end_of_the_folder_ends_the_job(start: Start, tmp_path: Path) -> None:
    (tmp_path / "in" / "a.ndjson").write_bytes(b"".join(record(i) for i in range(9)))
    (tmp_path / "in" / "_END").touch()
    assert start().wait_until_finish(LONG_S * 1000) == "DONE"
    whole, _ = found_in(block for _, block in _BLOCKS)
    assert list(whole.values()) == [record(i).strip() for i in range(9)]
    stamps = [stamp for stamp, _ in _BLOCKS]
    assert stamps == sorted(set(stamps))


def test_a_stop_ends_the_job_after_what_was_read(start: Start, tmp_path: Path) -> None:
    result = start()
    (tmp_path / "in" / "a.ndjson").write_bytes(record(1))
    assert _CAME.wait(LONG_S)
    STOP.set()
    assert result.wait_until_finish(LONG_S * 1000) == "DONE"
    assert len(_BLOCKS) == 1


@pytest.mark.parametrize("source", [NATIVE, RECORDED], ids=lambda source: source.name)
def test_the_watermark_moves_when_nothing_comes(
    start: Start, tmp_path: Path, source: Source
) -> None:
    result = start(source)
    (tmp_path / "in" / "a.ndjson").write_bytes(record(1, NOON))
    assert _FIRED.wait(LONG_S)
    assert progress().watermark_us is not None
    assert not beam.runners.runner.PipelineState.is_terminal(result.state)


def test_a_second_job_goes_on_where_the_first_stopped(start: Start, tmp_path: Path) -> None:
    (tmp_path / "in" / "a.ndjson").write_bytes(b"".join(record(i) for i in range(5)))
    first = start()
    assert _CAME.wait(LONG_S)
    STOP.set()
    first.wait_until_finish(LONG_S * 1000)
    before = [(stamp, block.start, block.data, block.clock_us) for stamp, block in _BLOCKS]
    with (tmp_path / "in" / "a.ndjson").open("ab") as file:
        file.write(record(5))
    (tmp_path / "in" / "_END").touch()
    assert start().wait_until_finish(LONG_S * 1000) == "DONE"
    after = [(stamp, block.start, block.data, block.clock_us) for stamp, block in _BLOCKS]
    assert after[: len(before)] == before
    assert b"".join(data for _, _, data, _ in after) == b"".join(record(i) for i in range(6))


def test_folders_are_found_by_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "notes.txt").touch()
    (tmp_path / "link").symlink_to("one")
    monkeypatch.chdir(tmp_path)
    inputs = ["tail:one", f"tail:{tmp_path}/two/", "tail:./link", "tail:one"]
    assert find_tails(inputs) == [tmp_path / "one", tmp_path / "two"]


def test_all_that_is_wrong_with_them_is_said(tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    (tmp_path / "file").touch()
    wrong = [f"tail:{tmp_path}/event", f"tail:{tmp_path}/file", "tail:", str(tmp_path)]
    with pytest.raises(InputErrors) as raised:
        find_tails([*wrong, f"tail:{tmp_path}/events"])
    missing, no_folder, none, no_tail = raised.value.problems
    assert missing.startswith(f"{wrong[0]}: ")
    assert missing.endswith(f"did you mean {tmp_path}/events?")
    assert "is a file" in no_folder
    assert "names no folder" in none
    assert "tail:DIR" in no_tail
