"""Parquet files into a table, by load jobs that are the same however often they are asked for.

A job's id follows from the run, when it began, the table and the file's content, so a job that was
asked for before is found, and waited for, and not done again. (When it began: a run that is done
again after a failure has its rows removed, and wants the same files loaded anew.) Files are put
together first, so that a run takes a handful of jobs: the service allows 1,500 a day for each
table.
"""

import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from google.api_core.exceptions import Conflict, Forbidden, GoogleAPICallError
from google.cloud import bigquery

from pipelines.bigquery.dataset import PREFIX, Dataset
from pipelines.bigquery.staging import Bucket
from pipelines.problems import JobFailedError
from pipelines.runs import Run
from transforms.tables import TABLES
from transforms.timestamps import micros_of

_FILE_BYTES = 1 << 30
_PIECE = 1 << 20
_LOG = logging.getLogger(__name__)


def load_table(
    client: bigquery.Client,
    dataset: Dataset,
    table: str,
    run: Run,
    folder: Path,
    *,
    bucket: Bucket | None = None,
) -> int:
    """Load the Parquet files of a folder into a table; gives the number of jobs.

    The files are gone afterwards; with a bucket, jobs read copies there, which stay. Holds a row
    group at a time. Raises JobFailedError with what the service says of a job.
    """
    files = sorted(folder.glob("[!.]*.parquet"))
    jobs = 0
    for path in _gathered(files, TABLES[table], folder):
        named = job_id(run, table, path)
        address = bucket.put(path, f"{named}.parquet") if bucket else None
        _load(client, f"{dataset}.{table}", named, path, address)
        path.unlink()
        jobs += 1
    return jobs


def job_id(run: Run, table: str, path: Path) -> str:
    """The id of the job that loads a file: letters, digits, - and _, and far below 1,024."""
    return f"{_named_after(run.run_id)}-{micros_of(run.started_at)}-{table}-{_digest(path)}"


def _named_after(run_id: str) -> str:
    return f"meterbeam-{run_id.replace('.', '_')}"


def wait_for_earlier(client: bigquery.Client, run_id: str) -> None:
    """Wait for the load jobs of earlier attempts at a run, which may have been killed.

    What they add is there to be cleared then, and nothing is added after that.
    """
    ours = re.compile(rf"{re.escape(_named_after(run_id))}-\d+-[a-z]+-[0-9a-f]{{32}}")
    try:
        for state in ("pending", "running"):  # in this order, so that none slips through
            for job in client.list_jobs(state_filter=state):
                if ours.fullmatch(job.job_id):
                    job.exception()  # waits; whether it failed is all the same
    except Forbidden as error:
        _LOG.warning("jobs of earlier attempts cannot be seen: %s", error.message)


def _gathered(files: Sequence[Path], schema: pa.Schema, folder: Path) -> Iterator[Path]:
    """The rows of the files in as few files as a job may have, which replace them."""
    rest = list(files)
    while rest:
        target = folder / f".load-{len(rest)}.parquet"
        with pq.ParquetWriter(target, schema, compression="zstd", compression_level=1) as writer:
            _move(rest.pop(0), writer)
            while rest and target.stat().st_size < _FILE_BYTES:
                _move(rest.pop(0), writer)
        yield target


def _move(path: Path, writer: pq.ParquetWriter) -> None:
    with pq.ParquetFile(path) as source:
        for number in range(source.num_row_groups):
            writer.write_table(source.read_row_group(number).select(writer.schema.names))
    path.unlink()


def _load(
    client: bigquery.Client, target: str, job_id: str, path: Path, address: str | None
) -> None:
    try:
        try:
            job = _asked(client, target, job_id, path, address)
        except Conflict:  # it was asked for before
            job = client.get_job(job_id)
        job.result()
    except GoogleAPICallError as error:
        raise JobFailedError(f"{PREFIX}{target}: load job {job_id}: {error.message}") from error


def _asked(
    client: bigquery.Client, target: str, job_id: str, path: Path, address: str | None
) -> bigquery.LoadJob:
    config = bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.PARQUET,
        write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
        create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
        decimal_target_types=[bigquery.DecimalTargetType.BIGNUMERIC],
    )
    if address is not None:
        return client.load_table_from_uri(address, target, job_id=job_id, job_config=config)
    with path.open("rb") as file:
        return client.load_table_from_file(file, target, job_id=job_id, job_config=config)


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            found.update(piece)
    return found.hexdigest()[:32]
