"""Where records come from: files, and the events of earlier outputs, read a block at a time.

`find_inputs` says what is there, `split_into_pieces` what one worker reads, `read_blocks` reads it.
"""

from pipelines.inputs.archive import clock_arrivals
from pipelines.inputs.block import Block, InputReadError
from pipelines.inputs.find import InputErrors, InputFile, find_inputs
from pipelines.inputs.pieces import Piece, read_blocks, split_into_pieces

__all__ = [
    "Block",
    "InputErrors",
    "InputFile",
    "InputReadError",
    "Piece",
    "clock_arrivals",
    "find_inputs",
    "read_blocks",
    "split_into_pieces",
]
