"""One message is one record, whatever line ends are in it."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.inputs import Block
from pipelines.inputs.block import KEPT_OF_OVERSIZED, LARGEST_RECORD
from pipelines.inputs.messages import Message, as_line, block_of, is_blank
from transforms.columnar import ColumnarReader
from transforms.exact import ExactReader, Verdict
from transforms.lines import Lines
from transforms.slots import Slots
from transforms.sources import NATIVE

EVENT = {"event_type": "t", "customer_id": "c", "timestamp": "2026-01-15T10:30:00Z"}
COMPACT = json.dumps(EVENT).encode()
PRETTY = json.dumps(EVENT, indent=2).encode()
CUT = COMPACT.replace(b'"c"', b'"a\nb"')

# what messages with line ends are made of: pieces of JSON, whole or broken anywhere
PIECES = (b"\n", b"\r", b'"', b"\\", b"{", b"}", b":", b",", b" ", b"1", b"\xff", b'"a"', b'"a":')
SMALL = st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join)


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """An event with something put in anywhere, or taken out."""
    data = draw(st.sampled_from([COMPACT, PRETTY]))
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 2)))
    return data[:start] + draw(SMALL) + data[end:]


def block(*payloads: bytes) -> Block:
    messages = [Message(f"m{i}", f"a{i}", data, 1000 + i) for i, data in enumerate(payloads)]
    return block_of("pubsub://p/s", messages, 7, "r1")


def read(data: bytes) -> tuple[list[str], list[str]]:
    """The customers, and the reasons of what is no event, that a block says."""
    reader = ColumnarReader(ExactReader(NATIVE, Slots((), ())))
    fields, verdicts = reader.read(Lines.of(data))
    return fields.column("customer_id").to_pylist(), [v.reason for v in verdicts.values()]


@given(st.lists(st.one_of(SMALL, broken()), min_size=1, max_size=5))
@example([PRETTY])
@example([CUT])
@example([PRETTY.replace(b"\n", b"\r\n")])
@example([b'{"a":"\\\n"}'])
@example([b'"\xff\n"'])
@example([COMPACT + b"\n" + COMPACT])
@example([b'"\\"\n'])
def test_each_message_is_the_record_or_the_reject_that_its_own_bytes_are(
    payloads: list[bytes],
) -> None:
    records = [each for each in payloads if not is_blank(each)]
    exact = ExactReader(NATIVE, Slots((), ()))
    said = [exact.read(each.removesuffix(b"\n")) for each in records]
    assert len(Lines.of(block(*records).data)) == len(records)
    customers, reasons = read(block(*records).data)
    assert customers == [each["customer_id"] for each in said if isinstance(each, dict)]
    assert reasons == [each.reason for each in said if isinstance(each, Verdict)]


@given(SMALL)
def test_a_message_without_line_ends_is_its_line_byte_for_byte(data: bytes) -> None:
    inner = data.replace(b"\n", b"").rstrip(b"\r")
    assert as_line(inner) == inner
    assert as_line(inner + b"\n") == as_line(inner + b"\r\n") == inner


def test_a_line_end_in_a_string_is_not_json() -> None:
    assert read(block(CUT).data) == ([], ["not_json"])


def test_line_ends_between_tokens_become_spaces() -> None:
    assert as_line(PRETTY) == PRETTY.replace(b"\n", b" ")


def test_two_events_in_one_message_are_one_reject() -> None:
    made = block(COMPACT + b"\n" + COMPACT, COMPACT)
    assert read(made.data) == (["c"], ["not_json"])


def test_a_block_says_which_message_a_line_is_and_when_it_was_published() -> None:
    made = block(COMPACT, PRETTY, CUT)
    assert made.path == "pubsub://p/s"
    assert made.data.count(b"\n") == 3
    assert made.origins is not None
    assert made.origins.to_pylist() == ["m0", "m1", "m2"]
    assert made.published is not None
    assert made.published.tolist() == [1000, 1001, 1002]
    assert (made.clock_us, made.rates, made.oversized) == (7, "r1", ())


def test_a_record_over_1_mib_keeps_its_beginning_its_id_and_its_time() -> None:
    large = b'"' + b"x" * LARGEST_RECORD + b'"'
    just = b'"' + b"x" * (LARGEST_RECORD - 2) + b'"'
    made = block(COMPACT, large, just + b"\r\n")
    assert made.data == COMPACT + b"\n" + just + b"\n"
    assert made.origins is not None
    assert made.origins.to_pylist() == ["m0", "m2", "m1"]
    assert made.published is not None
    assert made.published.tolist() == [1000, 1002, 1001]
    assert made.oversized == ((2, large[:KEPT_OF_OVERSIZED]),)


def test_white_space_is_no_record() -> None:
    assert [is_blank(each) for each in (b"", b" \r\n\t\n", b"\x00", b"0")] == [1, 1, 0, 0]
