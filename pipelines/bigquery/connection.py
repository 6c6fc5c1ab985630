"""A connection over which rows are appended to a table: a stream of requests, and of answers.

It is over the client library's `append_rows`. The library's own AppendRowsStream would pair an
answer with another request where two threads send at once, and looks for answers now and then.
"""

import os
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from queue import SimpleQueue

import grpc
from google.api_core.exceptions import GoogleAPICallError, ServiceUnavailable, from_grpc_status
from google.cloud.bigquery_storage_v1 import BigQueryWriteClient, types
from google.cloud.bigquery_storage_v1.services.big_query_write.transports import (
    BigQueryWriteGrpcTransport,
)

from pipelines.bigquery.dataset import Dataset

EMULATOR = "BIGQUERY_STORAGE_EMULATOR_HOST"  # host:port, without TLS
_ALONE = [("grpc.enable_http_proxy", 0)]  # an emulator is on this machine


def stream_of(dataset: Dataset, table: str) -> str:
    """The stream to which any number of writers append: each row at least once, seen at once."""
    return f"projects/{dataset.project}/datasets/{dataset.name}/tables/{table}/streams/_default"


def write_client() -> BigQueryWriteClient:
    """A client of its own channel, to the service or to the emulator that EMULATOR names."""
    emulator = os.environ.get(EMULATOR)
    if not emulator:
        return BigQueryWriteClient()
    channel = grpc.insecure_channel(emulator, options=_ALONE)
    return BigQueryWriteClient(transport=BigQueryWriteGrpcTransport(channel=channel))


class Connection:
    """Sends rows of one schema to one stream, in order, until it breaks. Any thread may send."""

    def __init__(self, stream: str, schema: bytes) -> None:
        self._stream, self._schema = stream, schema
        self._client = write_client()
        self._requests: SimpleQueue[types.AppendRowsRequest | None] = SimpleQueue()
        self._waiting: deque[Future[types.AppendRowsResponse]] = deque()
        self._lock = threading.Lock()
        self._broken: BaseException | None = None
        self._first = True
        threading.Thread(target=self._read, name=f"append {stream}", daemon=True).start()

    @property
    def is_broken(self) -> bool:
        """Whether nothing can be sent over it any more."""
        return self._broken is not None

    def send(self, rows: bytes) -> Future[types.AppendRowsResponse]:
        """Send a serialized record batch; its answer, or why there is none, comes later.

        An answer that says that the rows were not taken is raised as what it says.
        """
        answer: Future[types.AppendRowsResponse] = Future()
        with self._lock:
            if self._broken is not None:
                answer.set_exception(self._broken)
                return answer
            self._waiting.append(answer)  # in the order of the requests: as answers come
            self._requests.put(self._request(rows))
        return answer

    def close(self, reason: BaseException | None = None) -> None:
        """Let go of it: whoever waits for an answer gets the reason instead."""
        self._end(reason or ServiceUnavailable("the connection was closed"))
        self._requests.put(None)
        self._client.transport.close()

    def _request(self, rows: bytes) -> types.AppendRowsRequest:
        arrow = types.AppendRowsRequest.ArrowData(
            rows=types.ArrowRecordBatch(serialized_record_batch=rows)
        )
        request = types.AppendRowsRequest(arrow_rows=arrow)
        if self._first:
            self._first = False
            request.write_stream = self._stream
            request.trace_id = "meterbeam"
            request.arrow_rows.writer_schema = types.ArrowSchema(serialized_schema=self._schema)
        return request

    def _read(self) -> None:
        ended: BaseException = ServiceUnavailable("the service closed the connection")
        try:
            # not by the call's own retry: it would go on with requests that are half used up
            answers = self._client.append_rows(
                self._sent(),
                retry=None,
                metadata=[("x-goog-request-params", f"write_stream={self._stream}")],
            )
            for answer in answers:
                self._answered(answer)
        except Exception as error:  # noqa: BLE001 - whoever waits is to raise it
            ended = error
        self._end(ended)

    def _sent(self) -> Iterator[types.AppendRowsRequest]:
        while (request := self._requests.get()) is not None:
            yield request

    def _answered(self, answer: types.AppendRowsResponse) -> None:
        with self._lock:
            waiting = self._waiting.popleft() if self._waiting else None
        if waiting is None:
            return
        if answer.error.code:
            waiting.set_exception(_refusal(answer))
        else:
            waiting.set_result(answer)

    def _end(self, reason: BaseException) -> None:
        with self._lock:
            self._broken = self._broken or reason
            waiting, self._waiting = self._waiting, deque()
        self._requests.put(None)
        for each in waiting:
            each.set_exception(reason)


def _refusal(answer: types.AppendRowsResponse) -> GoogleAPICallError:
    return from_grpc_status(answer.error.code, answer.error.message, response=answer)
