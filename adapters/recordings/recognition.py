"""Which format a file has: by its content, by what is around it, by its name."""

from __future__ import annotations

import difflib
import stat
from pathlib import Path

from adapters.decoding import file_kinds as containers
from adapters.decoding.columns import MAPPING
from adapters.decoding.contract import HEAD
from adapters.decoding.unwrap import GZIP, Plain, unwrapped
from adapters.formats import formats, named
from streamer.model.errors import DecodeError

_TABLES = {".csv", ".tsv", ".txt"}
"""Suffixes of text that is a table as soon as somebody says which of its columns are which."""
_EMPTY = "is empty: export or copy it again"
_REMEDY = "name its format with --format; ventstream formats lists what can be read"


def unwrapped_head(path: Path, head: bytes, wanted: str | None) -> tuple[Plain, bytes, str | None]:
    """What is around the file, if no format knows it as it is, its first bytes without that, and whose they are."""
    name = _by_content(head, path.name, wanted)
    if name or path.is_dir():
        return Plain(path), head, name
    plain, inside = unwrapped(path, head, HEAD)
    if plain.is_packed and inside.startswith(GZIP):
        raise DecodeError("is compressed twice; unpack it once")
    if not inside:
        raise DecodeError((plain.fault and f"is compressed, but damaged: {plain.fault}") or _EMPTY)
    is_wrapped = plain.is_packed or plain.encoding
    return plain, inside, _by_content(inside, plain.name, wanted) if is_wrapped else None


def _by_content(head: bytes, file_name: str, wanted: str | None) -> str | None:
    """The format, or the one that is wanted, that knows the beginning."""
    choices = formats().items() if wanted is None else [(wanted, named(wanted))]
    return next((name for name, known in choices if known.load().recognise(head, file_name)), None)


def head_of(path: Path) -> bytes:
    """The first bytes of a file that could be a recording. Raises ``DecodeError`` for one that could not."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise DecodeError(f"{path}: is a folder; name a file in it")
        if not stat.S_ISREG(mode):
            raise DecodeError(f"{path}: is not a regular file; recordings are read from files")
        with path.open("rb") as file:
            head = file.read(HEAD)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        if isinstance(error, DecodeError):
            raise
        reason = f"{str(path)!r}: cannot be read: {getattr(error, 'strerror', None) or error}"
        raise DecodeError(reason + (_meant(path) if isinstance(error, FileNotFoundError) else "")) from None
    if not head:
        raise DecodeError(f"{path}: {_EMPTY}")
    return head


def _meant(path: Path) -> str:
    """The file beside it whose name is the nearest."""
    if path.is_symlink():
        return "; it is a link to what is not there"
    try:
        near = difflib.get_close_matches(path.name, [one.name for one in path.parent.iterdir()], n=1)
    except OSError:
        return f"; there is no folder {path.parent}"
    return f"; did you mean {near[0]!r}?" if near else ""


def hint_of(head: bytes, plain: Plain, wanted: str) -> str:
    """What to do where its beginning is not that of the format that was named."""
    found = _by_content(head, plain.name, None)
    return f"; leave out --format {wanted}" + (f": it is read as {found} then" if found else "")


def format_by_name(head: bytes, plain: Plain, wanted: str | None, *, mapped: bool) -> str:
    """The format that is wanted, or that files of this name have. Raises ``DecodeError`` for what is no recording."""
    if what := containers.named(head):
        raise DecodeError(what)
    if wanted is not None:
        return wanted
    suffix = Path(plain.name).suffix.lower()
    if mapped and suffix in _TABLES:
        return "csv"
    for name, known in formats().items():
        if suffix in known.suffixes:
            return name
    header = plain.path.with_suffix(".hea")
    if header != plain.path and header.is_file():
        raise DecodeError(f"may hold the signals of a WFDB record; name its header, {header.name}")
    if mapped and containers.is_text(head):
        return "csv"
    table = f"if it is a table, give {MAPPING} {plain.path.stem}.toml; else " if containers.is_text(head) else ""
    raise DecodeError(f"not a recording that is known ({containers.described(head)}); {table}{_REMEDY}")
