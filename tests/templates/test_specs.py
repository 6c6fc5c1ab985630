"""The templates' specifications are what Dataflow takes, and what the commands have as options."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from flex_launcher import RefusedError, arguments, checked
from google.cloud import dataflow_v1beta3 as dataflow
from google.protobuf.json_format import ParseError

from pipelines import template_main
from pipelines.beam_options import beam_options
from pipelines.bigquery.dataset import Dataset
from pipelines.command import main
from pipelines.inputs.subscription import find_subscription
from pipelines.moments import moment, share
from pipelines.problems import UserError
from pipelines.runs import check_legal
from pipelines.stream_settings import seconds
from pipelines.template_parameters import BACKFILL, STREAM, TEMPLATES, Template, spec

ROOT = Path(__file__).parents[2]
NAMES = [each.name for each in TEMPLATES]
both = pytest.mark.parametrize("template", TEMPLATES, ids=NAMES)
GIVEN = {
    STREAM: {
        "catalog": "gs://bucket/catalog.yaml",
        "input": "pubsub://my-project/events",
        "output": "bigquery://my-project.metering",
        "run_id": "live",
    },
    BACKFILL: {"catalog": "gs://bucket/catalog.yaml", "output": "bigquery://my-project.metering"},
}
JOB = {
    "runner": "DataflowRunner",
    "project": "my-project",
    "region": "europe-west1",
    "job_name": "metering",
    "staging_location": "gs://bucket/staging",
    "temp_location": "gs://bucket/temp",
    "template_location": "gs://bucket/staging/template_launches/1/job_object",
    "service_account_email": "worker@my-project.iam.gserviceaccount.com",
    "labels": '{"goog-dataflow-provided-template-type": "flex"}',
}


def written(template: Template) -> dict[str, Any]:
    return json.loads((ROOT / "templates" / f"{template.name}.json").read_text())


@both
def test_the_files_are_up_to_date(template: Template) -> None:
    assert written(template) == spec(template), "run make specs"


@both
def test_dataflow_knows_every_field_and_every_value(template: Template) -> None:
    whole = json.dumps(spec(template, "europe-docker.pkg.dev/p/r/i:1"))
    message = dataflow.ContainerSpec.from_json(whole, ignore_unknown_fields=False)
    assert message.image == message.default_environment.sdk_container_image
    assert message.metadata.streaming == (template is STREAM)
    assert message.sdk_info.language == dataflow.SDKInfo.Language.PYTHON
    # nothing is lost on the way
    back = dataflow.ContainerSpec.to_dict(message, use_integers_for_enums=False)
    assert len(back["metadata"]["parameters"]) == len(template.parameters)
    assert back["default_environment"]["machine_type"] == template.environment["machineType"]


@pytest.mark.parametrize("path", [["metadata"], ["metadata", "parameters", 0], []])
def test_a_field_that_dataflow_does_not_know_is_found(path: list[Any]) -> None:
    made = spec(STREAM)
    place: Any = made
    for each in path:
        place = place[each]
    place["isOptinal"] = True
    with pytest.raises(ParseError):
        dataflow.ContainerSpec.from_json(json.dumps(made), ignore_unknown_fields=False)


@both
def test_each_option_is_a_parameter_or_left_out_with_a_reason(template: Template) -> None:
    asked = {each.option for each in template.parameters}
    assert asked | set(template.left_out) == set(template.options)
    assert not asked & set(template.left_out)
    assert all(template.left_out.values())


@both
def test_each_parameter_says_what_a_form_shows(template: Template) -> None:
    for each in spec(template)["metadata"]["parameters"]:
        assert each["label"]
        assert each["helpText"]
        assert re.fullmatch("[a-z_]+", each["name"])
        if "defaultValue" in each:
            assert checked({"metadata": {"parameters": [each]}}, {each["name"]: "native"})


@both
def test_what_the_launcher_gives_is_what_the_command_takes(template: Template) -> None:
    words = template_main.arguments(arguments(spec(template, "i"), GIVEN[template], JOB))
    command = main.commands[words[0]]
    with command.make_context(words[0], words[1:]) as context:
        beam = beam_options(context.params["beam"]).get_all_options()
        assert context.params["catalog"] == "gs://bucket/catalog.yaml"
        assert context.params["quiet"]
        assert context.params.get("streaming", False) == (template is STREAM)
    assert beam["template_location"].endswith("job_object")
    assert beam["sdk_container_image"] == "i"
    assert beam["number_of_worker_harness_threads"] in {2, 8}
    assert beam["enable_streaming_engine"]
    assert beam["max_num_workers"] == 8


def test_what_is_left_empty_in_a_form_is_not_given() -> None:
    words = template_main.arguments(["--output=bigquery://p.d", "--rates=", "--max_rejects=5%"])
    assert words == ["backfill", "--quiet", "--output=bigquery://p.d", "--max-rejects=5%"]


@pytest.mark.parametrize(
    ("template", "changes", "why"),
    [
        (STREAM, {"input": None}, "input: missing required"),
        (STREAM, {"run_id": None}, "run_id: missing required"),
        (STREAM, {"inptu": "x"}, "inptu: unrecognized"),
        (STREAM, {"input": "tail:/tmp"}, "input: 'tail:/tmp' does not match"),
        (STREAM, {"output": "/out"}, "output: '/out' does not match"),
        (STREAM, {"batch_rows": "many"}, "batch_rows: 'many' does not match"),
        (STREAM, {"run_id": "a b"}, "run_id: 'a b' does not match"),
        (STREAM, {"catalog": "s3://bucket/c.yaml"}, "does not match"),
        (STREAM, {"meters": "a;b"}, "does not match"),
        (STREAM, {"source": "$(id)"}, "does not match"),
        (BACKFILL, {"from": "yesterday"}, "from: 'yesterday' does not match"),
        (BACKFILL, {"max_rejects": "5"}, "max_rejects: '5' does not match"),
        (BACKFILL, {"input": "pubsub://my-project/events"}, "input: unrecognized"),
    ],
)
def test_a_launch_that_would_fail_is_refused(
    template: Template, changes: dict[str, str | None], why: str
) -> None:
    given = {name: text for name, text in (GIVEN[template] | changes).items() if text is not None}
    with pytest.raises(RefusedError, match=re.escape(why)):
        arguments(spec(template), given, JOB)


def test_a_pattern_takes_what_the_command_takes_and_not_what_it_refuses() -> None:
    checks = {
        "output": Dataset.of,
        "input": find_subscription,
        "from": lambda text: moment("--from", text),
        "max_rejects": lambda text: share("--max-rejects", text),
        "early": lambda text: seconds("--early", text),
        "run_id": check_legal,
    }
    texts = {
        "output": [
            "bigquery://my-project.d_1",
            "bigquery://x.com:my-project.d",
            "bigquery://p",
            "d",
        ],
        "input": ["pubsub://my-project/events", "pubsub://my-project/a", "projects/p/s/x"],
        "from": ["2026-01-15", "2026-01-15T10:00:00.5Z", "2026-01-15T10:00:00+01:00", "15.1.2026"],
        "max_rejects": ["5%", "0.1%", "100%", "5", "-1%"],
        "early": ["1", "0.25", "90s", "1m", "-1"],
        "run_id": ["live", "2026-01_x.1", "-x", "a/b", ""],
    }
    parameters = {
        each["name"]: each for t in TEMPLATES for each in spec(t)["metadata"]["parameters"]
    }
    for name, each in texts.items():
        (regex,) = parameters[name]["regexes"]
        for text in each:
            assert bool(re.fullmatch(regex, text)) == _taken(checks[name], text), (name, text)


def _taken(check: Any, text: str) -> bool:
    try:
        check(text)
    except (UserError, ValueError):
        return False
    return True
