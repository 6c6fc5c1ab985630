"""A dataset of BigQuery as users name it."""

import re
from dataclasses import dataclass

from pipelines.problems import UserError

PREFIX = "bigquery://"
_PROJECT = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
_NAME = re.compile(r"[A-Za-z0-9_]{1,1024}")


@dataclass(frozen=True)
class Dataset:
    """A dataset of a project."""

    project: str
    name: str

    @classmethod
    def of(cls, text: str) -> "Dataset":
        """The one that is named as `bigquery://project.dataset`. Raises UserError."""
        project, _, name = text.removeprefix(PREFIX).rpartition(".")
        if not text.startswith(PREFIX) or not project or not name:
            raise UserError(f"{text}: a dataset is named as bigquery://project.dataset")
        if not _PROJECT.fullmatch(project):
            raise UserError(f"{text}: {project!r} is no id of a project")
        if not _NAME.fullmatch(name):
            raise UserError(f"{text}: {name!r} is no dataset: letters, digits and _ are allowed")
        return cls(project, name)

    def __str__(self) -> str:
        """As SQL names it, without quotes."""
        return f"{self.project}.{self.name}"

    def table(self, name: str) -> str:
        """A table or view of it, quoted for SQL."""
        return f"`{self}.{name}`"
