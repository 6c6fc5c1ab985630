"""The columnar path accepts, reads and refuses exactly what the exact path does."""

from typing import Any

import numpy as np
import pytest
from fast_and_slow import OWN, SLOTS, compare, reader
from hypothesis import example, given, settings
from hypothesis import strategies as st
from record_texts import MAPPED, NATIVE, blocks

from transforms.columnar import MANY, ColumnarReader
from transforms.exact import ExactReader, Verdict
from transforms.lines import Lines
from transforms.sources import BUILT_IN


@given(blocks(NATIVE), st.sampled_from(["native", "recorded"]), st.sampled_from([1, MANY]))
@settings(max_examples=400, deadline=None)
@example(b'{"id":"1"}\n{"id":\n{}}\n{} {}\n', "native", MANY)
@example(b'null\n{"event_type":"a"}', "native", MANY)
def test_a_block_reads_the_same_fast_and_slow(data: bytes, source: str, many: int) -> None:
    compare(data, reader(BUILT_IN[source], many))


@given(blocks(MAPPED), st.sampled_from([1, MANY]))
@settings(max_examples=300, deadline=None)
def test_a_mapped_source_reads_the_same_fast_and_slow(data: bytes, many: int) -> None:
    compare(data, reader(OWN, many))


@given(st.lists(blocks(NATIVE), min_size=2, max_size=4), st.sampled_from([1, MANY]))
@settings(max_examples=150, deadline=None)
def test_what_a_reader_has_learned_does_not_change_what_it_reads(
    datas: list[bytes], many: int
) -> None:
    learning = reader(BUILT_IN["native"], many)
    for data in datas:
        compare(data, learning)


def test_objects_without_a_field_are_read_before_any_field_was_seen(
    caplog: pytest.LogCaptureFixture,
) -> None:
    compare(b'{}\n{"id":}\n{}\n', reader(BUILT_IN["cloudevents"]))
    assert not caplog.records


def test_lists_of_nulls_are_put_together(caplog: pytest.LogCaptureFixture) -> None:
    line = (
        b'{"id":"%d","event_type":"a","customer_id":"c","timestamp":"2026-01-15T10:30:00Z",'
        b'"properties":{"n":1,"list":[null,null]}}\n'
    )
    compare(line % 1 + b"{e}\n" + line % 2, reader(BUILT_IN["native"]))
    assert not caplog.records


@pytest.mark.parametrize("many", [1, MANY, 1000])
def test_the_fast_path_is_taken_for_ordinary_lines(many: int) -> None:
    line = (
        b'{"id":"%d","event_type":"a","customer_id":"c","timestamp":"2026-01-15T10:30:00Z",'
        b'"properties":{"n":1.5,"model":"m"}}\n'
    )
    lines = Lines.of(b"".join(line % i for i in range(500)))
    exact = ExactReader(BUILT_IN["native"], SLOTS)
    fast = ColumnarReader(exact, many=many)
    slow: list[int] = []

    class Counting(ExactReader):
        def read(self, line: bytes) -> dict[str, Any] | Verdict:
            slow.append(1)
            return super().read(line)

    fast.exact = Counting(exact.source, exact.slots)
    fields, verdicts = fast.read(lines)
    assert (fields.num_rows, verdicts, slow) == (500, {}, [])
    assert np.array_equal(fields.column("line").to_numpy(), np.arange(500))
