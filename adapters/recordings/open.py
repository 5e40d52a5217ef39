"""Open a recording of any format, and play it as a source (the adapter ``recording``).

A format is recognised by its content first and by its suffix second. A sidecar ``NAME.toml`` beside the file may add
what the file does not say; a context file overrides both. Pacing is the caller's business.
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
        format: Name of the format, as ``ventstream formats`` lists it; None recognises it.
        rate_hz: Samples per second, where the file does not say.
        context: A TOML file with the tables of a sidecar; it overrides the sidecar.
        barometric_mmhg: Barometric pressure to which CO2 in % refers, mmHg; it overrides what the files state. None:
            as they state, or 760.

    Examples:
        >>> Settings(path=Path("replay_data/pcv.csv")).format is None
        True
    """

    path: Path
    format: str | None = None
    rate_hz: float | None = None
    context: Path | None = None
    barometric_mmhg: float | None = None


async def chunks(settings: Settings) -> AsyncIterator[Chunk | Notice]:
    """Yield the chunks of a recording as fast as the caller asks. Raises ``DecodeError`` or ``ConfigError``."""
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
    """A recording that was recognised and not read yet; ``open_recording`` makes it.

    Attributes:
        path: The file.
        format: Name of its format.
        sidecar: What is known beside the samples: metadata, sidecar and context file, the later winning.
        options: Options of its decoder.
        plain: The file without compression and text encoding.
        hint: What to do where its format was named and does not fit.
        damaged_rows: After ``items``: lines or rows that could not be used.
        dropped_rows: After ``items``: rows left out because their time does not advance.

    Examples:
        >>> recording = open_recording(Path("replay_data/vcv_hold.csv"))
        >>> chunks_found = [item for item in recording.items() if isinstance(item, Chunk)]
        >>> sum(len(chunk) for chunk in chunks_found), chunks_found[0].rate_hz, recording.damaged_rows
        (3750, 50.0, 0)
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
        """After ``items``: channel → the unit in the file, for channels whose unit is not the canonical one."""
        named = {channel: name for channel, name in self.options.units.items() if name != EXACT[channel]}
        return {
            channel: Shown(LABELS[name], *scale(name, self.options.barometric_mmhg)) for channel, name in named.items()
        }

    def items(self) -> Iterator[Chunk | Notice]:
        """Read the recording from the beginning; each call gives the same.

        Yields:
            Chunks in canonical units (cmH2O, L/s, mmHg), and notices, in the order of time.

        Raises:
            DecodeError: There is no usable row, or the rest cannot be read; the samples before it were yielded.
            ConfigError: What the sidecar states does not fit the file.
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
    """Recognise a recording and collect what is known about it. No samples are read yet.

    Args:
        path: A file, or a folder that ``ventstream run`` recorded.
        format_name: Name of the format, where recognition finds another; ``ventstream formats`` lists the names.
        rate_hz: Samples per second; overrides the context file and the sidecar.
        context: Overrides the sidecar: the path of a TOML file with the same tables, or a ``Sidecar``.

    Raises:
        DecodeError: The file cannot be read, is empty or is not recognised; the message is one line with the remedy.
        ConfigError: The format is unknown, the rate is unusable, the sidecar or context file is faulty.

    Examples:
        >>> recording = open_recording(Path("replay_data/vcv_hold.csv"))
        >>> recording.format, recording.sidecar.context.mode, recording.sidecar.recording.rate_hz
        ('csv', 'vcv', 50.0)
        >>> open_recording(Path("replay_data/vcv_hold.cvs"))
        Traceback (most recent call last):
            ...
        streamer.model.errors.DecodeError: ...: cannot be read: ...; did you mean 'vcv_hold.csv'?
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
    """The options of a decoder, from the sidecar and the command line."""
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
