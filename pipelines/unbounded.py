"""What a source without an end needs of Beam: batches by number as the restriction of one element.

The rest of it can be put off, and never be shared: what such a source holds is in one process.
"""

from typing import Any

import apache_beam as beam
from apache_beam.io.restriction_trackers import OffsetRange, OffsetRestrictionTracker
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.transforms.core import RestrictionProvider

END = 1 << 62


class _Numbers(OffsetRestrictionTracker):
    """Numbers that were given out, and the rest."""

    def try_split(self, fraction_of_remainder: float) -> Any:
        return None if fraction_of_remainder else super().try_split(0)

    def is_bounded(self) -> bool:
        return False


class _AllBatches(RestrictionProvider):
    def __init__(self, first: int) -> None:
        self._all = OffsetRange(first, END)

    def initial_restriction(self, element: bytes) -> OffsetRange:  # noqa: ARG002 - Beam's
        return self._all

    def create_tracker(self, restriction: OffsetRange) -> _Numbers:
        return _Numbers(restriction)

    def restriction_size(self, element: bytes, restriction: OffsetRange) -> int:  # noqa: ARG002
        return 1

    def truncate(self, element: bytes, restriction: OffsetRange) -> None:  # noqa: ARG002
        """A job that is drained reads no more."""
        return


BATCHES = beam.DoFn.RestrictionParam(_AllBatches(0))  # by number
STAMPED_BATCHES = beam.DoFn.RestrictionParam(
    _AllBatches(-END)
)  # by stamp, which may be before 1970
WATERMARK = beam.DoFn.WatermarkEstimatorParam(ManualWatermarkEstimator.default_provider())
