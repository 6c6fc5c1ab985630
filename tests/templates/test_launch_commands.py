"""What make says and runs: gcloud with what was asked for, word by word, or nothing."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from google.cloud import dataflow_v1beta3 as dataflow
from image import ROOT

STREAM = {
    "BUCKET": "my-bucket",
    "CATALOG": "gs://my-bucket/catalog.yaml",
    "INPUT": "pubsub://my-project/events",
    "OUTPUT": "bigquery://my-project.metering",
    "RUN_ID": "live",
}
BACKFILL = {name: STREAM[name] for name in ("BUCKET", "CATALOG", "OUTPUT")}
GCLOUD = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["SAID"], "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
sys.exit(int(os.environ.get("ENDS", "0")))
"""


@pytest.fixture
def gcloud(tmp_path: Path) -> Path:
    """A folder with a gcloud that notes what it is told to do."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "gcloud").write_text(GCLOUD)
    (folder / "gcloud").chmod(0o755)
    return folder


def call(
    what: str, given: dict[str, str], path: Path | None, said: Path, script: str = "launch.py"
) -> tuple[int, str, str, list[list[str]]]:
    """The exit code, what is printed, and what gcloud was told."""
    known = {"PATH": str(path or "/nowhere"), "HOME": "/", "SAID": str(said)}
    done = subprocess.run(
        [sys.executable, ROOT / "templates" / script, what],
        env=known | given,
        capture_output=True,
        text=True,
        check=False,
    )
    told = [json.loads(line) for line in said.read_text().splitlines()] if said.exists() else []
    return done.returncode, done.stdout, done.stderr, told


def test_a_build_makes_the_image_and_puts_complete_specifications_into_the_bucket(
    gcloud: Path, tmp_path: Path
) -> None:
    given = {"IMAGE": "europe-docker.pkg.dev/p/r/i:1", "BUCKET": "gs://my-bucket/"}
    code, printed, _, told = call("template", given, gcloud, tmp_path / "said")
    assert code == 0
    assert [["gcloud", *each] for each in told] == [
        shlex.split(line) for line in printed.splitlines()
    ]
    assert "--substitutions=_IMAGE=europe-docker.pkg.dev/p/r/i:1" in told[0]
    *_, stream, backfill, target = told[1]
    assert target == "gs://my-bucket/templates/"
    for each in (stream, backfill):
        made = dataflow.ContainerSpec.from_json(Path(each).read_text())
        assert made.image == given["IMAGE"] == made.default_environment.sdk_container_image


def test_a_launch_hands_every_text_over_as_it_is(gcloud: Path, tmp_path: Path) -> None:
    catalog = "gs://my-bucket/a;b,$(id)`id`'\".yaml"
    given = STREAM | {"CATALOG": catalog, "METERS": "a,b", "UPDATE": "1", "MAX_WORKERS": "3"}
    code, _, _, (told,) = call("stream", given, gcloud, tmp_path / "said")
    assert code == 0
    assert {"metering-stream", "--update", "--max-workers=3", "--region=europe-west1"} <= set(told)
    (word,) = [each for each in told if each.startswith("--parameters=")]
    between, *texts = word.removeprefix("--parameters=^").partition("^")[::2]
    found = dict(text.split("=", 1) for text in texts[0].split(between))
    assert found == {
        "catalog": catalog,
        "input": STREAM["INPUT"],
        "output": STREAM["OUTPUT"],
        "run_id": "live",
        "meters": "a,b",
    }


def test_what_lacks_or_is_wrong_is_said_before_anything_is_run(
    gcloud: Path, tmp_path: Path
) -> None:
    wrong = STREAM | {"RUN_ID": "", "INPUT": "events"}
    code, _, said, told = call("stream", wrong, gcloud, tmp_path / "said")
    assert (code, told) == (2, [])
    assert "RUN_ID=…" in said
    assert "INPUT=events: The subscription" in said
    code, _, said, told = call("template", {"BUCKET": "b"}, gcloud, tmp_path / "said")
    assert (code, told, said.split()[:2]) == (2, [], ["give", "IMAGE=…;"])


@pytest.mark.parametrize(
    ("what", "given"),
    [
        ("stream", STREAM | {"JOB": "--project=another"}),
        ("stream", STREAM | {"JOB": "a\nb"}),
        ("template", {"IMAGE": "i,_OTHER=x", "BUCKET": "b"}),
        ("template", {"IMAGE": "--config=x", "BUCKET": "b"}),
    ],
)
def test_no_value_becomes_another_flag(
    gcloud: Path, tmp_path: Path, what: str, given: dict[str, str]
) -> None:
    code, _, said, told = call(what, given, gcloud, tmp_path / "said")
    assert (code, told) == (2, [])
    assert said.startswith(("JOB=", "IMAGE="))


def test_make_runs_nothing_that_stands_in_a_value(tmp_path: Path) -> None:
    value = f"RUN_ID=$(shell touch {tmp_path}/run)"
    command = ["make", "--directory", ROOT, "help"]
    done = subprocess.run([*command, value], capture_output=True, text=True, check=False)
    assert (done.returncode, "a value may have no $" in done.stderr) == (2, True)
    name, _, text = value.partition("=")
    subprocess.run(command, env=os.environ | {name: text}, capture_output=True, check=True)
    assert not (tmp_path / "run").exists()


def test_without_gcloud_the_commands_are_said_and_that_nothing_was_run(tmp_path: Path) -> None:
    given = BACKFILL | {"FROM": "2026-01-01", "TO": "2026-02-01"}
    code, printed, said, _ = call("backfill", given, None, tmp_path / "said")
    assert code == 1
    assert printed.startswith("gcloud dataflow flex-template run metering-backfill-2")
    assert "from=2026-01-01;to=2026-02-01" in printed
    assert "nothing was run" in said


def test_a_command_that_fails_ends_it(gcloud: Path, tmp_path: Path) -> None:
    given = {"IMAGE": "i", "BUCKET": "b", "ENDS": "3"}
    code, printed, _, told = call("template", given, gcloud, tmp_path / "said")
    assert (code, len(told), len(printed.splitlines())) == (3, 1, 1)


def test_the_schedule_launches_what_dataflow_takes(tmp_path: Path) -> None:
    given = BACKFILL | {"PROJECT": "p", "REGION": "r", "SCHEDULER_ACCOUNT": "a@p"}
    script = "schedule_backfill.py"
    code, printed, _, _ = call("", given, None, tmp_path / "said", script)
    assert code == 0
    words = shlex.split(printed)
    assert (
        "--uri=https://dataflow.googleapis.com/v1b3/projects/p/locations/r/flexTemplates:launch"
        in (words)
    )
    body = words[-1].removeprefix("--message-body=")
    asked = dataflow.LaunchFlexTemplateRequest.from_json(body, ignore_unknown_fields=False)
    assert asked.launch_parameter.parameters["output"] == BACKFILL["OUTPUT"]
    assert asked.launch_parameter.container_spec_gcs_path.endswith("metering-backfill.json")
    code, _, said, _ = call("", given | {"OUTPUT": ""}, None, tmp_path / "said", script)
    assert code == 1
    assert "OUTPUT=…" in said


def test_make_gives_its_variables_to_no_shell(tmp_path: Path) -> None:
    """A name in a recipe would be put together with the shell's own words."""
    recipes = (ROOT / "Makefile").read_text().split("\ntemplate:")[1].split("\nclean:")[0]
    assert "$(" in recipes
    assert recipes.count("$(") == recipes.count("$(BIN)")
    assert os.access(tmp_path, os.W_OK)
