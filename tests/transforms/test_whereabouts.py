"""A line of the log knows its run and its step, in threads of a step and on workers elsewhere."""

import logging
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
import grpc
import pyarrow as pa
import pytest
from apache_beam.portability.api import beam_fn_api_pb2 as api
from apache_beam.portability.api import beam_fn_api_pb2_grpc as services
from apache_beam.portability.api import endpoints_pb2
from apache_beam.runners.worker.log_handler import FnApiLogRecordHandler

from transforms.kernel import Kernel
from transforms.whereabouts import Place, command_is_at, place

LOG = logging.getLogger("transforms.test")
CANARY = "4711-canary"


def speak(element: object) -> Iterator[tuple[str, object]]:
    LOG.error("at %s", element)
    yield "said", element


def convert(element: str) -> Iterator[tuple[str, object]]:
    yield "said", pa.array([element]).cast(pa.int64())


def kernel(function: Callable[[Any], Any], threads: int, run_id: str | None) -> beam.ParDo:
    return beam.ParDo(Kernel(lambda: function, threads, run_id)).with_outputs("said")


class Places(logging.Handler):
    """Where each line was logged, by its message."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, Place] = {}

    def emit(self, record: logging.LogRecord) -> None:
        self.seen[record.getMessage()] = place()


@pytest.fixture
def places() -> Iterator[dict[str, Place]]:
    handler = Places()
    LOG.addHandler(handler)
    command_is_at(None)
    yield handler.seen
    LOG.removeHandler(handler)
    command_is_at(None)


@pytest.mark.parametrize("threads", [0, 2])
def test_each_of_several_runs_in_one_graph_is_told_from_the_others(
    places: dict[str, Place], threads: int
) -> None:
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        for run_id in ("monday", "tuesday"):
            name = f"Run {run_id}"
            given = pipeline | f"{name}/Read" >> beam.Create([run_id])
            said = given | f"{name}/Measure" >> kernel(speak, threads, run_id)
            # one that was told of no run
            _ = said.said | f"{name}/Merge" >> beam.Map(lambda run_id: LOG.error("past %s", run_id))
    assert places == {
        f"{where} {run_id}": Place(run_id, f"Run {run_id}/{step}")
        for where, step in (("at", "Measure/ParDo(Kernel)"), ("past", "Merge"))
        for run_id in ("monday", "tuesday")
    }


def test_outside_of_steps_it_is_the_run_that_the_command_is_at(places: dict[str, Place]) -> None:
    command_is_at("monday")
    LOG.error("begun")
    command_is_at(None)
    LOG.error("over")
    assert places == {"begun": Place("monday"), "over": Place()}


@dataclass
class Engine(services.BeamFnLoggingServicer):
    """Takes what a worker logs, as an engine does."""

    entries: list[api.LogEntry] = field(default_factory=list)

    def Logging(self, lists: Any, _context: Any) -> Iterator[api.LogControl]:  # noqa: N802 - Beam's
        for each in lists:
            self.entries += each.log_entries
        yield from ()


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine that this process sends its log to, as a worker."""
    servicer = Engine()
    server = grpc.server(futures.ThreadPoolExecutor(1))
    services.add_BeamFnLoggingServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    handler = FnApiLogRecordHandler(endpoints_pb2.ApiServiceDescriptor(url=f"127.0.0.1:{port}"))
    logging.getLogger().addHandler(handler)
    command_is_at(None)  # a worker knows of no command
    try:
        yield servicer
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
        server.stop(None)


def sent(engine: Engine, run: Callable[[], None]) -> list[api.LogEntry]:
    """What is sent while something runs, all of it."""
    run()
    handlers = logging.getLogger().handlers
    (handler,) = [each for each in handlers if isinstance(each, FnApiLogRecordHandler)]
    logging.getLogger().removeHandler(handler)
    handler.close()
    logging.getLogger().addHandler(handler)
    return engine.entries


def test_what_a_worker_sends_to_its_engine_names_run_and_step(engine: Engine) -> None:
    def run() -> None:
        with beam.Pipeline(runner="FnApiRunner") as pipeline:
            _ = pipeline | beam.Create(["it"]) | "Measure" >> kernel(speak, 0, "live")

    (entry,) = [each for each in sent(engine, run) if each.message.endswith("at it")]
    assert entry.message == "run live: at it"
    assert entry.transform_id
    assert entry.severity == api.LogEntry.Severity.ERROR


def test_what_a_worker_sends_of_a_failure_quotes_no_record(engine: Engine) -> None:
    def run() -> None:
        pipeline = beam.Pipeline(runner="FnApiRunner")
        _ = pipeline | beam.Create([CANARY]) | "Measure" >> kernel(convert, 2, "live")
        with pytest.raises(Exception, match=r"ArrowInvalid at transforms/test_whereabouts\.py:"):
            pipeline.run()

    entries = sent(engine, run)
    failures = [each for each in entries if "ArrowInvalid" in each.message]
    assert failures
    assert all("run live" in each.message for each in failures)
    assert not [each for each in entries if CANARY in str(each)]
