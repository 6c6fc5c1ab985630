"""What holds for all tests."""

import signal
import threading
from collections.abc import Iterator

import pytest
from grpc import RpcError
from hypothesis import settings

# how long an example takes says something of the machine only
settings.register_profile("meterbeam", deadline=None)
settings.load_profile("meterbeam")

THREADS_OF_BEAM = (
    "run_worker_",
    "read_grpc_client_inputs",
    "read_state",
    "wait_until_finish_read",
)

# begun in the background by a shell, a process and all it starts would ignore Ctrl-C
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def workers_may_lose_their_engine() -> Iterator[None]:
    """Threads of Beam raise when their engine is gone, and tests end engines.

    They may do so when their test is over already, and another one would be blamed.
    """
    before = threading.excepthook

    def told(raised: threading.ExceptHookArgs) -> None:
        name = raised.thread.name if raised.thread else ""
        if not (name.startswith(THREADS_OF_BEAM) and isinstance(raised.exc_value, RpcError)):
            before(raised)

    threading.excepthook = told
    yield
    threading.excepthook = before
