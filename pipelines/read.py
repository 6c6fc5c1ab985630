"""The source of batch: files, and the events of earlier outputs, as blocks of records."""

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam

from pipelines.inputs import Block, Piece, read_blocks


class BlockCoder(beam.coders.Coder):
    """Blocks stay within a worker: this is for Beam's metrics, and runners that do not fuse."""

    def encode(self, value: Block) -> bytes:
        """Pickled."""
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)

    def decode(self, encoded: bytes) -> Block:
        """The block of such bytes, which only a worker of the same job has written."""
        block: Block = pickle.loads(encoded)  # noqa: S301 - written by this job's own workers
        return block

    def estimate_size(self, value: Block) -> int:
        """For Beam's metrics, which would encode 32 MiB just to measure them."""
        return value.size

    def is_deterministic(self) -> bool:
        """Blocks are values, never keys."""
        return False

    def to_type_hint(self) -> type:
        """The type this coder is for."""
        return Block


beam.coders.registry.register_coder(Block, BlockCoder)


@dataclass
class ReadFiles(beam.PTransform):
    """Pieces of inputs → blocks of about `block_bytes`. Holds a block at a time."""

    pieces: Sequence[Piece]
    block_bytes: int

    def expand(self, pbegin: beam.pvalue.PBegin) -> beam.PCollection:
        """An element for each piece of a file, spread over the workers."""
        return (
            pbegin
            | "Pieces" >> beam.Create(self.pieces)
            | "Blocks" >> beam.ParDo(_ReadPiece(self.block_bytes)).with_output_types(Block)
        )


@dataclass
class _ReadPiece(beam.DoFn):
    block_bytes: int

    def process(self, piece: Piece) -> Iterator[Block]:
        yield from read_blocks(piece, self.block_bytes)
