"""Packed files: the bytes in a .gz, or of the one file in a .zip, up to a limit."""

import gzip
import os
import zipfile
import zlib
from pathlib import Path

from slalom.errors import SlalomError

PACKED = (".gz", ".zip")
MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
LIMIT = min(16 * 2**30, MEMORY // 2)  # bytes; a small file can unpack to more than any memory


def unpacked(file: Path) -> tuple[bytes, str]:
    """(the bytes, the name of what was packed). Nothing is written.

    Raises SlalomError where it cannot be read, holds several files, or unpacks to more than half of
    the machine's memory, or 16 GiB.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "a.csv.gz"
    >>> _ = file.write_bytes(gzip.compress(b"a,b"))
    >>> unpacked(file)
    (b'a,b', 'a.csv')
    """
    try:
        data, name = _from_zip(file) if file.suffix.lower() == ".zip" else _from_gzip(file)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        told = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise SlalomError(f"{file} must be a file that can be read. Got: {told}.") from None
    if len(data) > LIMIT:
        raise SlalomError(f"{file} must unpack to at most {LIMIT / 2**30:.0f} GiB. Got more.")
    return data, name


def _from_gzip(file: Path) -> tuple[bytes, str]:
    with gzip.open(file) as packed:
        return packed.read(LIMIT + 1), file.name[: -len(".gz")]


def _from_zip(file: Path) -> tuple[bytes, str]:
    with zipfile.ZipFile(file) as archive:
        names = [one.filename for one in archive.infolist() if not one.is_dir() and not _beside(one.filename)]
        if len(names) != 1:
            listed = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
            raise SlalomError(f"{file} must hold one file. Got {len(names)}{': ' * bool(names)}{listed}.")
        with archive.open(names[0]) as packed:
            return packed.read(LIMIT + 1), Path(names[0]).name


def _beside(name: str) -> bool:
    """Whether a file is one that macOS puts beside others."""
    return name.startswith("__MACOSX/") or Path(name).name == ".DS_Store"
