"""Stands between a client and a gRPC service, and answers some calls with errors instead."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

_THREADS = 8
_SIZES = [("grpc.max_receive_message_length", -1)]


class FaultyService(grpc.GenericRpcHandler):
    """Passes unary calls on to `target`; `faults` has, by method, the errors to come first."""

    def __init__(self, target: str) -> None:
        self.faults: dict[str, deque[grpc.StatusCode]] = defaultdict(deque)
        self.calls: dict[str, int] = defaultdict(int)
        self.channel = grpc.insecure_channel(target, options=_SIZES)

    def service(self, handler_call_details: Any) -> Any:
        """Answers every method there may be."""
        return grpc.unary_unary_rpc_method_handler(self._answer(handler_call_details.method))

    def _answer(self, method: str) -> Callable[[bytes, Any], bytes]:
        short = method.rpartition("/")[2]

        def answer(request: bytes, context: Any) -> bytes:
            self.calls[short] += 1
            if self.faults[short]:
                context.abort(self.faults[short].popleft(), "made to fail")
            call = self.channel.unary_unary(method).future(request, context.time_remaining())
            context.add_callback(call.cancel)
            try:
                passed: bytes = call.result()
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())
            except grpc.FutureCancelledError:
                context.abort(grpc.StatusCode.CANCELLED, "the client is gone")
            return passed

        return answer


@contextmanager
def faulty(target: str) -> Iterator[tuple[str, FaultyService]]:
    """The address of such a service, on this machine, and the service."""
    service = FaultyService(target)
    with ThreadPoolExecutor(_THREADS) as pool:
        server = grpc.server(pool, options=_SIZES)
        server.add_generic_rpc_handlers([service])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}", service
        finally:
            server.stop(None).wait()
            service.channel.close()
