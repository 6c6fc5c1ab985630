"""The process of an Airflow that runs nights of the example DAG."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from airflow_environment import made_environment
from flex_service import FlexService

DAG = "nightly_backfill"
_FOLDER = Path(__file__).parents[2] / "examples" / "airflow"
_ANONYMOUS = {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True}}


class Airflow:
    """An Airflow of its own, which runs nights of the DAG, and has a service for Dataflow."""

    def __init__(self, home: Path, service: FlexService) -> None:
        python = made_environment() / "bin" / "python"
        self.home, self._log = home, home / "log"
        own = {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(_FOLDER),
            "AIRFLOW_CONN_GOOGLE_CLOUD_DEFAULT": json.dumps(_ANONYMOUS),
            "METERBEAM_PYTHON": sys.executable,
            "PYTHONDONTWRITEBYTECODE": "1",
            **service.environment(),
        }
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "PYTHON"))}
        migrate = [python, "-m", "airflow", "db", "migrate"]
        subprocess.run(migrate, env=kept | own, cwd=home, capture_output=True, check=True)
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    python,
                    Path(__file__).with_name("nights.py"),
                    own["AIRFLOW__CORE__DAGS_FOLDER"],
                    DAG,
                ],
                env=kept | own,
                cwd=home,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.found = self.heard()

    def begin(self, settings: object) -> None:
        """Begins a night with what the Variable of the DAG says."""
        assert self.process.stdin
        given = {"AIRFLOW_VAR_METERBEAM_BACKFILL": json.dumps(settings)}
        self.process.stdin.write(f"{json.dumps(given)}\n")
        self.process.stdin.flush()

    def heard(self) -> dict[str, Any]:
        """What it says next: how a night ended, task by task."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, self._log.read_text()[-3000:]
        return json.loads(line)

    def night(self, settings: object) -> dict[str, Any]:
        self.begin(settings)
        return self.heard()

    def log(self) -> str:
        return self._log.read_text()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()
