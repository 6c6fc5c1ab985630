"""Two readings have one digest just when they say the same, on every machine."""

from decimal import Decimal
from unittest.mock import patch

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from readings_rows import SLOTS, TYPES, Row, readings
from transforms import content_digest
from transforms.arrow_coder import from_bytes, to_bytes
from transforms.content_digest import ContentDigests
from transforms.deduplicate import _say_the_same

NUMBERS = st.sampled_from([None, "0", "1", "-1", "1e-18", "99999999999999999999"])
TEXTS = st.sampled_from([None, "", "1", "é", "a", "ab", "b"])
ROWS = st.builds(
    Row,
    event_type=st.sampled_from(TYPES),
    customer_id=st.sampled_from(["c", "use", "1"]),
    event_time=st.sampled_from([0, 1, 1 << 40]),
    received_at=st.integers(0, 1),
    n0=NUMBERS.map(lambda text: text and Decimal(text)),
    n1=NUMBERS.map(lambda text: text and Decimal(text)),
    t0=TEXTS,
    t1=TEXTS,
    t2=TEXTS,
    odd=st.sampled_from([None, "", '{"n0":["t","x"]}']),
)


@st.composite
def row_lists(draw: st.DrawFn) -> list[Row]:
    """Rows of which many differ from one another in one place or none."""
    rows = draw(st.lists(ROWS, min_size=1, max_size=4))
    for _ in range(draw(st.integers(0, 8))):
        row, other = draw(st.sampled_from(rows)), draw(ROWS)
        name = draw(st.sampled_from(list(vars(row))))
        rows.append(Row(**{**vars(row), name: getattr(other, name)}))
    return rows


@given(row_lists())
def test_digests_are_equal_just_where_readings_say_the_same(rows: list[Row]) -> None:
    batch = readings(rows)
    digests = ContentDigests(SLOTS)(batch)
    one, two = (pa.array(side.ravel()) for side in np.indices((len(rows), len(rows))))
    same = _say_the_same(batch.take(one), batch.take(two), SLOTS)
    assert (digests[one.to_numpy()] == digests[two.to_numpy()]).tolist() == same.tolist()


@given(row_lists(), st.data())
def test_the_batch_that_a_reading_is_in_does_not_matter(
    rows: list[Row], data: st.DataObject
) -> None:
    batch, digests_of = readings(rows), ContentDigests(SLOTS)
    digests = digests_of(batch)
    order = data.draw(st.permutations(range(len(rows))))
    shuffled = from_bytes(to_bytes(batch.take(pa.array(order))))
    assert digests_of(shuffled).tolist() == digests[order].tolist()
    start = data.draw(st.integers(0, len(rows)))
    assert digests_of(batch.slice(start)).tolist() == digests[start:].tolist()


def test_digests_do_not_change_from_one_version_to_the_next() -> None:
    full = {"n0": Decimal("1.5"), "n1": Decimal(-1), "t0": "ü", "t1": "", "odd": "{}"}
    rows = [Row(), Row(event_type="call", customer_id="é", event_time=-1, **full)]
    assert [f"{digest:016x}" for digest in ContentDigests(SLOTS)(readings(rows)).tolist()] == [
        "aa95cc39bd928065",
        "54fc0273acc978f9",
    ]


def test_digests_do_not_depend_on_how_many_texts_were_hashed_before() -> None:
    rows = [Row(customer_id=f"c{i % 50}", t0=f"{i}") for i in range(200)]
    whole = ContentDigests(SLOTS)(readings(rows))
    with patch.object(content_digest, "_MANY_TEXTS", 7):
        digests_of = ContentDigests(SLOTS)
        some = [digests_of(readings(rows[at : at + 9])) for at in range(0, len(rows), 9)]
        assert len(digests_of._texts) <= 7  # noqa: SLF001 - what it remembers is bounded
    assert np.concatenate(some).tolist() == whole.tolist()


def test_long_texts_are_not_remembered() -> None:
    digests_of = ContentDigests(SLOTS)
    digests_of(readings([Row(customer_id="c" * 256, t0="x" * 257)]))
    assert max(map(len, digests_of._texts)) == 256  # noqa: SLF001 - what it remembers is bounded


def test_no_readings_have_no_digests() -> None:
    assert len(ContentDigests(SLOTS)(readings([]))) == 0
