"""Text columns as JSON strings, and cells that hold JSON text."""

import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.inputs.json_columns import (
    TEXT,
    embedded_texts,
    joined,
    json_string,
    not_json,
    string_parts,
)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=8) | st.sampled_from([b'\\"', b"\x00\x1f\x7f", b"\\u0000"])))
def test_strings_of_a_column_are_those_made_one_by_one(texts: list[bytes]) -> None:
    column = joined(string_parts(pa.array(texts, TEXT)), len(texts)).to_pylist()
    assert column == [json_string(text) for text in texts]


@settings(deadline=None)
@given(st.text())
def test_strings_are_those_of_json(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert json_string(text.encode()).decode() == json.dumps(text, ensure_ascii=False)


@pytest.mark.parametrize(
    ("cell", "text", "malformed"),
    [
        ("", "null", False),
        ("null", "null", False),
        (' {"a": 1.50} ', ' {"a": 1.50} ', False),
        ('{"a":\r\n1}', '{"a":  1}', False),
        ('{"a":"\n"}', '{"a":" "}', True),
        ('1,"customer_id":2', '1,"customer_id":2', True),
        ("{}}", "{}}", True),
        ("{", "{", True),
        (" ", " ", True),
        ("NaN", "NaN", True),
        ("\ufeff{}", "\ufeff{}", True),
        ('{"a":1,"a":2}', '{"a":1,"a":2}', False),
        ("[" * 511 + "]" * 511, "[" * 511 + "]" * 511, False),
        ("[" * 100_000, "[" * 100_000, True),
        ("9" * 5000, "9" * 5000, False),
    ],
)
def test_a_cell_must_hold_one_json_value(cell: str, text: str, *, malformed: bool) -> None:
    cells = pa.array([b"{}", cell.encode(), None], TEXT)
    assert embedded_texts(cells).to_pylist() == [b"{}", text.encode(), b"null"]
    assert not_json(cells).tolist() == [False, malformed, False]


def test_literals_alone_are_repeated() -> None:
    assert joined([b"{", b"}"], 2).to_pylist() == [b"{}", b"{}"]
