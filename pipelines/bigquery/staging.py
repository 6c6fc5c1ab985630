"""Where a run's files wait for their load: a folder of this machine, and a bucket if one is named.

`--temp_location gs://bucket/path` has load jobs read from there; without it files go to the service
with the request. Everything honours STORAGE_EMULATOR_HOST.
"""

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from google.api_core.exceptions import ClientError
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage

from pipelines.bigquery.dataset import Dataset
from pipelines.problems import UserError

_REMOTE = "gs://"


@dataclass(frozen=True)
class Bucket:
    """A folder of a bucket that is one run's own: what an earlier attempt left is in it, too."""

    client: storage.Client
    name: str
    folder: str

    def __str__(self) -> str:
        """Its address."""
        return f"{_REMOTE}{self.name}/{self.folder}"

    def put(self, path: Path, name: str) -> str:
        """Copy a file there; gives its address."""
        blob = self.client.bucket(self.name).blob(f"{self.folder}/{name}")
        blob.upload_from_filename(str(path))
        return f"{self}/{name}"

    def clear(self) -> None:
        """Remove all files of the run."""
        for blob in self.client.list_blobs(self.name, prefix=f"{self.folder}/"):
            blob.delete()


@contextmanager
def staged(
    dataset: Dataset, run_id: str, temp_location: str | None
) -> Iterator[tuple[Path, Bucket | None]]:
    """A new folder of this machine, gone afterwards, and the run's folder of a bucket.

    Raises UserError for a place that is not there, or may not be used.
    """
    if temp_location is None or not temp_location.startswith(_REMOTE):
        with _folder(temp_location) as folder:
            yield folder, None
        return
    name, _, path = temp_location.removeprefix(_REMOTE).partition("/")
    with _folder(None) as folder, closing(storage.Client(project=dataset.project)) as client:
        own = "/".join(part for part in (path.strip("/"), f"meterbeam-{run_id}") if part)
        yield folder, Bucket(client, name, own)


def check(dataset: Dataset, temp_location: str | None) -> None:
    """Raises UserError for a place for temporary files that is none, before anything is done."""
    if temp_location is None:
        return
    if not temp_location.startswith(_REMOTE):
        with _folder(temp_location):
            return
    name = temp_location.removeprefix(_REMOTE).partition("/")[0]
    try:
        with closing(storage.Client(project=dataset.project)) as client:
            next(iter(client.list_blobs(name, max_results=1)), None)
    except (ClientError, GoogleAuthError, ValueError) as error:
        said = error.message if isinstance(error, ClientError) else error
        raise UserError(f"--temp_location {temp_location}: {said}") from None


@contextmanager
def _folder(beside: str | None) -> Iterator[Path]:
    if beside is not None and "://" in beside:
        raise UserError(f"--temp_location {beside}: name a local folder, or gs://bucket/path")
    try:
        if beside is not None:
            Path(beside).mkdir(parents=True, exist_ok=True)
        made = tempfile.TemporaryDirectory(prefix="meterbeam-", dir=beside)
    except OSError as error:
        raise UserError(f"--temp_location {beside}: {error.strerror}") from None
    with made as folder:
        yield Path(folder)
