"""From a file or a frame to numbers: reading, columns, the target, and which rows serve what."""

from slalom.data.apart import split_by_group, split_by_time
from slalom.data.base import Table
from slalom.data.columns import Columns
from slalom.data.encoded import Encoded
from slalom.data.frames import frame_of
from slalom.data.pieces import pieces
from slalom.data.read import read
from slalom.data.split import Split, split, split_given
from slalom.data.target import Target, find_target

__all__ = [
    "Columns",
    "Encoded",
    "Split",
    "Table",
    "Target",
    "find_target",
    "frame_of",
    "pieces",
    "read",
    "split",
    "split_by_group",
    "split_by_time",
    "split_given",
]
