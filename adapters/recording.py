"""Recorded sessions, any format of ``formats.py``: an adapter, and ``open_recording`` for the commands.

A format is recognised from the content first, by suffix second. What the file does not say may stand in a sidecar
``NAME.toml`` beside it, or in a context file, which wins. Pacing is not done here.
"""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters._alternate import alternated
from adapters._sidecar import find_sidecar, merged
from adapters._text import BLOCK
from adapters.formats import FORMATS, HEAD, MANIFEST, Decoder, ReadOptions, TextTable, named
from streamer.chunk import MAX_RATE_HZ, MIN_RATE_HZ, Chunk
from streamer.context import Sidecar
from streamer.errors import ConfigError, DecodeError
from streamer.records import Notice
from streamer.sidecar import read_sidecar
from streamer.units import STANDARD_MMHG

_PACKED = {
    b"\x1f\x8b": "gzip-compressed",
    b"PK\x03\x04": "a ZIP archive",
    b"BZh": "bzip2-compressed",
    b"\xfd7zXZ": "xz-compressed",
    b"\x28\xb5\x2f\xfd": "zstd-compressed",
}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_TABLES = {".csv", ".tsv", ".txt"}
"""Suffixes of text that is a table as soon as somebody says which of its columns are which."""
_REMEDY = "name its format with --format; ventstream formats lists what can be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options of a ``recording`` source.

    Attributes:
        path: The file.
        format: A name of ``formats.py``; None recognises it.
        rate_hz: Samples per second, where the file does not say.
        context: A TOML file like a sidecar that overrides it.
    """

    path: Path
    format: str | None = None
    rate_hz: float | None = None
    context: Path | None = None


async def chunks(settings: Settings) -> AsyncIterator[Chunk | Notice]:
    """The recording's chunks, as fast as they are asked for. Raises ``DecodeError`` or ``ConfigError``."""
    recording = open_recording(
        Path(settings.path), format=settings.format, rate_hz=settings.rate_hz, context=settings.context
    )
    for item in recording.items():
        yield item
        await asyncio.sleep(0)  # a block takes some 10 ms; others get their turn between two


@dataclass
class Recording:
    """A recording that was recognised and not read yet.

    Attributes:
        path: The file.
        format: Name of its format.
        sidecar: What is known beside the samples: metadata, sidecar and context file, the later winning.
        options: What its decoder is told.
        damaged_rows: After ``items``: lines or rows that could not be used.
        dropped_rows: After ``items``: rows left out because their time does not advance.
    """

    path: Path
    format: str
    sidecar: Sidecar
    options: ReadOptions
    damaged_rows: int = field(default=0, init=False)
    dropped_rows: int = field(default=0, init=False)

    def items(self) -> Iterator[Chunk | Notice]:
        """Chunks and notices from the beginning, every time the same.

        Raises:
            DecodeError: There is no usable row, or the rest cannot be read; what was good has been given before.
        """
        self.damaged_rows = self.dropped_rows = 0
        module = FORMATS[self.format].load()
        try:
            found = module.read(self.path, self.options) if hasattr(module, "read") else self._decoded(module)
            for item in found if hasattr(module, "KEEPS_ORDER") else alternated(found):
                if isinstance(item, Notice) and "damaged_rows" in item.values:
                    self.damaged_rows = int(item.values["damaged_rows"])
                    self.dropped_rows = int(item.values["dropped_rows"])
                yield item
        except DecodeError as error:
            raise DecodeError(f"{self.path}: {error}") from None
        except ConfigError as error:
            raise ConfigError(f"{self.path}: {error}") from None
        except OSError as error:
            raise DecodeError(f"{self.path}: cannot be read: {error.strerror or error}") from None

    def _decoded(self, module: Any) -> Iterator[Chunk | Notice]:
        decoder: Decoder = module.Decoder(self.options)
        with self.path.open("rb") as file:
            while block := file.read(BLOCK):
                yield from decoder.feed(block)
        yield from decoder.close()


def open_recording(
    path: Path,
    *,
    format: str | None = None,  # noqa: A002 (the option's name)
    rate_hz: float | None = None,
    context: Path | Sidecar | None = None,
) -> Recording:
    """Recognise a recording and collect what is known about it.

    Args:
        path: A file.
        format: Its format's name, when it is known better.
        rate_hz: Samples per second; before the context file's, before the sidecar's.
        context: What overrides its sidecar: a TOML file like one, or what was read from one.

    Raises:
        DecodeError: It cannot be read, is empty or is not recognised; one line that says what to do.
        ConfigError: An unknown format, an unusable rate, a faulty sidecar or context file.
    """
    if rate_hz is not None and not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise ConfigError(f"a rate of {rate_hz:g} Hz cannot be used; it must be {MIN_RATE_HZ:g}-{MAX_RATE_HZ:g} Hz")
    folder = path / MANIFEST
    head = _head(folder if folder.is_file() else path)
    known = (find_sidecar(path), context)
    beside = [read_sidecar(one) if isinstance(one, Path) else one for one in known if one is not None]
    name = format or _recognised(head, path, mapped=any(told.recording.columns for told in beside))
    module = named(name).load()
    if format and not module.recognise(head, path.name):
        _refuse_wrapped(head, path)
    stated = _all(Sidecar(), beside)
    sidecar = _all(_inside(module, path, head, _options(stated, rate_hz)), beside)
    return Recording(path, name, sidecar, _options(sidecar, rate_hz))


def _all(sidecar: Sidecar, beside: Sequence[Sidecar]) -> Sidecar:
    """Each wins over those before it."""
    for told in beside:
        sidecar = merged(sidecar, told)
    return sidecar


def _options(stated: Sidecar, rate_hz: float | None) -> ReadOptions:
    """What a decoder is told."""
    return ReadOptions(
        rate_hz=rate_hz or stated.recording.rate_hz,
        columns=stated.recording.columns or {},
        barometric_mmhg=stated.context.barometric_mmhg or STANDARD_MMHG,
        table=TextTable(**{name: getattr(stated.recording, name) for name in TextTable.__slots__}),
    )


def _inside(module: Any, path: Path, head: bytes, options: ReadOptions) -> Sidecar:
    """What the file itself carries of a sidecar. A file whose samples cannot be read says so when they are."""
    try:
        if hasattr(module, "notes"):
            found: Sidecar = module.notes(path, options)
        elif hasattr(module, "told"):
            found = module.told(head, options)
        else:
            found = Sidecar()
    except DecodeError as error:
        raise DecodeError(f"{path}: {error}") from None
    return found


def _head(path: Path) -> bytes:
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
        raise DecodeError(f"{str(path)!r}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not head:
        raise DecodeError(f"{path}: is empty")
    return head


def _recognised(head: bytes, path: Path, *, mapped: bool) -> str:
    for name, known in FORMATS.items():
        if known.load().recognise(head, path.name):
            return name
    _refuse_wrapped(head, path)
    if mapped and path.suffix.lower() in _TABLES:
        return "csv"
    for name, known in FORMATS.items():
        if path.suffix.lower() in known.suffixes:
            return name
    header = path.with_suffix(".hea")
    if header != path and header.is_file():
        raise DecodeError(f"{path}: may hold the signals of a WFDB record; name its header, {header.name}")
    start = head[:24].decode("ascii", "backslashreplace")
    raise DecodeError(f"{path}: not a recording that is known (it begins with {start!r}); {_REMEDY}")


def _refuse_wrapped(head: bytes, path: Path) -> None:
    """Say what is around the recording, where something is. Raises ``DecodeError``."""
    for magic, what in _PACKED.items():
        if head.startswith(magic):
            raise DecodeError(f"{path}: is {what}; unpack it first")
    halves = (any(head[0:64:2]), any(head[1:64:2]))
    if head.startswith(_UTF16) or (len(head) > 1 and halves in {(True, False), (False, True)}):
        is_wider = sum(any(head[at:64:4]) for at in range(4, 8)) == 1
        raise DecodeError(f"{path}: is UTF-{32 if is_wider else 16} text; save it as UTF-8")
