"""A slow, plain metering of records, written from the contract alone.

It shares no line with the product, so that where the two agree, each is evidence for the other.
"""

from oracle.meter import meter_batch
from oracle.outcome import Outcome
from oracle.records import Record, split_records

__all__ = ["Outcome", "Record", "meter_batch", "split_records"]
