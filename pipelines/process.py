"""What this process tells the interpreter and the C library about its memory.

A run takes and gives back blocks of tens of megabytes all the time, on all threads. Left alone,
malloc returns each to the kernel and pays for every page again, which is a tenth of a run's time.
"""

import ctypes
import gc
import os
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_KEPT = 1 << 30
_OBJECTS = 100_000
# of the allocator that Arrow brings along, which reads them when it is loaded
_ARROW = {"MIMALLOC_PURGE_DELAY": "-1", "MIMALLOC_ALLOW_LARGE_OS_PAGES": "1"}


def keep_memory(*, of_arrow: bool) -> None:
    """Keep freed blocks for the next ones, and look for cycles of objects less often.

    What Arrow frees is kept to the end of the process, and in larger pages: not for one that lasts.
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
