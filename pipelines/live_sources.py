"""The sources of a stream on this machine: what the graph reads, and what is open meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import apache_beam as beam

from pipelines import read_pubsub
from pipelines.inputs.arrivals import Arrivals
from pipelines.open_tails import close_tail, open_tail
from pipelines.problems import UserError
from pipelines.rate_versions import RateVersions
from pipelines.read_pubsub import ReadPubSub, check_subscription, close_subscriptions
from pipelines.read_tail import ReadTail
from pipelines.settings import Settings
from pipelines.stream_settings import Stream
from pipelines.tail_reader import Tail


class LiveSource(Protocol):
    """Where a stream comes from."""

    @property
    def read(self) -> beam.PTransform:
        """The source as a step of the graph."""

    @property
    def abandoned(self) -> bool:
        """Whether it was stopped before it had given out again all that it gave out before."""

    def check(self, *, again: bool) -> None:
        """Raises UserError where it cannot be read, or not by a run that goes on."""

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Around the tables of the run: opened before and closed after them."""

    def joined_with(self, safe_up_to: Callable[[], int]) -> None:
        """Learns up to which stamp (ms) what came of its batches is written."""

    @property
    def way_on(self) -> str:
        """What a user can do when a run was cut short, in words."""


class TailSource:
    """Folders whose files grow; its journal says what was given out."""

    def __init__(
        self, settings: Settings, stream: Stream, state: Path, run_id: str, rates: RateVersions
    ) -> None:
        self._tail = Tail(
            folders=[str(each) for each in stream.folders],
            out=str(state),
            run_id=run_id,
            source=settings.source,
            tolerance_us=settings.catalog.future_tolerance_us,
            batch_rows=stream.batch_rows,
            batch_us=stream.batch_us,
            rates=rates,
        )

    @property
    def read(self) -> beam.PTransform:
        """Micro-batches of the files."""
        return ReadTail(self._tail)

    @property
    def abandoned(self) -> bool:
        """Whether batches of the journal were left."""
        return self._reader.abandoned

    def check(self, *, again: bool) -> None:
        """All that can be wrong is found when it is opened."""

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Indexes what the tables have before they are changed."""
        self._reader = open_tail(self._tail)
        try:
            yield
        finally:
            close_tail(self._tail)

    def joined_with(self, safe_up_to: Callable[[], int]) -> None:
        """The journal needs no word of what is written."""

    @property
    def way_on(self) -> str:
        """The journal has what was read."""
        return f"nothing that was read is lost: go on with --run-id {self._tail.run_id}"


class PubSubSource:
    """A subscription; messages are acknowledged when what came of them is written."""

    def __init__(self, settings: Settings, stream: Stream, rates: RateVersions) -> None:
        self._subscription = stream.subscription or ""
        self._stream, self._rates = stream, rates
        self._arrivals = Arrivals(settings.source, settings.catalog.future_tolerance_us)

    @property
    def read(self) -> beam.PTransform:
        """Micro-batches of the messages."""
        stream = self._stream
        rows, batch_us = stream.batch_rows, stream.batch_us
        return ReadPubSub(self._subscription, rows, batch_us, self._arrivals, self._rates)

    @property
    def abandoned(self) -> bool:
        """No message comes again to a run that goes on: there is none."""
        return False

    def check(self, *, again: bool) -> None:
        """Asks the service for the subscription."""
        if again:
            raise UserError(
                "--run-id: the engine on this machine forgets its state when it ends, and messages"
                " that were acknowledged do not come again; begin a new run, and meter windows that"
                " both runs share with a batch run over the output (see windows_to_backfill)"
            )
        check_subscription(self._subscription)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Acknowledges what is safe in the end, and gives back the rest."""
        try:
            yield
        except BaseException:
            close_subscriptions(all_safe=False)
            raise
        else:
            close_subscriptions(all_safe=True)
        finally:
            read_pubsub.safe_batches = None

    @property
    def way_on(self) -> str:
        """See `check`."""
        return (
            "messages that were not acknowledged come again to a new run; for the others meter the"
            " last windows of this one with a batch run over the output"
        )

    def joined_with(self, safe_up_to: Callable[[], int]) -> None:
        """A batch is safe when its events and rejects are written."""
        read_pubsub.safe_batches = safe_up_to


def live_source(settings: Settings, state: Path, run_id: str, rates: RateVersions) -> LiveSource:
    """The source that a stream's settings name, with its journal in `state`."""
    stream = settings.stream
    if stream is None:
        raise ValueError("settings of a batch run")
    if stream.subscription:
        return PubSubSource(settings, stream, rates)
    return TailSource(settings, stream, state, run_id, rates)
