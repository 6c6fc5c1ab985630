"""Makes the specifications of the Dataflow templates, of pipelines/template_parameters.py.

`python templates/make_specs.py` writes those beside it. With --image they are complete, as Dataflow
reads them from a bucket, and go to the folder --into.
"""

import argparse
import json
from pathlib import Path

from pipelines.template_parameters import TEMPLATES, spec


def write_specs(folder: Path, image: str | None = None) -> list[Path]:
    """Writes a file for each template; gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for template in TEMPLATES:
        path = folder / f"{template.name}.json"
        path.write_text(json.dumps(spec(template, image), indent=2) + "\n")
        written.append(path)
    return written


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", help="the image of launcher and workers")
    parser.add_argument("--into", type=Path, default=Path(__file__).parent)
    asked = parser.parse_args()
    write_specs(asked.into, asked.image)
