"""Samples as lines of JSON over TCP or a serial port: the plainest live source."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import msgspec

from adapters.decoding.columns import conditions_of
from adapters.decoding.contract import ReadOptions
from adapters.decoding.json_fields import Fields
from adapters.decoding.json_stream import Decoder, check_barometer, check_rate_hz
from adapters.devices.conversation import LOST_S, check_lost_s, conversation
from adapters.devices.json_listener import JsonListener
from adapters.devices.transport import await_link, check_baudrate, check_port, check_tcp, open_link
from streamer.model.chunk import Channel, Chunk
from streamer.model.context import Context
from streamer.model.records import Notice
from streamer.model.units import STANDARD_MMHG

BLOCK = 500
"""Samples of a line of the emulator's, at most: three signals of it are some 30 kB."""
_NAMES = {Channel.FLOW: "flow_l_s", Channel.PAW: "paw_cmh2o", Channel.PCO2: "pco2_mmhg"}


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
    told = JsonListener(Decoder(options, live=True))
    link = await_link(settings.port) if settings.listen else open_link(settings.port, baudrate=settings.baudrate)
    return conversation(link, told, lost_s=settings.lost_s)


class Emulator:
    """Says samples in blocks with canonical names; missing ones are null."""

    def __init__(self, rate_hz: float, channels: frozenset[Channel]) -> None:
        del rate_hz, channels

    def hear(self, piece: bytes) -> bytes:
        """The program answers nothing."""
        del piece
        return b""

    def send(self, chunk: Chunk) -> bytes:
        """A line, or several where one would be too long."""
        return b"".join(_block(part) for part in chunk.parts(BLOCK / chunk.rate_hz))


def _block(part: Chunk) -> bytes:
    waves = {_NAMES[name]: samples.tolist() for name, samples in part.channels.items()}
    return msgspec.json.encode({"time_s": part.start_s, "rate_hz": part.rate_hz, **waves}) + b"\n"
