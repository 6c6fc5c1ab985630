"""The environment that Airflow runs in, apart from the project's own.

`python tests/airflow/airflow_environment.py`, or `make test-airflow`, makes it: 1.6 GB, about two
minutes.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from made_once import NoEnvironmentError, environment

_REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def made_environment() -> Path:
    """Its folder, made first if it is not there. Raises NoEnvironmentError."""
    return environment("airflow", _REQUIREMENTS, "for Airflow, about two minutes")


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{made_environment()}\n")
    except NoEnvironmentError as error:
        sys.exit(str(error))
