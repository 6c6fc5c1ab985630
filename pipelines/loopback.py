"""Beam's worker in threads of this process.

Beam's own (LOOPBACK) listens on all addresses of the machine and runs what anybody sends there; it
prints a traceback for each failure, and what failed reaches nobody but the engine, as text.
"""

import contextlib
import logging
import threading
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import grpc
from apache_beam.options.pipeline_options import DebugOptions, PipelineOptions
from apache_beam.portability.api import beam_fn_api_pb2 as api
from apache_beam.portability.api import beam_fn_api_pb2_grpc as services
from apache_beam.runners.worker import sdk_worker_main
from apache_beam.runners.worker.bundle_processor import BundleProcessor
from apache_beam.runners.worker.sdk_worker import SdkHarness, Sentinel
from apache_beam.utils.thread_pool_executor import shared_unbounded_instance

from pipelines.local_state import LocalStates
from transforms.told_errors import trace

_END_S = 5.0
_READER = "read_grpc_client_inputs"  # a thread of Beam's worker
_LOG = logging.getLogger(__name__)


class Loopback(services.BeamFnExternalWorkerPoolServicer):
    """A context in which an engine on this machine starts workers here, asking at `address`.

    `failures` are the exceptions that its steps raised, the first one first.
    """

    def __init__(self, options: PipelineOptions) -> None:
        # as Beam settles it for its own
        experiments = options.view_as(DebugOptions).experiments or []
        self._buffer_ms = sdk_worker_main._get_data_buffer_time_limit_ms(experiments)  # noqa: SLF001
        self.failures: list[BaseException] = []
        self.address = ""
        self._workers: dict[str, _Worker] = {}
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        if not isinstance(threading.excepthook, _ReaderHook):
            threading.excepthook = _ReaderHook(threading.excepthook)
        self._report = BundleProcessor.monitoring_infos
        BundleProcessor.monitoring_infos = _own_counters
        self._server = grpc.server(shared_unbounded_instance(), options=[("grpc.so_reuseport", 0)])
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        services.add_BeamFnExternalWorkerPoolServicer_to_server(self, self._server)
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        BundleProcessor.monitoring_infos = self._report
        self._server.stop(None)
        for worker in list(self._workers.values()):
            worker.end()
        for thread in self._threads:
            thread.join(_END_S)

    def StartWorker(self, start_worker_request: Any, _context: Any) -> Any:  # noqa: N802 - Beam's
        """Starts one, asked by the engine."""
        try:
            worker = _Worker(
                start_worker_request.control_endpoint.url,
                worker_id=start_worker_request.worker_id,
                buffer_ms=self._buffer_ms,
                failed=self.failures.append,
            )
        except Exception:  # noqa: BLE001 - it is the engine's to say that it has no worker
            return api.StartWorkerResponse(error=traceback.format_exc())
        self._workers[start_worker_request.worker_id] = worker
        thread = threading.Thread(target=worker.run_until_end, name="worker", daemon=True)
        self._threads.append(thread)
        thread.start()
        return api.StartWorkerResponse()

    def StopWorker(self, stop_worker_request: Any, _context: Any) -> Any:  # noqa: N802 - Beam's
        """Ends one, asked by the engine."""
        if worker := self._workers.pop(stop_worker_request.worker_id, None):
            worker.end()
        return api.StopWorkerResponse()


class _Worker(SdkHarness):
    """Beam's worker, which has the state of its steps, and keeps what they raise.

    Beam's own asks the engine for state, and prints what is raised.
    """

    def __init__(
        self, engine: str, worker_id: str, buffer_ms: int, failed: Callable[[BaseException], None]
    ) -> None:
        super().__init__(engine, worker_id=worker_id, data_buffer_time_limit_ms=buffer_ms)
        self._failed = failed
        self._state_handler_factory = LocalStates()
        self._bundle_processor_cache.state_handler_factory = self._state_handler_factory

    def run_until_end(self) -> None:
        with contextlib.suppress(grpc.RpcError):  # the engine is gone: the command sees that too
            self.run()

    def end(self) -> None:
        """Lets it finish what it has begun, and end."""
        self._responses.put(Sentinel.sentinel)

    def _execute(self, task: Callable[[], Any], request: Any) -> None:
        def kept() -> Any:
            try:
                return task()
            except BaseException as error:  # noqa: BLE001 - as Beam does
                _LOG.debug("a step failed", exc_info=error)
                self._failed(_first(error))
                text = trace(error)
                return api.InstructionResponse(instruction_id=request.instruction_id, error=text)

        super()._execute(kept, request)


def _own_counters(processor: BundleProcessor) -> list[Any]:
    """What the steps of a bundle count themselves, of all that Beam would report of them.

    The rest, sizes of elements and the like, takes half a millisecond a bundle, and nobody asks.
    """
    found: dict[Any, Any] = {}
    for name, step in processor.ops.items():
        found.update(step.user_monitoring_infos(name))
    return [*found.values()]


class _ReaderHook:
    """A hook for what threads raise that says nothing of that reader.

    It outlives the worker and the engine by a moment, so the hook stays when the context has ended.
    """

    def __init__(self, before: Callable[[threading.ExceptHookArgs], Any]) -> None:
        self._before = before

    def __call__(self, raised: threading.ExceptHookArgs) -> None:
        name = raised.thread.name if raised.thread else ""
        if name == _READER and isinstance(raised.exc_value, grpc.RpcError):
            _LOG.debug("%s lost the engine", name, exc_info=raised.exc_value)
        else:
            self._before(raised)


def _first(error: BaseException) -> BaseException:
    """What a step raised: Beam raises a copy of it with the name of the step in its text."""
    while getattr(error, "_tagged_with_step", False) and error.__context__:
        error = error.__context__
    return error
