"""A folder for compiled code where the usual ones cannot be written. Floor 4.

Numba keeps what it compiled beside the code, else in the user's cache folder, and refuses to start where it can write
neither: a service without a home, installed by somebody else.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"
PACKAGE = Path(__file__).parents[1]


def ensure_cache() -> None:
    """Name a private temporary folder, removed at the end, unless compiled code can be kept in its usual places."""
    if os.environ.get(VARIABLE) or os.access(PACKAGE, os.W_OK) or _is_writable(_user_cache()):
        return
    folder = tempfile.mkdtemp(prefix="ventstream-cache-")  # only this user may read it: caches are code
    os.environ[VARIABLE] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)


def _user_cache() -> Path:
    named = os.environ.get("XDG_CACHE_HOME")
    return Path(named) if named else Path(os.path.expanduser("~")) / ".cache"  # noqa: PTH111 (never raises)


def _is_writable(folder: Path) -> bool:
    """Whether the folder, or the nearest of its parents that exists, can be written."""
    existing = next((one for one in (folder, *folder.parents) if one.exists()), folder)
    return os.access(existing, os.W_OK)
