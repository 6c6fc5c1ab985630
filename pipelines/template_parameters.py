"""What the Dataflow templates ask for: options of the commands, and what a form says beside them.

Names, help, types and defaults come from the options themselves; see `templates/make_specs.py`,
which makes the files in templates/ of it, and `pipelines.template_main`, which goes the way back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import click

from pipelines import command

_FILE = r"(gs://[^/\s]+)?/\S+"  # without gs:// it is a file of the image
_DATASET = r"bigquery://[a-z][a-z0-9.:-]*\.[A-Za-z0-9_]+"
_SUBSCRIPTION = r"pubsub://[a-z][a-z0-9.:-]*/[A-Za-z][A-Za-z0-9._~+%-]{2,254}"
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}:[0-9.]+([Zz]|[+-][0-9]{2}:[0-9]{2}))?"
_METERS = r"[a-z][a-z0-9_]{0,62}(\s*,\s*[a-z][a-z0-9_]{0,62})*"
_SECONDS = r"[0-9]{1,9}(\.[0-9]{1,6})?s?"
_RUN_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_SHARE = r"[0-9]{1,3}(\.[0-9]+)?%"


@dataclass(frozen=True)
class Parameter:
    """An option as a parameter: what a form shows, and which texts it takes.

    label: its caption; kind: one of Dataflow's ParameterType, by the option's own type if None;
    pattern: what the whole value has to match; help: where the option's own speaks of the command
    line; required: where the template asks for what the command can do without.
    """

    option: str
    label: str
    pattern: str | None = None
    kind: str | None = None
    help: str | None = None
    required: bool = False

    @property
    def name(self) -> str:
        """As Dataflow has it, without dashes."""
        return self.option.removeprefix("--").replace("-", "_")


@dataclass(frozen=True, eq=False)
class Template:
    """A Flex template: a command, what of its options is asked for, and the workers it gets.

    fixed: the words the command always begins with; left_out: the options that are no parameters,
    with the reason; environment: defaults of Dataflow's FlexTemplateRuntimeEnvironment.
    """

    name: str
    title: str
    description: str
    fixed: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    left_out: Mapping[str, str]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, click.Option]:
        """The options of the command, by their names."""
        each = command.main.commands[self.fixed[0]]
        return {p.opts[0]: p for p in each.params if isinstance(p, click.Option)}


_CATALOG = Parameter(
    "--catalog", "Catalog", _FILE, "GCS_READ_FILE", "Meters and sources: a YAML file at gs://."
)
_RATES = Parameter(
    "--rates", "Rates", _FILE, "GCS_READ_FILE", "Rate table: a CSV file at gs://, or a folder."
)
_OUTPUT = Parameter(
    "--output", "Output", _DATASET, "TEXT", "The dataset for the tables: bigquery://project.dataset"
)
_METERS_ASKED = Parameter("--meters", "Meters", _METERS)
_TERMINAL = "there is no terminal"
_LOGGED = "the workers' log is Dataflow's own, with severity, job and step"

STREAM = Template(
    name="metering-stream",
    title="Meterbeam: usage metering, live",
    description=(
        "Meters usage events from Pub/Sub: quantities and costs per customer and window, with a"
        " ledger that balances, in BigQuery."
    ),
    fixed=("run", "--streaming", "--quiet"),
    parameters=(
        _CATALOG,
        _RATES,
        Parameter(
            "--input",
            "Input",
            _SUBSCRIPTION,
            "TEXT",
            "The subscription with the events: pubsub://project/subscription",
        ),
        _OUTPUT,
        Parameter(
            "--run-id",
            "Run",
            _RUN_ID,
            help="Name of the run. A job that takes the place of another goes on with its name.",
            required=True,
        ),
        Parameter("--source", "Source", r"[A-Za-z0-9_.-]{1,64}"),
        _METERS_ASKED,
        Parameter("--early", "Early results", _SECONDS),
        Parameter("--batch-rows", "Rows of a micro-batch"),
        Parameter("--buckets", "Buckets of keys"),
    ),
    left_out={
        "--streaming": "always given",
        "--quiet": "always given",
        "--log-format": _LOGGED,
        "--verbose": _TERMINAL,
        "--batch-ms": "Dataflow decides what it brings together",
        "--rates-refresh": "the rates of a launch hold for its job",
        "--as-streamed": "a stream decides so anyway",
        "--from": "a range is what a backfill has",
        "--to": "likewise",
        "--replace": "a stream takes the place of no other run",
        "--max-rejects": "judged at the end of a run, which a stream does not have",
        "--block-bytes": "hidden, and of files",
    },
    metadata={
        "streaming": True,
        # two steps behind the keys add up: what the engine brings twice would be counted twice
        "supportsAtLeastOnce": False,
        "supportsExactlyOnce": True,
    },
    environment={
        "enableStreamingEngine": True,
        "streamingMode": "STREAMING_MODE_EXACTLY_ONCE",
        "autoscalingAlgorithm": "AUTOSCALING_ALGORITHM_BASIC",
        "numWorkers": 1,
        "maxWorkers": 8,
        "machineType": "n2-standard-2",
        # a thread spends much of its time waiting for BigQuery to take its rows
        "additionalPipelineOptions": ["number_of_worker_harness_threads=8"],
    },
)

BACKFILL = Template(
    name="metering-backfill",
    title="Meterbeam: backfill",
    description=(
        "Meters again the windows that windows_to_backfill lists, from the events of the dataset."
    ),
    fixed=("backfill", "--quiet"),
    parameters=(
        _CATALOG,
        _RATES,
        _OUTPUT,
        Parameter("--from", "From", _MOMENT),
        Parameter("--to", "To", _MOMENT),
        _METERS_ASKED,
        Parameter("--max-rejects", "Most rejects", _SHARE),
        Parameter("--run-id", "Run", _RUN_ID),
    ),
    left_out={
        "--quiet": "always given",
        "--log-format": _LOGGED,
        "--verbose": _TERMINAL,
        "--dry-run": "a launch without a job fails; run the command for that",
    },
    metadata={"streaming": False},
    environment={
        "autoscalingAlgorithm": "AUTOSCALING_ALGORITHM_BASIC",
        "numWorkers": 1,
        "maxWorkers": 8,
        "machineType": "n2-standard-4",
        # a thread holds the readings of a bucket, which may be some 256 MiB of input
        "additionalPipelineOptions": ["number_of_worker_harness_threads=2"],
    },
)

TEMPLATES = (STREAM, BACKFILL)


def spec(template: Template, image: str | None = None) -> dict[str, Any]:
    """A Flex template's file: Dataflow's ContainerSpec as JSON, complete with an `image`.

    One image launches and works.
    """
    metadata = {
        "name": template.title,
        "description": template.description,
        **template.metadata,
        "parameters": [_as_json(template, each) for each in template.parameters],
    }
    places: dict[str, Any] = {"image": image} if image else {}
    workers = {"sdkContainerImage": image} if image else {}
    return {
        **places,
        "sdkInfo": {"language": "PYTHON"},
        "metadata": metadata,
        "defaultEnvironment": {**template.environment, **workers},
    }


def _as_json(template: Template, parameter: Parameter) -> dict[str, Any]:
    option = template.options[parameter.option]
    number = isinstance(option.type, click.types.IntParamType)
    pattern = "[0-9]{1,9}" if number else parameter.pattern
    made: dict[str, Any] = {
        "name": parameter.name,
        "label": parameter.label,
        "helpText": parameter.help or option.help,
        "isOptional": not (option.required or parameter.required),
        "paramType": parameter.kind or ("NUMBER" if number else "TEXT"),
    }
    if pattern:
        made["regexes"] = [f"^{pattern}$"]
    if isinstance(option.default, str):
        made["defaultValue"] = option.default
    return made
