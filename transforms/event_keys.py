"""The key that decides whether two events are the same one: 128 bits of MD5, as 32 hex digits.

MD5 is the same on every machine and in every version, which state that outlives its worker needs.
It is computed over columns by DuckDB, of a few texts one by one. Two texts of one digest can be
made, but none for a digest that is there: whoever makes them can only drop events of their own.
"""

import threading
from hashlib import md5

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_LOCAL = threading.local()
_FEW = 1000  # a query takes longer than so many texts one by one


def key_texts(fields: pa.Table, payloads: pa.StringArray) -> pa.StringArray:
    """What is hashed: (customer, event type, id), or CloudEvents' (source, id), or the record.

    Each part but the last goes with its length before it, so different parts never make one text.
    That of CloudEvents begins with `s`, of other ids with a digit, a record with neither.
    """
    scoped = fields.column("scope").null_count == 0
    names = ("scope",) if scoped else ("customer_id", "event_type")
    parts = [_measured(fields.column(name).combine_chunks()) for name in names]
    ids = fields.column("event_id").combine_chunks()
    joined = pc.binary_join_element_wise(*([pa.scalar("s")] if scoped else []), *parts, ids, "")
    if ids.null_count == 0:
        return joined
    return pc.coalesce(joined, payloads)


def _measured(texts: pa.StringArray) -> pa.Array:
    encoded = texts.dictionary_encode()
    values = encoded.dictionary
    lengths = pc.binary_length(values).cast(pa.string())
    return pc.binary_join_element_wise(lengths, values, ":").take(encoded.indices)


def hash_texts(texts: pa.StringArray) -> tuple[pa.StringArray, np.ndarray, np.ndarray]:
    """MD5 of each text: as hex digits, and as two uint64 halves, high and low."""
    return _hash_few(texts) if len(texts) < _FEW else _hash_many(texts)


def _hash_few(texts: pa.StringArray) -> tuple[pa.StringArray, np.ndarray, np.ndarray]:
    plain = texts.cast(pa.binary()).to_pylist()
    digests = [md5(text, usedforsecurity=False).digest() for text in plain]
    hexes = pa.array([digest.hex() for digest in digests], pa.string())
    halves = np.frombuffer(b"".join(digests), ">u8").astype(np.uint64)
    return hexes, halves[0::2].copy(), halves[1::2].copy()


def _hash_many(texts: pa.StringArray) -> tuple[pa.StringArray, np.ndarray, np.ndarray]:
    table = pa.table({"text": texts})
    hashed = (
        _connection()
        .from_arrow(table)
        .project("md5(text) AS hex, unhex(md5(text)) AS digest")
        .to_arrow_table()
    )
    digests = hashed.column("digest").combine_chunks()
    start = digests.offset * 16  # every value before it has 16 bytes too
    data = np.frombuffer(digests.buffers()[2], ">u8", 2 * len(digests), start)
    halves = data.reshape(-1, 2).astype(np.uint64)
    hexes = hashed.column("hex").cast(pa.string()).combine_chunks()
    return hexes, np.ascontiguousarray(halves[:, 0]), np.ascontiguousarray(halves[:, 1])


def hex_digits(high: np.ndarray, low: np.ndarray) -> pa.StringArray:
    """The 32 hex digits of keys given as halves."""
    pairs = zip(high.tolist(), low.tolist(), strict=True)
    return pa.array([f"{h:016x}{lo:016x}" for h, lo in pairs], pa.string())


def _connection() -> duckdb.DuckDBPyConnection:
    """One in-memory DuckDB a thread, single-threaded itself: the kernels are the threads."""
    if not hasattr(_LOCAL, "connection"):
        _LOCAL.connection = duckdb.connect(config={"threads": 1})
    return _LOCAL.connection
