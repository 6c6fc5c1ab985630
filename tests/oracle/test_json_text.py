"""The JSON reader takes what RFC 8259 takes, less what the contract rules out."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oracle.json_text import Json, NotJsonError, Number, read_json


def plain(value: Json) -> Any:
    """Give what json.loads would, with numbers as written."""
    if isinstance(value, Number):
        return ("number", value.text)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value


def by_the_library(text: str) -> Any:
    def number(text: str) -> tuple[str, str]:
        return ("number", text)

    def refuse(text: str) -> None:
        raise ValueError(text)

    value = json.loads(text, parse_int=number, parse_float=number, parse_constant=refuse)
    json.dumps(value, ensure_ascii=False).encode()  # refuses lone surrogates
    return value


JSON_PIECES = st.sampled_from(
    [
        *'{}[]:,"\\ \t\r\n-+.0123456789eEtfn',
        *("true", "false", "null", '"a"', '"b":', "NaN", "1.5", "\\ud83d", "\\ude00", "\\u00e9"),
        *("\\n", "\\x", "\x00", "\x7f", "é", "\u2028", "\ufeff", "\v"),
    ]
)


@given(st.lists(JSON_PIECES, max_size=12).map("".join))
@example('"\\ud83d\\ude00"')
@example('"\\ude00\\ud83d"')
@example('{"\\ud800":1}')
@example("[1,2,]")
@example('{"a":1,}')
@example("٣")
@example("-Infinity")
def test_reader_takes_the_same_texts_as_the_library_and_reads_the_same(text: str) -> None:
    try:
        expected = by_the_library(text)
    except ValueError:
        with pytest.raises(NotJsonError):
            read_json(text)
        return
    reading = read_json(text)
    if not reading.duplicate_field:
        assert plain(reading.value) == expected


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("ab"), inner),
        max_leaves=10,
    ),
    st.booleans(),
)
def test_what_the_library_writes_is_read_back(value: Any, ascii_only: bool) -> None:
    assert plain(read_json(json.dumps(value, ensure_ascii=ascii_only)).value) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "{} {}", "NaN", "Infinity", "-", "+1", ".5", "01", "1.", "1e", "0x1", "True"),
        *("\ufeff{}", "{}\ufeff", "{\ufeff}", "\xa01", "1\x00", '"\t"', '"\x00"', '"\\x41"'),
        *('"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d \\ude00"', '"\\u12"', '"a', "{'a':1}"),
        *("[1 2]", "{,}", "[,1]", '{"a"}', '{"a":}', "{1:2}", "[", "]", '{"a":1]', "[1}", "/**/1"),
    ],
)
def test_what_is_not_one_strict_json_value_is_refused(text: str) -> None:
    with pytest.raises(NotJsonError):
        read_json(text)


@pytest.mark.parametrize("text", ["1.50", "-0", "1E+2", "1e400", "0e-30", "1" * 5000])
def test_numbers_stay_as_written(text: str) -> None:
    assert read_json(f" {text}\r\n").value == Number(text)


@pytest.mark.parametrize(("mark", "end"), [("[", "]"), ('{"a":', "}")])
def test_512_levels_are_read_and_513_are_not(mark: str, end: str) -> None:
    inner = "[]" if mark == "[" else "{}"
    read_json(mark * 511 + inner + end * 511)
    with pytest.raises(NotJsonError, match="levels"):
        read_json(mark * 512 + inner + end * 512)


@pytest.mark.parametrize(
    "text", ['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '[{"b":{"":1,"":null}}]', '[{"a":1,"a":1},2]']
)
def test_a_field_twice_is_told_at_any_depth_and_however_it_is_spelled(text: str) -> None:
    assert read_json(text).duplicate_field


def test_a_field_written_twice_has_no_value() -> None:
    assert read_json('{"a":1,"b":true,"a":1}').value == {"b": True}
    assert not read_json('{"a":{"a":1},"b":[{"a":1},{"a":2}]}').duplicate_field


def test_a_megabyte_is_read() -> None:
    text = "x\\n" * 350_000
    assert read_json(f'{{"pad":"{text}"}}').value == {"pad": "x\n" * 350_000}
