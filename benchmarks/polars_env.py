"""The environment that the polars peer runs on: made once, apart from the project's own.

`python benchmarks/polars_env.py` makes it, in ~/.cache/meterbeam, and says where its Python is.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from made_once import NoEnvironmentError, environment

_REQUIREMENTS = Path(__file__).with_name("polars_requirements.txt")


class NoPolarsError(Exception):
    """The environment could not be made; the text is what pip said."""


def polars_python() -> Path:
    """The Python of the environment, which is made first if it is not there.

    Raises NoPolarsError.
    """
    try:
        place = environment("polars", _REQUIREMENTS, "for the polars peer")
    except NoEnvironmentError as error:
        raise NoPolarsError(f"no environment for polars: {error}") from error
    return place / "bin" / "python"


if __name__ == "__main__":
    try:
        print(polars_python())
    except NoPolarsError as error:
        sys.exit(str(error))
