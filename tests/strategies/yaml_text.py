"""Scalars as a person may write them in a YAML flow or block mapping."""

import re

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

_PLAIN = re.compile(r"[A-Za-z0-9$_][\w.$-]*(?: [\w.$-]+)*")


def quoted(text: str) -> str:
    """Write a text so that YAML takes it as it is."""
    return "'" + text.replace("'", "''") + "'"


def scalar(draw: DrawFn, text: str) -> str:
    """Write a text plain where that is the same text, else quoted."""
    safe = _PLAIN.fullmatch(text) and text.lower() != "null"
    return text if safe and draw(st.booleans()) else quoted(text)
