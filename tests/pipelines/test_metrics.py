"""Beam's metrics of a run say what its ledger says."""

import json
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.metrics import MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions
from live_rows import live_store
from pubsub_desk import LONG_S, call, meter

from pipelines.engine import start_options
from pipelines.inputs import Block
from pipelines.live_tables import LiveTables
from pipelines.loopback import Loopback
from pipelines.prism import get_prism
from pipelines.prism_process import Prism
from runs_desk import Desk, event
from transforms.metrics import NAMESPACE, RECORDS, REJECTED

LEDGER = """
SELECT CASE WHEN meter IS NULL THEN outcome END, reason, SUM(events)::BIGINT
FROM ledger_current WHERE meter IS NULL OR outcome = 'rejected' GROUP BY ALL
"""
NOW = {"received_at": "2026-01-15T10:30:01Z"}
NOON = {"received_at": "2026-01-15T12:30:01Z"}
LATE = {"received_at": "2026-01-19T10:30:00Z"}
STEP = re.compile(r".*/(?=[A-Z][a-z]+ )|/ParDo\(.*|^.*/(?=Merge/)")
MOST = "99999999999999999999"


def told(rows: list[tuple[str | None, str | None, int]]) -> Counter[str]:
    """The counters that a ledger asks for."""
    found: Counter[str] = Counter()
    for outcome, reason, events in rows:
        found.update({outcome: events} if outcome else {})
        found.update({f"rejected_{reason}": events} if reason else {})
    return found


def counters(result: Any) -> dict[str, int]:
    metrics = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))
    found: Counter[str] = Counter()
    for each in metrics["counters"]:
        found[each.key.metric.name] += each.result
    return dict(found)


def distributions(result: Any) -> dict[tuple[str, str], Any]:
    """By the name of the metric and that of the step."""
    metrics = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))
    return {
        (each.key.metric.name, STEP.sub("", each.key.step)): each.result
        for each in metrics["distributions"]
    }


def with_fields(line: str, **more: object) -> str:
    return json.dumps(json.loads(line) | more)


def hostile_lines() -> list[bytes]:
    """Records of which each reason is told of one, and of one row."""
    wanting = json.loads(event(5, 1, **NOW))
    del wanting["customer_id"]
    odd = json.loads(event(12, 1, **NOW))
    odd["properties"]["model"] = {}
    lines = [
        event(1, 5, **NOW),
        event(1, 5, **NOW),
        event(1, 6, **NOW),
        "x" * (1 << 20) + "x",
        "nonsense",
        "[]",
        '{"a":1,"a":2}',
        json.dumps(wanting),
        event(6, 1, event_type=7, **NOW),
        with_fields(event(7, 1, **NOW), timestamp="yesterday"),
        event(8, 1, hour=11, **NOW),
        json.dumps(odd),
        event(13, None, **NOW),
        event(14, "much", **NOW),
        event(15, "1e30", **NOW),
        event(16, 1, **LATE),
        event(17, MOST, hour=12, **NOON),
        event(18, MOST, hour=12, **NOON),
    ]
    return [*(line.encode() for line in lines), b'{"not":"\xff"}']


def test_the_counters_of_a_run_are_its_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, run = [], beam.Pipeline.run
    monkeypatch.setattr(
        beam.Pipeline, "run", lambda *args, **more: results.append(run(*args, **more)) or results[0]
    )
    desk = Desk(tmp_path)
    file = tmp_path / "hostile.ndjson"
    file.write_bytes(b"\n".join(hostile_lines()))
    desk.run("--input", file, "--source", "recorded", "--as-streamed")
    found = counters(results[0])
    rows = desk.ask("SELECT COUNT(*) FROM rejects WHERE reason = 'total_out_of_range'")[0][0]
    assert found == told(desk.ask(LEDGER)) + Counter(rejected_total_out_of_range=rows)
    assert set(found) == {*RECORDS, *(f"rejected_{reason}" for reason in REJECTED)}
    measured = distributions(results[0])
    steps = {"Read records", "First wins", "Apply meters", "Apply rates", "Merge"}
    assert {step for name, step in measured if name == "kernel_us"} == steps
    assert measured["batch_rows", "Apply meters"].sum == found["accepted"]


def test_the_counters_of_a_stream_get_through_its_engine(tmp_path: Path) -> None:
    one = call(1)
    data = b"\n".join([one, one, call(2), b"nonsense", call(1)]) + b"\n"
    now_us = time.time_ns() // 1000
    blocks = [
        Block("f", data, 0, clock_us=now_us),
        Block("f", call(3) + b"\n", len(data), clock_us=now_us),
    ]
    out = live_store(tmp_path / "out").out
    pauses_s = dict.fromkeys(("events", "rejects", "usage", "ledger"), 0.01)
    with (
        Prism(get_prism(PipelineOptions([]))) as engine,
        Loopback(PipelineOptions([])) as worker,
        LiveTables(out, "r", pauses_s, grace_s=0),
    ):
        options = start_options(PipelineOptions([]), engine.endpoint)
        options.view_as(PortableOptions).environment_type = "EXTERNAL"
        options.view_as(PortableOptions).environment_config = worker.address
        result = meter(options, beam.Create(blocks), out)
        assert result.wait_until_finish(LONG_S * 1000) == "DONE"
        found, measured = counters(result), distributions(result)
    assert found.pop("keys_forgotten") == found["accepted"]  # the stream is over
    assert found == told(live_store(out).query(LEDGER))
    assert (found["received"], found["accepted"], found["duplicate"]) == (6, 3, 1)
    # engines have names of their own for steps
    of = {name: [each for (n, _), each in measured.items() if n == name] for name, _ in measured}
    assert [each.count for each in of["lag_ms"]] == [len(blocks)]
    assert [each.sum for each in of["batch_rows"]] == [found["accepted"]]
    assert sum(each.count for each in of["kernel_us"]) >= 3 * len(blocks)
