"""Recorded sessions, any format of ``formats.py``: an adapter, and ``open_recording`` for the commands.

A format is recognised from the content first, by suffix second. What the file does not say may stand in a sidecar
``NAME.toml`` beside it, or in a context file, which wins. Pacing is not done here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from adapters.decoding.columns import EXACT, scale
from adapters.decoding.contract import Decoder, ReadOptions, TextTable
from adapters.decoding.flow_from_volume import FLOW_FROM_VOLUME, NOTE
from adapters.decoding.stamps import LOCAL_TIME
from adapters.decoding.unwrap import Plain
from adapters.formats import MANIFEST, formats, named
from adapters.recordings.interleave import alternated
from adapters.recordings.recognition import format_by_name, head_of, hint_of, unwrapped_head
from streamer.files.sidecar import read_sidecar
from streamer.files.sidecar_files import find_sidecar, merged
from streamer.model.chunk import MAX_RATE_HZ, MIN_RATE_HZ, Channel, Chunk
from streamer.model.context import Sidecar
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.records import Notice, NoticeKind
from streamer.model.units import LABELS, STANDARD_MMHG
from streamer.model.zones import dated

_FIXED = "what the signals of this format are is fixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options of a ``recording`` source.

    Attributes:
        path: The file.
        format: A name of ``formats.py``; None recognises it.
        rate_hz: Samples per second, where the file does not say.
        context: A TOML file like a sidecar that overrides it.
        barometric_mmhg: What CO2 in % is a share of, before any file; None: as they say, or 760.
    """

    path: Path
    format: str | None = None
    rate_hz: float | None = None
    context: Path | None = None
    barometric_mmhg: float | None = None


async def chunks(settings: Settings) -> AsyncIterator[Chunk | Notice]:
    """The recording's chunks, as fast as they are asked for. Raises ``DecodeError`` or ``ConfigError``."""
    recording = open_recording(
        Path(settings.path), format_name=settings.format, rate_hz=settings.rate_hz, context=settings.context
    )
    if settings.barometric_mmhg is not None:
        recording.options = replace(recording.options, barometric_mmhg=settings.barometric_mmhg)
    for item in recording.items():
        yield item
        await asyncio.sleep(0)  # a block takes some 10 ms; others get their turn between two


class Shown(NamedTuple):
    """A unit of a file: how it is written, and multiplier and divisor from it to the canonical unit."""

    label: str
    multiplier: float
    divisor: float


@dataclass
class Recording:
    """A recording that was recognised and not read yet.

    Attributes:
        path: The file.
        format: Name of its format.
        sidecar: What is known beside the samples: metadata, sidecar and context file, the later winning.
        options: What its decoder is told.
        plain: The file without what is around it.
        hint: What to do where its format was named and does not fit.
        damaged_rows: After ``items``: lines or rows that could not be used.
        dropped_rows: After ``items``: rows left out because their time does not advance.
    """

    path: Path
    format: str
    sidecar: Sidecar
    options: ReadOptions
    plain: Plain
    hint: str = ""
    damaged_rows: int = field(default=0, init=False)
    dropped_rows: int = field(default=0, init=False)

    @property
    def units(self) -> dict[Channel, Shown]:
        """After ``items``: channel → the file's own unit, where it has another than the canonical one."""
        named = {channel: name for channel, name in self.options.units.items() if name != EXACT[channel]}
        return {
            channel: Shown(LABELS[name], *scale(name, self.options.barometric_mmhg)) for channel, name in named.items()
        }

    def items(self) -> Iterator[Chunk | Notice]:
        """Chunks and notices from the beginning, every time the same.

        Raises:
            DecodeError: There is no usable row, or the rest cannot be read; what was good has been given before.
        """
        self.damaged_rows = self.dropped_rows = 0
        if any(text.startswith(FLOW_FROM_VOLUME) for text in self.sidecar.recording.doubts):
            yield NOTE
        module = formats()[self.format].load()
        try:
            found = self._read(module) if hasattr(module, "read") else self._decoded(module)
            if self.options.columns and formats()[self.format].is_fixed:
                yield Notice(bed="", at_s=0.0, kind=NoticeKind.NOTE, detail=f"columns are not used: {_FIXED}")
            for item in found if hasattr(module, "KEEPS_ORDER") else alternated(found):
                if isinstance(item, Notice) and item.values.get("assumes") == LOCAL_TIME and self._is_dated:
                    continue
                if isinstance(item, Notice) and "damaged_rows" in item.values:
                    self.damaged_rows = int(item.values["damaged_rows"])
                    self.dropped_rows = int(item.values["dropped_rows"])
                yield item
            self.damaged_rows += bool(self.plain.fault)
        except DecodeError as error:
            raise DecodeError(f"{self.path}: {error}{self.hint}") from None
        except ConfigError as error:
            raise ConfigError(f"{self.path}: {error}") from None
        except OSError as error:
            raise DecodeError(f"{self.path}: cannot be read: {error.strerror or error}") from None

    @property
    def _is_dated(self) -> bool:
        """Whether the start is known in UTC: a zone that was stated answers what a reader says of local times."""
        return self.sidecar.recording.start_utc is not None

    def _decoded(self, module: Any) -> Iterator[Chunk | Notice]:
        decoder: Decoder = module.Decoder(self.options)
        end_s = 0.0
        for block in self.plain.pieces():
            for item in decoder.feed(block):
                end_s = item.start_s + len(item) / item.rate_hz if isinstance(item, Chunk) else end_s
                yield item
        yield from decoder.close()
        if self.plain.fault:
            what = f"{self.plain.fault}: what stands before is kept"
            yield Notice(bed="", at_s=end_s, kind=NoticeKind.DAMAGED, detail=what)

    def _read(self, module: Any) -> Iterator[Chunk | Notice]:
        with self.plain.file() as path:
            if self.plain.fault:
                raise DecodeError(f"{self.plain.fault}; pack it again")
            yield from module.read(path, self.options)


def open_recording(
    path: Path,
    *,
    format_name: str | None = None,
    rate_hz: float | None = None,
    context: Path | Sidecar | None = None,
) -> Recording:
    """Recognise a recording and collect what is known about it.

    Args:
        path: A file.
        format_name: Of ``formats``, when it is known better.
        rate_hz: Samples per second; before the context file's, before the sidecar's.
        context: What overrides its sidecar: a TOML file like one, or what was read from one.

    Raises:
        DecodeError: It cannot be read, is empty or is not recognised; one line that says what to do.
        ConfigError: An unknown format, an unusable rate, a faulty sidecar or context file.
    """
    if rate_hz is not None and not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise ConfigError(f"a rate of {rate_hz:g} Hz cannot be used; it must be {MIN_RATE_HZ:g}-{MAX_RATE_HZ:g} Hz")
    folder = path / MANIFEST
    head = head_of(folder if folder.is_file() else path)
    known = (find_sidecar(path), context)
    beside = [read_sidecar(one) if isinstance(one, Path) else one for one in known if one is not None]
    stated = _all(Sidecar(), beside)
    hint = ""
    with _named_errors(path):
        plain, head, name = unwrapped_head(path, head, format_name)
        hint = hint_of(head, plain, format_name) if name is None and format_name is not None else ""
        name = name or format_by_name(head, plain, format_name, mapped=stated.recording.columns is not None)
        if (plain.is_packed or plain.encoding) and hasattr(named(name).load(), "NEEDS_NEIGHBOURS"):
            what = "compressed" if plain.is_packed else "text of UTF-16 or UTF-32"
            raise DecodeError(f"is {what}, and is read with the files beside it: unpack all, save them as UTF-8")
    with _named_errors(path, hint):
        inside = _inside(named(name).load(), plain, head, _options(stated, rate_hz))
    sidecar = dated(_all(inside, beside))
    return Recording(path, name, sidecar, _options(sidecar, rate_hz), plain, hint)


@contextmanager
def _named_errors(path: Path, hint: str = "") -> Iterator[None]:
    """Errors about a file say which, and what to do."""
    try:
        yield
    except DecodeError as error:
        raise DecodeError(f"{path}: {error}{hint}") from None


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


def _inside(module: Any, plain: Plain, head: bytes, options: ReadOptions) -> Sidecar:
    """What the file itself carries of a sidecar."""
    if hasattr(module, "notes"):
        with plain.file() as path:
            found: Sidecar = module.notes(path, options)
            return found
    return module.told(head, options) if hasattr(module, "told") else Sidecar()
