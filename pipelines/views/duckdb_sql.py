"""The SQL of the views as DuckDB wants it, translated ahead: the translator takes a while to load.

It is in duckdb.json, which `make views` writes anew. A text that is not there is translated when it
is asked for, so a file that is not up to date costs time and nothing else.
"""

import hashlib
import json
from functools import cache, lru_cache
from pathlib import Path

AHEAD = Path(__file__).with_name("duckdb.json")


@lru_cache(maxsize=256)
def for_duckdb(sql: str) -> str:
    """The SQL, which is BigQuery's, for DuckDB: see `dialects.to_duckdb`."""
    ahead = _ahead().get(_digest(sql))
    if ahead is not None:
        return ahead
    from pipelines.views.dialects import to_duckdb  # noqa: PLC0415 - it loads the translator

    return to_duckdb(sql)


def write(file: Path = AHEAD) -> None:
    """Translate ahead what a run over files asks for, and is the same in each."""
    from pipelines.covered import COVERED  # noqa: PLC0415 - it reads views itself
    from pipelines.views import VIEWS, view_sql  # noqa: PLC0415 - so does this
    from pipelines.views.dialects import to_duckdb  # noqa: PLC0415 - it loads the translator

    texts = [*map(view_sql, [*VIEWS, "cost_by_dimension"]), "SELECT * FROM stored.usage", COVERED]
    ahead = {_digest(sql): to_duckdb(sql) for sql in texts}
    file.write_text(json.dumps(ahead, indent=1) + "\n", encoding="utf-8")


@cache
def _ahead() -> dict[str, str]:
    return dict(json.loads(AHEAD.read_text(encoding="utf-8")))


def _digest(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()[:16]
