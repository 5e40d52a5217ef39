"""Samples as lines of JSON over TCP, or from a file: the plainest live source, for programs that have samples already.

A line is one sample, ``{"time_s": 1.23, "flow_l_s": 0.41, "paw_cmh2o": 12.5, "pco2_mmhg": null}``, or a block,
``{"time_s": 1.2, "rate_hz": 100, "flow_l_s": [0.41, 0.42], …}``. Another program's names are mapped by ``columns``;
objects without any of them are about something else and left out. Without times the count of samples is the clock and
needs a rate; then silence of more than a second is a gap of its length.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import msgspec

from adapters._columns import conditions_of
from adapters._json_samples import Fields, Unusable
from adapters._json_stream import STRANGE, Decoder, Told, check_barometer, check_rate_hz
from adapters._link import await_link, check_baudrate, check_port, check_tcp, open_link
from adapters._live import LOST_S, check_lost_s, conversation
from adapters._text import BOM
from adapters.formats import ReadOptions
from streamer.chunk import Channel, Chunk
from streamer.context import Context, Sidecar
from streamer.records import Notice
from streamer.units import STANDARD_MMHG

__all__ = ["Decoder", "Emulator", "Settings", "chunks", "recognise", "told"]

BLOCK = 500
"""Samples of a line of the emulator's, at most: three signals of it are some 30 kB."""
_NAMES = {Channel.FLOW: "flow_l_s", Channel.PAW: "paw_cmh2o", Channel.PCO2: "pco2_mmhg"}


def told(head: bytes, options: ReadOptions) -> Sidecar:
    """Whether flow of a recorded file is of standard gas."""
    fields = Fields(options.columns, options.barometric_mmhg)
    for line in head.removeprefix(BOM).splitlines()[:STRANGE]:
        try:
            names = fields.read(line.strip()).names
        except Unusable:
            continue
        if names:
            return Sidecar(context=conditions_of(names))
    return Sidecar()


def recognise(head: bytes, name: str) -> bool:
    """Whether the first line is an object with a waveform under its canonical name."""
    del name
    first = next(iter(head.removeprefix(BOM).lstrip().splitlines()), b"")
    try:
        return first.startswith(b"{") and bool(Fields({}).read(first.rstrip()).waveforms)
    except Unusable:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options of a live source.

    Attributes:
        port: ``tcp://HOST:PORT`` where the other program listens, or a serial port.
        rate_hz: Samples per second, where the lines bring neither times nor rates.
        columns: Path of a field → canonical name, as ``{ "resp.flow" = "flow_l_min", "ts" = "time_ms" }``; empty:
            the fields have canonical names.
        listen: Whether the other program connects to us, at ``port``, and not we to it. Whoever reaches that port
            speaks for the device: keep it on loopback, or on a network of its own.
        baudrate: Of a serial port.
        lost_s: Silence after which the connection is made again.
        barometric_mmhg: What CO2 in % is a share of; None: as the bed's context says, or 760.

    Raises:
        ConfigError: An option that cannot be used.
    """

    port: str
    rate_hz: float | None = None
    columns: dict[str, str] = field(default_factory=dict)
    listen: bool = False
    baudrate: int = 115_200
    lost_s: float = LOST_S
    barometric_mmhg: float | None = None

    def __post_init__(self) -> None:
        (check_tcp if self.listen else check_port)(self.port)
        check_baudrate(self.baudrate)
        check_rate_hz(self.rate_hz)
        check_lost_s(self.lost_s)
        check_barometer(self.barometric_mmhg)
        Fields(self.columns)

    @property
    def says(self) -> Context:
        """What ``columns`` say of the gas: flow in slm is of dry standard gas."""
        return conditions_of(self.columns.values())


def chunks(settings: Settings) -> AsyncGenerator[Chunk | Notice]:
    """What the other program sends, until it is gone. Raises ``SourceLost`` or ``DecodeError``."""
    options = ReadOptions(
        rate_hz=settings.rate_hz,
        columns=settings.columns,
        barometric_mmhg=settings.barometric_mmhg or STANDARD_MMHG,
    )
    told = Told(Decoder(options, live=True))
    link = await_link(settings.port) if settings.listen else open_link(settings.port, baudrate=settings.baudrate)
    return conversation(link, told, lost_s=settings.lost_s)


class Emulator:
    """Says samples in blocks with canonical names; missing ones are null."""

    def __init__(self, rate_hz: float, channels: frozenset[Channel]) -> None:
        del rate_hz, channels

    def hear(self, piece: bytes) -> bytes:
        """It listens to nobody."""
        del piece
        return b""

    def send(self, chunk: Chunk) -> bytes:
        """A line, or several where one would be too long."""
        return b"".join(_block(part) for part in chunk.parts(BLOCK / chunk.rate_hz))


def _block(part: Chunk) -> bytes:
    waves = {_NAMES[name]: samples.tolist() for name, samples in part.channels.items()}
    return msgspec.json.encode({"time_s": part.start_s, "rate_hz": part.rate_hz, **waves}) + b"\n"
