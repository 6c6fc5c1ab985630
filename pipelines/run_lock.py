"""One process at a time runs under a run id in an output."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pipelines import warehouse
from pipelines.problems import UserError


@contextmanager
def held(out: Path, run_id: str) -> Iterator[None]:
    """Hold a run id, which `runs.check_run_id` has found legal, for this process while it runs.

    It makes the folder `OUT/runs`, so what can be said before anything is written is said before.

    Raises:
        UserError: where another process is running under that id, or nothing can be written.

    """
    root = warehouse.check_out(out)
    path = root / "runs" / f".{run_id}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = _locked(path)
    except OSError as error:
        raise UserError(f"{root} cannot be written: {error.strerror or error}") from error
    if lock is None:
        raise UserError(f"run {run_id} is running already, in another process")
    with lock:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _locked(path: Path) -> TextIO | None:
    """The file of a path, locked; None where another process has it."""
    while True:
        lock = path.open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # whoever had it may have removed it since it was opened
            if path.exists() and os.path.samestat(os.fstat(lock.fileno()), path.stat()):
                return lock
        except BlockingIOError:
            lock.close()
            return None
        except FileNotFoundError:
            pass
        except BaseException:
            lock.close()
            raise
        lock.close()
