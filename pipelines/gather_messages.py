"""Messages as Beam's own source gives them on Dataflow, gathered into blocks."""

from collections.abc import Iterator
from dataclasses import dataclass
from time import time_ns

import apache_beam as beam
from apache_beam.io.gcp.pubsub import PubsubMessage, ReadFromPubSub
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.inputs import Block
from pipelines.inputs.messages import BATCH_BYTES, Message, Rates, block_of, is_blank
from pipelines.inputs.subscription import name_of
from transforms.timestamps import micros_of


@dataclass
class ReadOnDataflow(beam.PTransform):
    """Messages of a subscription → blocks, each of messages that came in one bundle.

    Dataflow acknowledges what it has stored, gives each message out once, and knows the watermark.
    A block is stamped with its first message. Holds one block.
    """

    subscription: str
    batch_rows: int
    rates: Rates | None

    def expand(self, pbegin: beam.pvalue.PBegin) -> beam.PCollection:
        """Wires Beam's source."""
        name = name_of(self.subscription)
        return (
            pbegin
            | "Messages" >> ReadFromPubSub(subscription=name, with_attributes=True)
            | "Gather"
            >> beam.ParDo(Gather(self.subscription, self.batch_rows, self.rates)).with_output_types(
                Block
            )
        )


class Gather(beam.DoFn):
    """Messages → blocks, each of messages that came in one bundle."""

    _messages: list[Message]
    _bytes: int
    _first: Timestamp

    def __init__(self, subscription: str, batch_rows: int, rates: Rates | None) -> None:
        self._subscription, self._batch_rows, self._rates = subscription, batch_rows, rates

    def start_bundle(self) -> None:
        """Begin without messages."""
        self._clear()

    def process(
        self, message: PubsubMessage, at: Timestamp = beam.DoFn.TimestampParam
    ) -> Iterator[WindowedValue]:
        """Take a message in; gives a block when one is full."""
        if is_blank(message.data):
            return
        at_us = micros_of(message.publish_time)
        self._messages.append(Message(message.message_id, "", message.data, at_us))
        self._bytes += len(message.data)
        self._first = min(at, self._first)
        if len(self._messages) >= self._batch_rows or self._bytes >= BATCH_BYTES:
            yield from self.finish_bundle()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Give what is left."""
        if self._messages:
            rates = self._rates.current() if self._rates else None
            block = block_of(self._subscription, self._messages, time_ns() // 1000, rates)
            yield WindowedValue(block, self._first, [GlobalWindow()])
        self._clear()

    def _clear(self) -> None:
        self._messages, self._bytes, self._first = [], 0, MAX_TIMESTAMP
