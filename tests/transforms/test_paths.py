"""What a path in a catalog means, and what is no path."""

import re
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.paths import MAX_KEYS, Path, parse_path

BARE, IN_RECORD = (partial(Path, whole_record) for whole_record in (False, True))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("tokens", BARE(("tokens",))),
        ("llm.model", BARE(("llm", "model"))),
        ("$.metadata.user_agent", IN_RECORD(("metadata", "user_agent"))),
        ('"llm.model"', BARE(("llm.model",))),
        ('usage."gpt-4.1".tokens', BARE(("usage", "gpt-4.1", "tokens"))),
        ('$."a.b"."c"', IN_RECORD(("a.b", "c"))),
        (r'"say \"hi\""', BARE(('say "hi"',))),
        (r'"back\\slash"', BARE(("back\\slash",))),
        ('" space "', BARE((" space ",))),
        ('""', BARE(("",))),
        ('"a[0]"', BARE(("a[0]",))),
        ("Usage (kWh) [net]", BARE(("Usage (kWh) [net]",))),
        ("back\\slash", BARE(("back\\slash",))),
        ("größe.单位", BARE(("größe", "单位"))),
        ("$type", BARE(("$type",))),
        ('"$".x', BARE(("$", "x"))),
        ("$.$", IN_RECORD(("$",))),
        ("1.50", BARE(("1", "50"))),
    ],
)
def test_a_path_is_read_as_its_keys(text: str, path: Path) -> None:
    assert parse_path(text) == path


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
    with pytest.raises(ValueError, match=re.escape(why)):
        parse_path(text)


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_every_key_can_be_written_in_quotes(keys: list[str]) -> None:
    quoted = ('"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"' for key in keys)
    text = ".".join(quoted)
    assert parse_path(text) == BARE(tuple(keys))
    assert parse_path(f"$.{text}") == IN_RECORD(tuple(keys))


def test_a_bare_dimension_is_named_by_its_keys() -> None:
    assert parse_path('$.a."b.c"').dotted == "a.b.c"
