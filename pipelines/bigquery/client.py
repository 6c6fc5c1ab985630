"""The client that asks for a dataset, and what becomes of the service's refusals."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from google.api_core.exceptions import ClientError, GoogleAPICallError, GoogleAPIError
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_RETRY

from pipelines.bigquery.dataset import PREFIX, Dataset
from pipelines.problems import JobFailedError, UserError

_EMULATOR = "BIGQUERY_EMULATOR_HOST"  # the client library's own
_REACHED_S = 60.0

# what a call of the service ends with: its own words, no credentials, no way there
SERVICE_ERRORS = (GoogleAPIError, GoogleAuthError, OSError)


@contextmanager
def connected(dataset: Dataset) -> Iterator[bigquery.Client]:
    """A client for a dataset that is there, or for the emulator in BIGQUERY_EMULATOR_HOST.

    Raises UserError where there is no such dataset, or it may not be read; in the `with`, what the
    service says against a call becomes a JobFailedError.
    """
    try:
        with closing(_client(dataset, _location(dataset))) as client:
            yield client
    except SERVICE_ERRORS as error:
        said = error.message if isinstance(error, GoogleAPICallError) else error
        raise JobFailedError(f"{PREFIX}{dataset}: {said}") from error


def _location(dataset: Dataset) -> str:
    """Where the dataset is: the service does not find a job elsewhere without being told."""
    try:
        with closing(_client(dataset)) as client:
            found = client.get_dataset(str(dataset), retry=DEFAULT_RETRY.with_timeout(_REACHED_S))
    except GoogleAuthError as error:
        raise UserError(
            f"{PREFIX}{dataset}: no credentials for Google Cloud ({error}); give some with"
            " `gcloud auth application-default login` or GOOGLE_APPLICATION_CREDENTIALS"
        ) from None
    except ClientError as error:
        raise UserError(
            f"{PREFIX}{dataset}: {error.message}\nmake it, where it is missing, with"
            f" `bq mk --dataset --location=EU {dataset.project}:{dataset.name}`"
        ) from None
    return str(found.location)


def _client(dataset: Dataset, location: str | None = None) -> bigquery.Client:
    emulated = {"credentials": AnonymousCredentials()} if os.environ.get(_EMULATOR) else {}
    return bigquery.Client(project=dataset.project, location=location, **emulated)


def ask(
    client: bigquery.Client, sql: str, config: bigquery.QueryJobConfig | None = None
) -> bigquery.table.RowIterator:
    """Runs SQL as a job and gives its rows. Raises GoogleAPICallError with what is wrong with it.

    The client's `query_and_wait` takes a shorter way, on which an emulator keeps errors to itself.
    """
    return client.query(sql, job_config=config).result()
