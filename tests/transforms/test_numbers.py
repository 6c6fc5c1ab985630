"""Amounts are read from columns of text as they are one by one."""

from decimal import Decimal

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from transforms.numbers import is_number, short_numbers

TEXTS = st.one_of(
    st.none(),
    st.integers(-(10**20), 10**20).map(str),
    st.integers(0, 10**6).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=4).map(str),
    st.sampled_from(["", "-", "0", "-0", "00", "07", "-07", "0x1f", "+1", " 1", "1 ", "1e3", "1."]),
    st.sampled_from([".5", "0.5", "9" * 18, "9" * 19, "9" * 20, "0." + "1" * 18, "1_0", "\uff11"]),
)


@given(st.lists(TEXTS, max_size=6))
@example(["7", "07"])
@example(["7", "0x1f"])
@example(["7", "-7"])
@example(["7", "9" * 19])
@example([None, "7"])
@example([])
def test_a_column_of_numbers_is_read_as_each_of_them(texts: list[str | None]) -> None:
    amounts, odd = short_numbers(pa.array(texts, pa.string()))
    for text, amount, strange in zip(texts, amounts.to_pylist(), odd.tolist(), strict=True):
        if text is None or strange:
            assert amount is None
            assert strange == (text is not None)
        else:
            assert is_number(text)
            assert amount == Decimal(text)
