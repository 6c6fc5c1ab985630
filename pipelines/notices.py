"""What a running stream has to tell its user: a line on standard error.

The live view, while it is there, takes them, so that they stand above it.
"""

import contextlib
import sys
from collections.abc import Callable


def _print(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody listens: the stream goes on
        sys.stderr.write(f"meterbeam: {text}\n")
        sys.stderr.flush()


_printers: list[Callable[[str], None]] = [_print]


def notify(text: str) -> None:
    """Tells the user something, at once."""
    _printers[-1](text)


def taken_by(printer: Callable[[str], None]) -> None:
    """From now on `printer` shows what there is to tell."""
    _printers.append(printer)


def given_back() -> None:
    """The last printer is gone."""
    if len(_printers) > 1:
        _printers.pop()
