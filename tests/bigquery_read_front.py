"""Stands before the emulator's Storage Read API, and keeps what it is asked for."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.cloud.bigquery_storage_v1 import types

_CREATE = "/google.cloud.bigquery.storage.v1.BigQueryRead/CreateReadSession"
_ALL = [("grpc.max_receive_message_length", -1)]


class ReadFront(grpc.GenericRpcHandler):
    """Passes calls on to `target`; `asked` has the sessions that were asked for."""

    def __init__(self, target: str) -> None:
        self.asked: list[types.ReadSession] = []
        self.channel = grpc.insecure_channel(target, options=_ALL)

    def service(self, handler_call_details: Any) -> Any:
        """Sessions are asked for by a message, and rows come as a stream."""
        method = handler_call_details.method
        if method == _CREATE:
            return grpc.unary_unary_rpc_method_handler(self._create)
        return grpc.unary_stream_rpc_method_handler(
            lambda request, _: self.channel.unary_stream(method)(request)
        )

    def _create(self, request: bytes, _context: Any) -> bytes:
        self.asked.append(types.CreateReadSessionRequest.deserialize(request).read_session)
        passed: bytes = self.channel.unary_unary(_CREATE)(request)
        return passed


@contextmanager
def reading_through(target: str) -> Iterator[tuple[str, ReadFront]]:
    """The address of such a front, on this machine, and the front."""
    front = ReadFront(target)
    with ThreadPoolExecutor(8) as pool:
        server = grpc.server(pool, options=_ALL)
        server.add_generic_rpc_handlers([front])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}", front
        finally:
            server.stop(None).wait()
            front.channel.close()
