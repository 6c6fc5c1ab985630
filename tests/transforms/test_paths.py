"""What a path in a catalog means, and what is no path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.paths import MAX_KEYS, Path, parse_path


@pytest.mark.parametrize(
    ("text", "whole_record", "keys"),
    [
        ("tokens", False, ("tokens",)),
        ("llm.model", False, ("llm", "model")),
        ("$.metadata.user_agent", True, ("metadata", "user_agent")),
        ('"llm.model"', False, ("llm.model",)),
        ('usage."gpt-4.1".tokens', False, ("usage", "gpt-4.1", "tokens")),
        ('$."a.b"."c"', True, ("a.b", "c")),
        (r'"say \"hi\""', False, ('say "hi"',)),
        (r'"back\\slash"', False, ("back\\slash",)),
        ('" space "', False, (" space ",)),
        ('""', False, ("",)),
        ('"a[0]"', False, ("a[0]",)),
        ("Usage (kWh) [net]", False, ("Usage (kWh) [net]",)),
        ("back\\slash", False, ("back\\slash",)),
        ("größe.单位", False, ("größe", "单位")),
        ("$type", False, ("$type",)),
        ('"$".x', False, ("$", "x")),
        ("$.$", True, ("$",)),
        ("1.50", False, ("1", "50")),
    ],
)
def test_a_path_is_read_as_its_keys(text: str, whole_record: bool, keys: tuple[str, ...]) -> None:
    assert parse_path(text) == Path(whole_record, keys)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must name a field"),
        (".", "must name a field"),
        ("$", "must name a field"),
        ("$.", "must name a field"),
        ("a..b", "empty key"),
        (".a", "empty key"),
        ("a.", "empty key"),
        ("$..a", "empty key"),
        ('"a', "character 1 is not closed"),
        ('a."b\\"', "character 3 is not closed"),
        ('"a"b', "a dot or the end, not 'b'"),
        ('a"b', "double quotes go around a whole key"),
        ('a."b" .c', "a dot or the end, not ' '"),
        (r'"a\n"', "a backslash comes before"),
        (" a", 'write " a"'),
        ("a .b", 'write "a "'),
        ("items[0].price", 'if this is the whole key, write "items[0]"'),
        ("items[*]", "does not go into arrays"),
        ("items[]", "does not go into arrays"),
        (".".join("k" * (MAX_KEYS + 1)), "at most 512 keys, this one has 513"),
    ],
)
def test_what_is_no_path_says_why(text: str, why: str) -> None:
    with pytest.raises(ValueError, match="") as error:
        parse_path(text)
    assert why in str(error.value)


@given(st.lists(st.text(), min_size=1, max_size=5), st.booleans())
def test_every_key_can_be_written_in_quotes(keys: list[str], whole_record: bool) -> None:
    quoted = ('"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"' for key in keys)
    text = ("$." if whole_record else "") + ".".join(quoted)
    assert parse_path(text) == Path(whole_record, tuple(keys))


def test_a_bare_dimension_is_named_by_its_keys() -> None:
    assert parse_path('$.a."b.c"').dotted == "a.b.c"
