"""Keys are the same however many are made at once."""

import hashlib

import pyarrow as pa
import pytest

from transforms.event_keys import hash_texts, hex_digits

TEXTS = ["", "a", "ü", "x" * 5000, '{"id":1}']


@pytest.mark.parametrize("count", [0, 1, 7, 999, 1000, 5000])
def test_keys_are_the_md5_of_their_texts_however_many_there_are(count: int) -> None:
    texts = [f"{TEXTS[i % 5]}{i // 5}" for i in range(count)]
    hexes, high, low = hash_texts(pa.array(["before", *texts], pa.string())[1:])
    assert hexes.to_pylist() == [hashlib.md5(text.encode()).hexdigest() for text in texts]  # noqa: S324 - no secret
    assert hex_digits(high, low) == hexes
