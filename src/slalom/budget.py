"""What a race takes of memory, by arithmetic alone, and what a limit on it leaves for racers and their calls."""

import math
import re
from typing import Any

from slalom.errors import SlalomError, wrong

BASE = 700e6  # bytes of Python, JAX, its compilers and the programs of a race
BYTES_OF_RACERS = 2e9  # of the weights and memories of all racers together, where no limit says less
BYTES_A_PARAMETER = 20  # weights, up to three memories of a rule, the best weights
CALLS = 0.25  # of what the table leaves, at most, for calls of more than one lane
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def size_of(given: Any) -> int:
    """A size in bytes, given as a number of them or as text (SlalomError).

    >>> size_of("4GB"), size_of("1.5 MiB"), size_of(700_000_000)
    (4000000000, 1572864, 700000000)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", given) if isinstance(given, str) else None
    unit = found[2].upper() if found else ""
    if found and unit in UNITS and 1 <= float(found[1]) * UNITS[unit] < 2**60:
        return int(float(found[1]) * UNITS[unit])
    if not isinstance(given, str | bool) and isinstance(given, int) and 0 < given < 2**60:
        return given
    raise wrong("memory", 'a size such as "4GB" or "500MB", or a number of bytes', given)


def said(size: float) -> str:
    """A need or a limit in bytes as people say it, rounded up.

    >>> said(1_234_000_001), said(700e6)
    ('1,235 MB', '700 MB')
    """
    return f"{math.ceil(size / 1e6):,} MB"


def left_out(limit: int | None, read: int, variant: int, kept: int, spare: int) -> tuple[int, float]:
    """(how many of the spare variants of a table are left out so that it fits, bytes that it leaves below the limit);
    SlalomError with the need where it does not fit without them.

    read: bytes of the rows as they came, which are there until the last variant is. variant: bytes of one; kept: how
    many are needed; spare: how many are not.

    >>> left_out(1_000_000_000, 0, 50_000_000, 2, 8)
    (4, 0.0)
    """
    if limit is None:
        return 0, math.inf
    need = BASE + read + kept * variant
    if need > limit:
        raise SlalomError(
            f"memory must be at least {said(need)} for this table. Got {said(limit)}. Give more, or fewer rows or"
            " columns."
        )
    fitting = min(spare, int((limit - need) // max(variant, 1)))
    return spare - fitting, limit - BASE - (kept + fitting) * variant


def lane_bytes(width: int, parameters: int, activations: int) -> int:
    """What one lane takes while a call runs: its weights and memories twice, and the activations of a batch, of so many
    numbers a racer."""
    return 4 * width * (8 * parameters + 3 * activations)


def lanes_of(room: float, most: int, bytes_a_lane: int, workers: int) -> int:
    """The lanes of a call, a power of two, of which as many calls as there are workers fit into their share.

    >>> lanes_of(math.inf, 16, 10**6, 2), lanes_of(32e6, 16, 10**6, 2), lanes_of(0, 16, 10**6, 2)
    (16, 4, 1)
    """
    while most > 1 and most * bytes_a_lane * workers > CALLS * room:
        most //= 2
    return most


def racers_of(room: float, parameters: int, bytes_a_lane: int, workers: int) -> int:
    """How many racers of so many parameters there may be at a time beside the calls.

    >>> racers_of(math.inf, 10**6, 10**6, 2), racers_of(22e6, 10**6, 10**6, 2), racers_of(1e6, 10**6, 10**6, 2)
    (100, 1, 0)
    """
    beside = min(room - workers * bytes_a_lane, BYTES_OF_RACERS)
    return max(0, int(beside / (BYTES_A_PARAMETER * parameters)))
