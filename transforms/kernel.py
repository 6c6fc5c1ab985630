"""Runs a pure function over Arrow data as a step of the graph, on a few threads."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import apache_beam as beam
import pyarrow as pa
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from transforms.metrics import BATCH_ROWS, KERNEL_US
from transforms.told_errors import StepFailedError, may_quote, words
from transforms.whereabouts import Place, begin_bundle, work_for

THREADS = 2

Tagged = tuple[str, Any]
_Done = tuple[list[Tagged], int]  # results of an element, and how long they took (µs)


class KernelFunction(Protocol):
    """A pure function from an element to results, each with the name of the output it goes to."""

    def __call__(self, element: Any, /) -> Iterable[Tagged]:
        """All results of one element."""


class Kernel(beam.DoFn):
    """Calls `make()` once a worker for a kernel function, then the function for every element.

    Arrow, NumPy and DuckDB free the interpreter while they work, so two threads in one bundle are
    worth two processes, and cost nothing to start. Holds at most `threads` + 2 elements and their
    results at a time. With 0 threads each element is finished before the next, in its own window:
    what a stream needs. What it fails on is told in words that quote no record; `run_id` is for
    the log.
    """

    def __init__(
        self, make: Callable[[], KernelFunction], threads: int = THREADS, run_id: str | None = None
    ) -> None:
        self.make = make
        self.threads = threads
        self.run_id = run_id
        self._place = Place(run_id)
        self._function: KernelFunction | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._running: deque[Future[_Done]] = deque()

    def setup(self) -> None:
        """Makes the function, and the threads that call it."""
        self._function = self.make()
        if self.threads:
            self._pool = ThreadPoolExecutor(
                self.threads, thread_name_prefix="kernel", initializer=self._begin_thread
            )

    def start_bundle(self) -> None:
        """Forgets what a failed bundle left behind."""
        self._running.clear()
        self._place = begin_bundle(self.run_id)

    def process(self, element: Any) -> Iterator[Any]:
        """Hands the element to a thread; gives out the results that are ready."""
        if isinstance(element, pa.RecordBatch):
            BATCH_ROWS.update(element.num_rows)
        if self._pool is None:
            yield from map(_tagged, _timed(self._call(element)))
            return
        self._running.append(self._pool.submit(self._call, element))
        while len(self._running) > self.threads + 1 or (self._running and self._running[0].done()):
            yield from map(_tagged, _timed(self._running.popleft().result()))

    def finish_bundle(self) -> Iterator[Any]:
        """Waits for the rest. Only batch uses threads, so the window is the global one."""
        while self._running:
            for tag, value in _timed(self._running.popleft().result()):
                whole = WindowedValue(value, GlobalWindow().max_timestamp(), (GlobalWindow(),))
                yield beam.pvalue.TaggedOutput(tag, whole)

    def teardown(self) -> None:
        """Ends the threads."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _call(self, element: Any) -> _Done:
        if self._function is None:
            raise RuntimeError("the kernel was not set up")
        begun = time.perf_counter_ns()
        try:
            results = list(self._function(element))
        except Exception as error:
            if may_quote(error):
                raise StepFailedError(words(error)) from None
            raise
        return results, (time.perf_counter_ns() - begun) // 1000

    def _begin_thread(self) -> None:
        work_for(self._place)


def _timed(done: _Done) -> list[Tagged]:
    """The results. Beam's metrics know the step in the thread of the bundle only."""
    results, took_us = done
    KERNEL_US.update(took_us)
    return results


def _tagged(result: Tagged) -> beam.pvalue.TaggedOutput:
    return beam.pvalue.TaggedOutput(*result)
