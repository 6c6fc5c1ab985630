"""The closed set of reasons for which a record, an event of a meter, or a row is rejected.

Where several hold of a record, the first in the order of this enumeration is given.
"""

from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """Why something was rejected; the value is what the `rejects` table and the ledger say."""

    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_OBJECT = "not_object"
    DUPLICATE_FIELD = "duplicate_field"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    BAD_TIMESTAMP = "bad_timestamp"
    FUTURE_TIMESTAMP = "future_timestamp"
    CONFLICT = "conflict"
    # of an event, for one meter
    INVALID_DIMENSION = "invalid_dimension"
    MISSING_VALUE = "missing_value"
    INVALID_VALUE = "invalid_value"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    TOO_LATE = "too_late"
    # of a row; these have no part in the ledger
    TOTAL_OUT_OF_RANGE = "total_out_of_range"
    REFUSED = "refused"


class Rejected(Exception):  # noqa: N818 - a verdict about a record, not an error of the program
    """Raised while one record is read exactly: the reason, and what to tell its owner.

    `record` is what can still be read of it, where that is an object.
    """

    def __init__(self, reason: Reason, detail: str, record: Any = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.record = record
