"""What Dataflow does with a Flex template, as it is documented: from a specification to the main.

It refuses parameters that the specification does not have, that lack, or that match no regex or
enum, then starts the main of the image with the parameters and the options of the job as
`--name=value`. Defaults of parameters are for forms and are not filled in.
"""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# fields of FlexTemplateRuntimeEnvironment, as the launcher gives them to Python
_OPTIONS = {
    "numWorkers": "num_workers",
    "maxWorkers": "max_num_workers",
    "machineType": "machine_type",
    "autoscalingAlgorithm": "autoscaling_algorithm",
    "sdkContainerImage": "sdk_container_image",
}
_ALGORITHMS = {"AUTOSCALING_ALGORITHM_BASIC": "THROUGHPUT_BASED"}


class RefusedError(Exception):
    """The launch is refused; the text says why."""


@dataclass(frozen=True)
class Image:
    """An image as far as the launcher sees it: its Python, and its main.

    wheels: the folder with the wheel that was installed into it.
    """

    python: Path
    main: Path
    wheels: Path


def checked(spec: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, str]:
    """The parameters, if a launch with them is not refused."""
    known = {each["name"]: each for each in spec["metadata"]["parameters"]}
    wrong = [f"{name}: unrecognized parameter" for name in parameters if name not in known]
    for name, about in known.items():
        if name not in parameters:
            wrong += [] if about["isOptional"] else [f"{name}: missing required parameter"]
            continue
        value = parameters[name]
        if not all(re.fullmatch(regex, value) for regex in about.get("regexes", [])):
            wrong.append(f"{name}: {value!r} does not match")
        enum = [each["value"] for each in about.get("enumOptions", [])]
        if enum and value not in enum:
            wrong.append(f"{name}: {value!r} is none of {enum}")
    if wrong:
        raise RefusedError("; ".join(wrong))
    return dict(parameters)


def arguments(
    spec: Mapping[str, Any], parameters: Mapping[str, str], job: Mapping[str, str]
) -> list[str]:
    """The words that the main is called with; `job` has the options of the launch itself."""
    environment = spec["defaultEnvironment"]
    options = {
        option: _ALGORITHMS.get(str(environment[name]), str(environment[name]))
        for name, option in _OPTIONS.items()
        if name in environment
    }
    more = [f"--{each}" for each in environment.get("additionalPipelineOptions", [])]
    more += ["--enable_streaming_engine"] if environment.get("enableStreamingEngine") else []
    words = {**checked(spec, parameters), **options, **job}
    return [f"--{name}={value}" for name, value in words.items()] + more


def launch(
    image: Image,
    spec: Path,
    parameters: Mapping[str, str],
    job: Mapping[str, str],
    errors: Path,
) -> subprocess.Popen[bytes]:
    """Starts the main in a folder of its own, with nothing of the checkout in reach."""
    words = arguments(json.loads(spec.read_text()), parameters, job)
    here = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with errors.open("w") as file:
        return subprocess.Popen(
            [str(image.python), str(image.main), *words],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            cwd=image.main.parent,
            env=here,
            start_new_session=True,
        )
