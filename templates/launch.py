"""Builds the image of the templates and launches them, by gcloud: says each command and runs it.

`make template`, `make launch-stream` and `make launch-backfill` call it. What is asked for is taken
from variables of the environment, which is where make puts those of its command line; no shell sees
them. PRINT=1 only says the commands.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from make_specs import write_specs

from pipelines.template_parameters import BACKFILL, STREAM, Template, spec

ROOT = Path(__file__).parent.parent
_SPECS = ROOT / "build" / "templates"
_REGION = "europe-west1"
_BETWEEN = ";|~!#"  # parameters that gcloud takes in one word, see `gcloud topic escaping`
_FLAGS = {  # of the workers and the network, where the template's own are not wanted
    "SERVICE_ACCOUNT": "--service-account-email",
    "MAX_WORKERS": "--max-workers",
    "NUM_WORKERS": "--num-workers",
    "MACHINE_TYPE": "--worker-machine-type",
    "SUBNETWORK": "--subnetwork",
    "KMS_KEY": "--dataflow-kms-key",
}
_JOB = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")  # a word of its own: it must be no flag
_IMAGE = re.compile(r"[A-Za-z0-9][\w.:/@-]*")  # without a comma, which would begin another setting
_WRONG_USE, _NOT_RUN = 2, 1

Command = list[str]


class MissingError(Exception):
    """What is asked for is not enough; the text says what lacks."""


def build(given: Mapping[str, str]) -> list[Command]:
    """The image, and the specifications with its name, to the bucket."""
    image, bucket = needed(given, "IMAGE"), _bucket(given)
    if not _IMAGE.fullmatch(image):
        raise MissingError(f"IMAGE={image}: this is no name of an image")
    specs = [str(each) for each in write_specs(_SPECS, image)]
    config = ["--config=templates/cloudbuild.yaml", f"--substitutions=_IMAGE={image}"]
    return [
        ["gcloud", "builds", "submit", *config, "."],
        ["gcloud", "storage", "cp", *specs, f"gs://{bucket}/templates/"],
    ]


def launch(template: Template, given: Mapping[str, str]) -> list[Command]:
    """A job of a template; with UPDATE=1 it takes the place of the one of its name."""
    bucket, parameters = _bucket(given), parameters_of(template, given)
    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    name = job_name(given) or (template.name if template is STREAM else f"{template.name}-{moment}")
    command = ["gcloud", "dataflow", "flex-template", "run", name]
    command += [f"--template-file-gcs-location=gs://{bucket}/templates/{template.name}.json"]
    command += [f"--region={given.get('REGION') or _REGION}"]
    command += [f"--staging-location=gs://{bucket}/staging", f"--temp-location=gs://{bucket}/temp"]
    command += [f"--parameters={in_one_word(parameters)}"]
    command += [f"{flag}={given[each]}" for each, flag in _FLAGS.items() if given.get(each)]
    command += ["--disable-public-ips"] if given.get("PRIVATE") else []
    return [command + (["--update"] if given.get("UPDATE") else [])]


def job_name(given: Mapping[str, str]) -> str | None:
    """The name that a job is given, if it is. Raises MissingError where it is none."""
    name = given.get("JOB")
    if name and not _JOB.fullmatch(name):
        raise MissingError(f"JOB={name}: small letters, digits and - make a name, a letter first")
    return name or None


def in_one_word(parameters: Mapping[str, str]) -> str:
    """Parameters as gcloud takes them, whatever is in their values."""
    texts = [f"{name}={value}" for name, value in parameters.items()]
    between = next((each for each in _BETWEEN if not any(each in text for text in texts)), None)
    if between is None:
        raise MissingError(f"the parameters have all of {_BETWEEN} in them, and one has to be free")
    return f"^{between}^{between.join(texts)}"


def parameters_of(template: Template, given: Mapping[str, str]) -> dict[str, str]:
    """The template's parameters that are given, each fit for it. Raises MissingError."""
    found, wrong = {}, []
    for each in spec(template)["metadata"]["parameters"]:
        variable = each["name"].upper()
        value = given.get(variable, "")
        if value and all(re.fullmatch(regex, value) for regex in each.get("regexes", [])):
            found[each["name"]] = value
        elif value or not each["isOptional"]:
            wrong.append(f"{variable}={value or '…'}: {each['helpText']}")
    if wrong:
        raise MissingError("\n".join(wrong))
    return found


def _bucket(given: Mapping[str, str]) -> str:
    return needed(given, "BUCKET").removeprefix("gs://").rstrip("/")


def needed(given: Mapping[str, str], name: str) -> str:
    """A variable that is given. Raises MissingError."""
    if not given.get(name):
        raise MissingError(f"give {name}=…; docs/templates.md says what it is")
    return given[name]


def _commands(what: str, given: Mapping[str, str]) -> list[Command]:
    if what == "template":
        return build(given)
    return launch(STREAM if what == "stream" else BACKFILL, given)


def _run(commands: Sequence[Command], *, only_say: bool) -> Iterator[int]:
    there = shutil.which("gcloud") is not None
    for command in commands:
        sys.stdout.write(f"{shlex.join(command)}\n")
        sys.stdout.flush()
        if there and not only_say:
            done = subprocess.run(command, cwd=ROOT, check=False)  # noqa: S603 - gcloud, no shell
            yield done.returncode
            if done.returncode:
                return
    if not there and not only_say:
        sys.stderr.write("gcloud is not on this machine: nothing was run\n")
        yield _NOT_RUN


def main() -> int:
    """The exit code: that of gcloud; 2 for what is missing or wrong, before anything is run."""
    try:
        commands = _commands(sys.argv[1], os.environ)
    except MissingError as error:
        sys.stderr.write(f"{error}\n")
        return _WRONG_USE
    return max(_run(commands, only_say=bool(os.environ.get("PRINT"))), default=0)


if __name__ == "__main__":
    sys.exit(main())
