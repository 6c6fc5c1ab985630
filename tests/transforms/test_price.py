"""What pricing holds from batch to batch."""

import json

from transforms import price


def test_dimensions_are_written_alike_and_long_ones_are_not_held() -> None:
    price._remembered.cache_clear()  # noqa: SLF001 - what it holds is bounded
    for text in ("é", "x" * 256, "x" * 257, "x" * 100_000):
        for _ in range(2):
            written = price._json(("a", "b"), (text, None))  # noqa: SLF001 - likewise
            assert json.loads(written) == {"a": text, "b": None}
    assert price._remembered.cache_info().currsize == 2  # noqa: SLF001 - likewise
