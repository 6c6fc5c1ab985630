"""Errors are told as far as they cannot quote a record."""

import errno
import os

import duckdb
import pyarrow as pa
import pytest

from transforms.told_errors import StepFailedError, trace, words

CANARY = "4711-canary"


def raised_by_arrow() -> Exception:
    with pytest.raises(pa.ArrowInvalid) as found:
        pa.array([CANARY]).cast(pa.int64())
    return found.value


def raised_by_duckdb() -> Exception:
    with pytest.raises(duckdb.ConversionException) as found:
        duckdb.execute("SELECT ?::INTEGER", [CANARY])
    return found.value


def raised_behind_another() -> Exception:
    first, second = raised_by_arrow(), LookupError(CANARY)
    first.add_note(CANARY)
    with pytest.raises(LookupError) as found:
        raise second from first
    return found.value


def raised_in_a_group() -> Exception:
    return ExceptionGroup(CANARY, [raised_by_arrow(), ExceptionGroup(CANARY, [KeyError(CANARY)])])


@pytest.mark.parametrize(
    ("error", "kinds"),
    [
        (raised_by_arrow(), ["ArrowInvalid"]),
        (raised_by_duckdb(), ["ConversionException"]),
        (raised_behind_another(), ["LookupError", "ArrowInvalid"]),
        (raised_in_a_group(), ["ExceptionGroup", "ArrowInvalid", "KeyError"]),
    ],
)
def test_what_a_library_says_of_data_is_not_told(error: Exception, kinds: list[str]) -> None:
    assert CANARY in str(error)
    assert words(error).startswith(kinds[0])
    told = trace(error)
    assert all(kind in told for kind in kinds)
    assert CANARY not in words(error) + told


def test_an_error_of_data_is_told_with_its_place() -> None:
    assert words(raised_by_arrow()).startswith("ArrowInvalid at transforms/test_told_errors.py:")


def test_errors_of_the_machine_and_our_own_are_told_as_they_are() -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert words(full) == "OSError: [Errno 28] No space left on device"
    assert "No space left on device" in trace(full)
    assert words(StepFailedError("KeyError at x.py:1")) == "KeyError at x.py:1"
