"""Compiled programs kept on disk between runs: files named by what they were compiled from, removed when too many."""

import contextlib
import hashlib
import os
import re
import stat
import sys
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

LARGEST = 256 * 2**20  # bytes
SWITCH = "SLALOM_CACHE"  # a folder, or "off"
SUM = 16  # bytes of the checksum in front of a file


def folder() -> Path | None:
    """Where programs are kept: $SLALOM_CACHE, or `slalom` in the user's cache folder; None where that is switched off.

    Off on macOS unless a folder is named: loading a kept program is known to crash there (JAX's issue tracker).
    """
    named = os.environ.get(SWITCH, "")
    if named.lower() in ("off", "0", "no", "false") or (sys.platform == "darwin" and not named):
        return None
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    if not os.path.isabs(home):  # a user without a home
        return None
    return Path(home) / "slalom" / "programs"


def read(key: str) -> list[bytes] | None:
    """The blobs kept under a key; None where there are none, or where they are not whole.

    What is kept is code: a folder that others can write to, or that belongs to somebody else, is not read.
    """
    where = folder()
    if where is None or not _ours(where):
        return None
    with contextlib.suppress(OSError, ValueError, zlib.error):
        file = where / key
        whole = file.read_bytes()
        if hashlib.blake2b(whole[SUM:], digest_size=SUM).digest() != whole[:SUM]:
            return None
        with contextlib.suppress(OSError):  # on a disk that can only be read
            os.utime(file)  # what is used stays longest
        return _unpacked(zlib.decompress(whole[SUM:]))
    return None


def write(key: str, blobs: Sequence[bytes]) -> None:
    """Keep blobs under a key, whole or not at all; where that cannot be done nothing is said."""
    where = folder()
    if where is None:
        return
    with contextlib.suppress(OSError):
        where.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not _ours(where):
            return
        packed = zlib.compress(_packed(blobs), 1)
        with tempfile.NamedTemporaryFile(dir=where, prefix=".", delete=False) as file:
            made = Path(file.name)
            try:
                file.write(hashlib.blake2b(packed, digest_size=SUM).digest() + packed)
                file.close()
                os.replace(made, where / key)
            except BaseException:
                made.unlink(missing_ok=True)
                raise
        _prune(where)


def forget(key: str) -> None:
    """Remove what is kept under a key."""
    where = folder()
    if where is not None:
        with contextlib.suppress(OSError):
            (where / key).unlink(missing_ok=True)


def _ours(where: Path) -> bool:
    """Whether the folder is there, belongs to this user, and nobody else can write to it."""
    try:
        about = where.stat()
    except OSError:
        return False
    mine = not hasattr(os, "getuid") or about.st_uid == os.getuid()
    return mine and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _packed(blobs: Sequence[bytes]) -> bytes:
    """Blobs with their lengths in front of them.

    >>> _unpacked(_packed([b"ab", b"", b"c"]))
    [b'ab', b'', b'c']
    """
    return b"".join([len(blob).to_bytes(8, "little") + blob for blob in blobs])


def _unpacked(whole: bytes) -> list[bytes]:
    blobs, place = [], 0
    while place < len(whole):
        length = int.from_bytes(whole[place : place + 8], "little")
        blobs.append(whole[place + 8 : place + 8 + length])
        place += 8 + length
    return blobs


def _prune(where: Path) -> None:
    """Remove the programs that were not used for longest, down to LARGEST bytes in all; no other file is touched."""
    kept = [file for file in where.iterdir() if re.fullmatch(r"[0-9a-f]{40}", file.name) and file.is_file()]
    files = sorted(kept, key=lambda file: file.stat().st_mtime)
    size = sum(file.stat().st_size for file in files)
    for file in files:
        if size <= LARGEST:
            return
        size -= file.stat().st_size
        file.unlink(missing_ok=True)
