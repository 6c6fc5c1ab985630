"""How record batches travel between workers: as Arrow IPC streams, compressed.

Beam would pickle them otherwise, and a pickled slice takes its whole parent along.
"""

import apache_beam as beam
import pyarrow as pa

# Arrow's threads cost more than they save on batches of this size
_WRITE = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
_READ = pa.ipc.IpcReadOptions(use_threads=False)


def to_bytes(batch: pa.RecordBatch) -> bytes:
    """One record batch as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=_WRITE) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def from_bytes(encoded: bytes) -> pa.RecordBatch:
    """The record batch of an Arrow IPC stream."""
    return pa.ipc.open_stream(encoded, options=_READ).read_next_batch()


class RecordBatchCoder(beam.coders.Coder):
    """Arrow IPC for `pa.RecordBatch`; registered for that type when this module is imported."""

    def encode(self, value: pa.RecordBatch) -> bytes:
        """See `to_bytes`."""
        return to_bytes(value)

    def decode(self, encoded: bytes) -> pa.RecordBatch:
        """See `from_bytes`."""
        return from_bytes(encoded)

    def estimate_size(self, value: pa.RecordBatch) -> int:
        """For Beam's metrics, which would encode the batch just to measure it."""
        return int(value.get_total_buffer_size())

    def is_deterministic(self) -> bool:
        """Batches are values, never keys."""
        return False

    def to_type_hint(self) -> type:
        """The type this coder is for."""
        return pa.RecordBatch


beam.coders.registry.register_coder(pa.RecordBatch, RecordBatchCoder)
