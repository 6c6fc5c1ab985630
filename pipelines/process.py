"""What this process tells the interpreter, the C library and Arrow about its memory.

A run takes and gives back blocks of tens of megabytes all the time, on all threads. Left alone,
malloc returns each to the kernel and pays for every page again, which is a tenth of a run's time.
Arrow's allocator is as fast when it keeps all it ever had, but has more and more the longer a run
is; jemalloc, which some builds of Arrow have, has two thirds of that for ten million events.
"""

import ctypes
import gc
import os
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_KEPT = 1 << 30
_OBJECTS = 100_000
# Arrow reads these when it is loaded
_ARROW = {"MIMALLOC_PURGE_DELAY": "-1", "MIMALLOC_ALLOW_LARGE_OS_PAGES": "1"}
# its wheels for other machines are without it, and Arrow complains about one that it has not
HAS_JEMALLOC = sys.platform == "linux" and os.uname().machine == "x86_64"
if HAS_JEMALLOC:
    _ARROW["ARROW_DEFAULT_MEMORY_POOL"] = "jemalloc"


def keep_memory(*, of_arrow: bool) -> None:
    """Keep freed blocks for the next ones, and look for cycles of objects less often.

    `of_arrow`: Arrow is told how to allocate, too; not for a process that lasts, as a stream does.
    """
    if of_arrow:
        for name, value in _ARROW.items():
            os.environ.setdefault(name, value)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):  # musl has none
            libc.mallopt(_MMAP_THRESHOLD, _KEPT)
            libc.mallopt(_TRIM_THRESHOLD, _KEPT)
    gc.set_threshold(_OBJECTS, 50, 50)
