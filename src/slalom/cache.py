"""Compiled programs kept on disk between runs, so that the same shapes need not be compiled again."""

import contextlib
import os
import sys
from pathlib import Path

LARGEST = 256 * 2**20  # bytes
SWITCH = "SLALOM_CACHE"  # a folder, or "off"


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
    return Path(home) / "slalom" / "programs"


def use() -> Path | None:
    """Let JAX keep compiled programs there, for this process; where that cannot be done nothing is said and all is
    compiled anew. A kept program that does not fit this processor or this JAX is compiled again by JAX itself.

    For the command line: a library must not change its caller's JAX.
    """
    where = folder()
    if where is None:
        return None
    with contextlib.suppress(OSError, RuntimeError):
        where.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(where, os.W_OK):
            return None
        import jax

        jax.config.update("jax_compilation_cache_dir", str(where))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
        _prune(where)
        return where
    return None


def _prune(where: Path) -> None:
    """Remove the programs that were not used for longest, down to LARGEST bytes in all."""
    files = sorted((file for file in where.iterdir() if file.is_file()), key=lambda file: file.stat().st_mtime)
    size = sum(file.stat().st_size for file in files)
    for file in files:
        if size <= LARGEST:
            return
        size -= file.stat().st_size
        file.unlink(missing_ok=True)
