"""Where a run writes: what `--output` names."""

from pathlib import Path

from pipelines import warehouse
from pipelines.bigquery.dataset import PREFIX, Dataset
from pipelines.problems import UserError


def dataset_of(text: str) -> Dataset | None:
    """The dataset that an output names; None for a folder. Raises UserError."""
    return Dataset.of(text) if text.startswith(PREFIX) else None


def folder_of(text: str) -> Path:
    """The folder that an output names, absolute; it need not exist yet. Raises UserError."""
    if not text:
        raise UserError("--output is empty; name a folder")
    if "://" in text:
        raise UserError(f"--output {text}: name a local folder, or bigquery://project.dataset")
    path = warehouse.check_out(Path(text).expanduser())
    nearest = path
    while not nearest.exists():
        nearest = nearest.parent
    if not nearest.is_dir():
        raise UserError(f"--output {text}: {nearest} is a file; name a folder")
    return path
