"""A desk to make runs at: a catalog, rates and files in a folder, and the command."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from pipelines import warehouse
from pipelines.command import main

CATALOG = """\
version: 1
meters:
  - {name: tokens, event_type: llm, aggregation: sum, value: tokens, dimensions: [model]}
  - {name: calls, event_type: llm, aggregation: count}
"""
RATES = "meter,label,effective_from,unit_price,model\ntokens,list,2026-01-01,0.5,\n"


def event(number: int, tokens: object, hour: int = 10, **more: object) -> str:
    properties = {"tokens": tokens, "model": "m"}
    record = {"id": str(number), "event_type": "llm", "customer_id": "c1"}
    time = {"timestamp": f"2026-01-15T{hour}:30:00Z", "properties": properties}
    return json.dumps(record | time | more)


class Desk:
    """A folder with a catalog, rates and files, where runs are made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out"
        (folder / "catalog.yaml").write_text(CATALOG)
        (folder / "rates.csv").write_text(RATES)

    def file(self, name: str, *lines: str) -> Path:
        path = self.folder / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def run(self, *args: object, fails: int = 0, rates: bool = True) -> Result:
        usual: list[object] = ["--catalog", self.folder / "catalog.yaml"]
        usual += ["--rates", self.folder / "rates.csv"] if rates else []
        given = ["run", *usual, "--output", self.out, "--quiet", *args]
        done = CliRunner().invoke(main, [str(arg) for arg in given])
        assert done.exit_code == fails, (done.output, done.exception)
        return done

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with warehouse.connect(self.out) as connection:
            return connection.execute(sql).fetchall()

    def tokens(self) -> dict[int, Decimal]:
        rows = self.ask(
            "SELECT hour(window_start AT TIME ZONE 'UTC'), SUM(quantity) FROM usage_current"
            " WHERE meter = 'tokens' GROUP BY ALL"
        )
        return dict(rows)
