"""What is wrong with SQL, in the words of the engine and with the names there are."""

import difflib
from collections.abc import Sequence

from pipelines.problems import UserError


class QueryError(UserError):
    """SQL that cannot be run here; the text is the engine's, with the names it could have meant."""


def named_tables(asked: str, there: Sequence[str]) -> str:
    """The tables and views there are, those first whose names are near to the one asked for."""
    near = difflib.get_close_matches(asked, there, n=3)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return f"{hint}The tables and views are: {', '.join(there)}."
