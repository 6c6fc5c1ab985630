"""Appends rows to the tables of a dataset: waits for each answer, and tries again what may pass.

A row may get there twice: where an answer was lost, the rows are sent again. The views give each
row once. A process has one appender for each table, which all its bundles share.
"""

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import TimeoutError as NoAnswerError
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from google.api_core import exceptions as api
from google.api_core.retry import Retry
from google.auth.exceptions import GoogleAuthError, TransportError

from pipelines.bigquery.connection import Connection, stream_of
from pipelines.bigquery.dataset import PREFIX, Dataset
from pipelines.notices import notify
from pipelines.problems import JobFailedError
from transforms.tables import AMOUNT, TABLES

REQUEST_BYTES = 8 << 20  # the service takes 10 MB
_WIRE_AMOUNT = pa.decimal256(AMOUNT.precision, AMOUNT.scale)  # which is BIGNUMERIC
_ANSWER_S = 60.0
_APPEARS_S = 120.0  # how long a table that was just made may not be found
RETRY = Retry(initial=0.1, maximum=15.0, multiplier=2.0, timeout=600.0)
_PASSING = (
    api.Aborted,
    api.Cancelled,
    api.DeadlineExceeded,
    api.InternalServerError,
    api.ResourceExhausted,
    api.ServiceUnavailable,
    api.Unauthenticated,  # of a connection that is older than its credentials
    api.Unknown,
    TransportError,
)
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refused:
    """A row that the service would not take, as a batch of one, and what it said."""

    row: pa.RecordBatch
    answer: str


class Appender:
    """Appends rows to a table. Any thread may call it; requests go over one connection.

    `retry` says how what may pass is tried again: the library's own, with backoff;
    `answer_s` how long an answer is waited for.
    """

    def __init__(
        self, dataset: Dataset, table: str, retry: Retry = RETRY, answer_s: float = _ANSWER_S
    ) -> None:
        self.name = f"{PREFIX}{dataset}.{table}"
        self._stream = stream_of(dataset, table)
        self._schema = wire_schema(TABLES[table])
        self._answer_s = answer_s
        self._retry = retry.with_predicate(self._may_pass)
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._began_s = time.monotonic()
        self._in_trouble = self._closed = False

    def append(self, rows: pa.RecordBatch) -> list[Refused]:
        """Returns when the rows are in the table, but for those that it gives back.

        Raises JobFailedError where it is no use to try on: with what the service says.
        """
        refused: list[Refused] = []
        for part in parts(rows.cast(self._schema)):
            if part.nbytes > REQUEST_BYTES:
                refused.append(Refused(part, f"the row has {part.nbytes:,} bytes"))
            else:
                refused += self._append_part(part)
        return refused

    def close(self) -> None:
        """Close the connection, if there is one, and try nothing again."""
        with self._lock:
            self._closed = True
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def _append_part(self, rows: pa.RecordBatch) -> list[Refused]:
        refused: list[Refused] = []
        while rows.num_rows:
            try:
                self._retry(self._send, on_error=self._tell)(rows.serialize().to_pybytes())
                self._is_well()
                break
            except api.InvalidArgument as error:
                answers = _row_answers(error, rows.num_rows)
                if not answers:
                    raise self._failure(error) from error
                refused += [Refused(rows.slice(at, 1), said) for at, said in answers.items()]
                kept = np.ones(rows.num_rows, bool)
                kept[list(answers)] = False
                rows = rows.filter(pa.array(kept))
            except (api.GoogleAPIError, GoogleAuthError) as error:
                raise self._failure(error) from error
        return refused

    def _send(self, data: bytes) -> None:
        connection = self._connected()
        try:
            connection.send(data).result(self._answer_s)
        except NoAnswerError:
            late = api.DeadlineExceeded(f"no answer within {self._answer_s:g} s")
            connection.close(late)
            raise late from None

    def _connected(self) -> Connection:
        with self._lock:
            if self._connection is None or self._connection.is_broken:
                if self._connection is not None:
                    self._connection.close()
                self._connection = Connection(self._stream, self._schema.serialize().to_pybytes())
            return self._connection

    def _may_pass(self, error: BaseException) -> bool:
        if self._closed:
            return False
        if isinstance(error, api.NotFound):
            return time.monotonic() < self._began_s + _APPEARS_S
        return isinstance(error, _PASSING)

    def _tell(self, error: Exception) -> None:
        _LOG.warning("%s: trying again: %s", self.name, error)
        if not self._in_trouble:
            self._in_trouble = True
            notify(f"{self.name}: trying again: {_words(error)}", logging.WARNING)

    def _is_well(self) -> None:
        if self._in_trouble:
            self._in_trouble = False
            notify(f"{self.name}: takes rows again")

    def _failure(self, error: Exception) -> JobFailedError:
        cause = error.cause if isinstance(error, api.RetryError) else error
        text = f"{self.name} does not take rows: {_words(cause or error)}"
        if isinstance(error, api.InvalidArgument | api.NotFound):
            text += (
                "\nwas the table changed? `meterbeam tables` brings it back to what it has to be"
            )
        return JobFailedError(text)


def wire_schema(schema: pa.Schema) -> pa.Schema:
    """The types as the service takes them: decimals of 256 bits are BIGNUMERIC there."""
    return pa.schema(
        [(each.name, _WIRE_AMOUNT if each.type == AMOUNT else each.type) for each in schema]
    )


def parts(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Rows in parts that a request takes; a row that none takes is a part of its own."""
    if rows.nbytes > REQUEST_BYTES and rows.num_rows > 1:
        half = rows.num_rows // 2
        yield from parts(rows.slice(0, half))
        yield from parts(rows.slice(half))
    elif rows.num_rows:
        yield rows


def _row_answers(error: api.GoogleAPICallError, rows: int) -> dict[int, str]:
    """What the service says against single rows, by their places; then it took none at all."""
    said = getattr(error.response, "row_errors", ())
    return {int(each.index): str(each.message) for each in said if 0 <= each.index < rows}


def _words(error: BaseException) -> str:
    return str(error.message) if isinstance(error, api.GoogleAPICallError) else str(error)
