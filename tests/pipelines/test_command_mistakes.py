"""A user's mistake: exit code 2, the culprit named, nothing written, no traceback."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.command import main

CATALOG = """\
version: 1
sources:
  gateway:
    event_type: {const: api_call}
    customer_id: tenant
    timestamp: ts
    properties: .
meters:
  - name: tokens
    event_type: llm
    aggregation: sum
    value: tokens
    dimensions: [model]
  - name: calls
    event_type: [llm, api_call]
    aggregation: count
"""
RATES = "meter,label,effective_from,unit_price,model\ntokens,list,2026-01-01,0.5,\n"
EVENT = (
    '{"id":"1","event_type":"llm","customer_id":"c","timestamp":"2026-01-15T10:30:00Z",'
    '"properties":{"tokens":3}}\n'
)


@dataclass(frozen=True)
class Mistake:
    """What a user does wrong, and the words that must be in the answer."""

    name: str
    words: tuple[str, ...]
    args: tuple[str, ...] = ()
    catalog: tuple[str, str] = ("", "")
    rates: tuple[str, str] = ("", "")


def bad(name: str, words: str, *args: str, **replaced: tuple[str, str]) -> Mistake:
    return Mistake(name, tuple(words.split()), args, **replaced)


IN_CATALOG = [
    bad(
        "an unknown key",
        "catalog.yaml:11 agregation aggregation",
        catalog=("    aggregation: sum", "    agregation: sum"),
    ),
    bad(
        "an unknown aggregation",
        "catalog.yaml:11 summ sum",
        catalog=("aggregation: sum", "aggregation: summ"),
    ),
    bad("a missing value", "value sum", catalog=("    value: tokens\n", "")),
    bad(
        "a window that does not divide a day",
        "7h window",
        catalog=("    value: tokens", "    value: tokens\n    window: 7h"),
    ),
    bad("a name twice", "calls", catalog=("name: tokens", "name: calls")),
    bad("a name with a capital", "Tokens", catalog=("name: tokens", "name: Tokens")),
    bad("no YAML", "catalog.yaml", catalog=("version: 1", "version: [1")),
    bad("another version", "version 2", catalog=("version: 1", "version: 2")),
    bad("a key twice", "catalog.yaml version", catalog=("version: 1", "version: 1\nversion: 1")),
    bad(
        "a dimension named as a column", "customer_id", catalog=("[model]", "{customer_id: model}")
    ),
    bad("a source without a time", "timestamp", catalog=("    timestamp: ts\n", "")),
    bad("a broken path", "value", catalog=("value: tokens", "value: tokens..in")),
]
IN_RATES = [
    bad("an unknown meter", "rates.csv:2 tokns tokens", rates=("tokens,list", "tokns,list")),
    bad(
        "an unknown column",
        "rates.csv:1 modle model",
        rates=("unit_price,model", "unit_price,modle"),
    ),
    bad("a price that is no number", "rates.csv:2 free", rates=("0.5", "free")),
    bad("a short row", "rates.csv:2", rates=(",0.5,", "")),
    bad("a date that is none", "rates.csv:2 2026-13-01", rates=("2026-01-01", "2026-13-01")),
    bad(
        "the same rate twice",
        "rates.csv:3 rates.csv:2",
        rates=("0.5,\n", "0.5,\ntokens,list,2026-01-01,0.6,\n"),
    ),
    bad(
        "rates that tie",
        "rates.csv",
        rates=(
            "unit_price,model\ntokens,list,2026-01-01,0.5,",
            "unit_price,model,customer_id\ntokens,a,2026-01-01,0.5,,\ntokens,b,2026-01-01,1,,",
        ),
    ),
]
IN_ARGUMENTS = [
    bad("no such catalog", "catalog.yml catalog.yaml", "--catalog", "{in}/catalog.yml"),
    bad("no such rates", "rates.cvs", "--rates", "{in}/rates.cvs"),
    bad("no such input", "events.ndjsn", "--input", "{in}/events.ndjsn"),
    bad("an input of another kind", "catalog.yaml .ndjson", "--input", "{in}/catalog.yaml"),
    bad("a folder that is no output", "output", "--input", "{in}"),
    bad("an unknown source", "gatway gateway", "--source", "gatway"),
    bad("an unknown meter", "toknes tokens", "--meters", "toknes,calls"),
    bad("an unknown option", "--replce --replace", "--replce"),
    bad("an argument too many", "more", "more"),
    bad("a time without an offset", "--from 2026-01-15T10:00:00", "--from", "2026-01-15T10:00:00"),
    bad("no time", "--to tomorrow", "--to", "tomorrow"),
    bad("a time inside a window", "--from tokens 10:00", "--from", "2026-01-15T10:30:00Z"),
    bad(
        "a range that ends before it begins",
        "--from --to",
        "--from",
        "2026-01-16",
        "--to",
        "2026-01-15",
    ),
    bad("a share that is none", "--max-rejects 5", "--max-rejects", "5"),
    bad("more than all", "--max-rejects 101%", "--max-rejects", "101%"),
    bad("late rule without arrivals", "--as-streamed native recorded", "--as-streamed"),
    bad("a run id with a slash", "a/b", "--run-id", "a/b"),
    bad("an output that is a file", "events.ndjson", "--output", "{in}/events.ndjson"),
    bad("a stream, which is not there yet", "--streaming", "--streaming"),
    bad(
        "a BigQuery output, which is not there yet", "bigquery://p.d", "--output", "bigquery://p.d"
    ),
    bad("a runner there is not", "--runner NoRunner", "--runner", "NoRunner"),
]
MISTAKES = IN_CATALOG + IN_RATES + IN_ARGUMENTS


def lay_out(folder: Path, mistake: Mistake) -> list[str]:
    """The files, and the arguments; those of the mistake come last, and so count."""
    (folder / "catalog.yaml").write_text(CATALOG.replace(*mistake.catalog, 1))
    (folder / "rates.csv").write_text(RATES.replace(*mistake.rates, 1))
    (folder / "events.ndjson").write_text(EVENT)
    extra = [arg.replace("{in}", str(folder)) for arg in mistake.args]
    usual = {
        "--catalog": folder / "catalog.yaml",
        "--rates": folder / "rates.csv",
        "--input": folder / "events.ndjson",
        "--output": folder / "out",
    }
    given = [str(part) for pair in usual.items() if pair[0] not in extra for part in pair]
    return ["run", *given, *extra]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_named_and_nothing_is_written(mistake: Mistake, tmp_path: Path) -> None:
    args = lay_out(tmp_path, mistake)
    before = sorted(tmp_path.rglob("*"))
    done = CliRunner().invoke(main, args)
    assert done.exit_code == 2, done.output
    assert isinstance(done.exception, SystemExit)
    missing = [word for word in mistake.words if word not in done.stderr]
    assert not missing, done.stderr
    assert "Traceback" not in done.output
    assert sorted(tmp_path.rglob("*")) == before


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    mistake = bad("several", "", "--source", "gatway", "--from", "x", catalog=("sum", "summ"))
    args = lay_out(tmp_path, mistake)
    done = CliRunner().invoke(main, args)
    assert done.exit_code == 2
    assert all(word in done.stderr for word in ("summ", "--from x"))


def test_check_tells_the_same_mistakes(tmp_path: Path) -> None:
    lay_out(tmp_path, bad("", "", catalog=("aggregation: sum", "aggregation: summ")))
    done = CliRunner().invoke(main, ["check", "--catalog", str(tmp_path / "catalog.yaml")])
    assert done.exit_code == 2
    assert "catalog.yaml:11" in done.stderr


def test_a_query_of_nothing_is_a_mistake(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["query", "--output", str(tmp_path / "none"), "SELECT 1"])
    assert done.exit_code == 2
    assert "none" in done.stderr
