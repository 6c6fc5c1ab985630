r"""Messages of a message service as blocks: one message is one record.

What a message holds is taken as a line of a file would be. A line end at its end is not part of the
record; a message of nothing but white space is no record, as such a line is none. Line ends between
JSON's tokens are white space, and become spaces; one within a string is not JSON, so it becomes a
`\r`, which is not JSON there either: the reader sees one line, and says of it what it would say of
the message.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from pipelines.inputs.block import KEPT_OF_OVERSIZED, LARGEST_RECORD, WHITE_SPACE, Block

BATCH_BYTES = 8 << 20
"""Bytes of the messages of a full block."""

# as far as strings hold no line end and are closed; possessive, so in one pass
_NO_STRING_IS_CUT = re.compile(rb'(?:[^"]++|"(?:[^"\\\n]++|\\[^\n])*+")*+')


class Message(NamedTuple):
    """One message as it was pulled.

    id: the service's name for it, the same each time it is delivered; ack_id: the name of this
    delivery; published_us: when the service took it in (µs since the epoch).
    """

    id: str
    ack_id: str
    data: bytes
    published_us: int


class Rates(Protocol):
    """The versions of the rates."""

    def current(self) -> str | None:
        """The version that holds now."""


def is_blank(data: bytes) -> bool:
    """Whether a message is no record."""
    return not data.strip(WHITE_SPACE)


def as_line(data: bytes) -> bytes:
    r"""A message as a line without its end; no `\n` is in it."""
    record = data.removesuffix(b"\n").removesuffix(b"\r")
    if b"\n" not in record:
        return record
    whole = _NO_STRING_IS_CUT.fullmatch(record)
    return record.replace(b"\n", b" " if whole else b"\r")


def block_of(address: str, messages: Sequence[Message], clock_us: int, rates: str | None) -> Block:
    """A block of messages, in their order. Its origins are their ids.

    For the records over 1 MiB the columns `origins` and `published` go on behind those of the
    lines, and their offsets are their places there.
    """
    lines = [(message, as_line(message.data)) for message in messages]
    fitting = [each for each in lines if len(each[1]) <= LARGEST_RECORD]
    larger = [message for message, line in lines if len(line) > LARGEST_RECORD]
    named = [*(message for message, _ in fitting), *larger]
    return Block(
        address,
        b"".join([part for _, line in fitting for part in (line, b"\n")]),
        oversized=tuple(
            (place, message.data[:KEPT_OF_OVERSIZED])
            for place, message in enumerate(larger, start=len(fitting))
        ),
        origins=pa.array([message.id for message in named], pa.string()),
        published=np.array([message.published_us for message in named], np.int64),
        clock_us=clock_us,
        rates=rates,
    )
