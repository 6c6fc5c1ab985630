"""Alerts and the dashboard are messages that the services know, about metrics that there are."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from google.cloud.monitoring_dashboard_v1 import Dashboard
from google.cloud.monitoring_v3 import AlertPolicy
from google.protobuf import json_format

from transforms.metrics import COUNTERS, DISTRIBUTIONS

ROOT = Path(__file__).parent.parent.parent
MONITORING = ROOT / "templates" / "monitoring"
DASHBOARD = MONITORING / "dashboard.json"
POLICIES = sorted(set(MONITORING.glob("*.json")) - {DASHBOARD})
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()

# Dataflow shows a distribution as these four
PARTS = ("_MAX", "_MIN", "_MEAN", "_COUNT")
COUNTED = {each.metric_name.name for each in COUNTERS}
NAMES = COUNTED | {each.metric_name.name + part for each in DISTRIBUTIONS for part in PARTS}
USER_COUNTER = "dataflow.googleapis.com/job/user_counter"
# of Google's list of metrics: https://docs.cloud.google.com/monitoring/api/metrics_gcp_d_h
KINDS = {
    "dataflow.googleapis.com/job/data_watermark_age": "GAUGE",
    "dataflow.googleapis.com/job/system_lag": "GAUGE",
    "dataflow.googleapis.com/job/is_failed": "GAUGE",
    "dataflow.googleapis.com/job/current_num_vcpus": "GAUGE",
    "dataflow.googleapis.com/job/estimated_bytes_consumed_count": "DELTA",
    "pubsub.googleapis.com/subscription/oldest_unacked_message_age": "GAUGE",
    "pubsub.googleapis.com/subscription/num_undelivered_messages": "GAUGE",
}
ALIGNERS = {"GAUGE": {"ALIGN_MAX", "ALIGN_MEAN"}, "DELTA": {"ALIGN_RATE", "ALIGN_DELTA"}}
FILTER = re.compile(r'resource\.type = "(\w+)" AND metric\.type = "([\w./]+)"')
NAMED = re.compile(r'metric_name=(~?)"([^"]+)"')


def parsed(file: Path) -> Any:
    kind = Dashboard if file == DASHBOARD else AlertPolicy
    return json_format.ParseDict(json.loads(file.read_text()), kind.pb(kind()))


def found(value: Any, *keys: str) -> Iterator[Any]:
    """What is under one of these keys, at any depth."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if key in keys:
            yield inner
        if isinstance(inner, dict | list):
            yield from found(inner, *keys)


def queries(file: Path) -> list[str]:
    return list(found(json.loads(file.read_text()), "query", "prometheusQuery"))


@pytest.mark.parametrize("file", [*POLICIES, DASHBOARD], ids=lambda file: file.name)
def test_a_file_is_a_message_that_the_service_knows(file: Path) -> None:
    message = parsed(file)
    again = json_format.MessageToDict(message)
    assert again["displayName"].startswith("Meterbeam")


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.name)
def test_an_alert_has_one_condition_and_names_a_part_of_the_runbook(file: Path) -> None:
    policy = parsed(file)
    assert len(policy.conditions) == 1
    assert policy.combiner == AlertPolicy.ConditionCombinerType.OR
    (part,) = re.findall(r'docs/runbook.md, "([^"]+)"', policy.documentation.content)
    assert f"## {part}\n" in RUNBOOK


@pytest.mark.parametrize("file", [*POLICIES, DASHBOARD], ids=lambda file: file.name)
def test_a_query_is_promql_about_metrics_that_the_code_counts(file: Path) -> None:
    for query in queries(file):
        promql_parser.parse(query)
        names = NAMED.findall(query)
        assert query.count(USER_COUNTER) == len(names) > 0
        for _, pattern in names:
            assert all(any(re.fullmatch(one, n) for n in NAMES) for one in pattern.split("|"))


@pytest.mark.parametrize("file", [*POLICIES, DASHBOARD], ids=lambda file: file.name)
def test_a_filter_is_about_a_metric_of_the_service_and_aligned_as_its_kind_may_be(
    file: Path,
) -> None:
    whole = json.loads(file.read_text())
    filters = list(found(whole, "filter"))
    aligners = list(found(whole, "perSeriesAligner"))
    for text, aligner in zip(filters, aligners, strict=True):
        match = FILTER.fullmatch(text)
        assert match
        assert aligner in ALIGNERS[KINDS[match[2]]]
    assert bool(queries(file)) or filters


def test_rows_that_are_refused_or_lost_have_an_alert() -> None:
    alerted = {
        name for file in POLICIES for query in queries(file) for _, name in NAMED.findall(query)
    }
    assert {"refused", "refused_lost", "rejected", "received"} == alerted


def test_the_tiles_of_the_dashboard_stand_beside_each_other() -> None:
    layout = parsed(DASHBOARD).mosaic_layout
    places = sorted((tile.y_pos, tile.x_pos) for tile in layout.tiles)
    assert all(one != two for one, two in pairwise(places))
    assert all(tile.x_pos + tile.width <= layout.columns for tile in layout.tiles)


def test_the_dashboard_shows_every_metric() -> None:
    patterns = [name for query in queries(DASHBOARD) for _, name in NAMED.findall(query)]
    shown = {n for n in NAMES for pattern in patterns if re.fullmatch(pattern, n)}
    assert shown >= COUNTED
    assert {f"{each.metric_name.name}_MEAN" for each in DISTRIBUTIONS} <= shown


def test_the_runbook_says_what_every_metric_means() -> None:
    told = set(re.findall(r"^\| `([\w<>]+)` \|", RUNBOOK, re.MULTILINE))
    names = {each.metric_name.name for each in (*COUNTERS, *DISTRIBUTIONS)}
    assert {name for name in names if not name.startswith("rejected_")} | {
        "rejected_<reason>"
    } <= told
