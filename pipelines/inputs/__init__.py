"""Where records come from: files, and the events of earlier outputs, read a block at a time.

`find_inputs` says what is there, `split_into_pieces` what one worker reads, `read_blocks` reads it.
"""

from pipelines.inputs.block import Block, InputReadError
from pipelines.inputs.earlier import amount, clock_arrivals, is_live, sources
from pipelines.inputs.event_files import Amount, Needed
from pipelines.inputs.find import InputErrors, InputFile, find_inputs
from pipelines.inputs.pieces import Piece, at_one_moment, read_blocks, split_into_pieces

__all__ = [
    "Amount",
    "Block",
    "InputErrors",
    "InputFile",
    "InputReadError",
    "Needed",
    "Piece",
    "amount",
    "at_one_moment",
    "clock_arrivals",
    "find_inputs",
    "is_live",
    "read_blocks",
    "sources",
    "split_into_pieces",
]
