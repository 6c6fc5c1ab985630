"""What a run tells Arrow about its memory."""

import os
import subprocess
import sys

from pipelines.process import HAS_JEMALLOC

ASKED = """
from pipelines.process import keep_memory
keep_memory(of_arrow=True)
import pyarrow
print(pyarrow.default_memory_pool().backend_name)
"""


def pool(**given: str) -> str:
    """The allocator that Arrow has then; what it says to standard error goes before it."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("ARROW_")}
    done = subprocess.run(
        [sys.executable, "-c", ASKED],
        env=kept | given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_run_takes_the_allocator_that_gives_back_what_it_has_not_in_use() -> None:
    assert pool() == ("jemalloc" if HAS_JEMALLOC else "mimalloc")


def test_the_allocator_is_left_to_who_names_one() -> None:
    assert pool(ARROW_DEFAULT_MEMORY_POOL="system") == "system"
