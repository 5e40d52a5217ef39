"""Puritan Bennett 840 at its serial port: the lines of ``formats.pb840``, live; and an emulator of it."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal

from adapters.decoding.contract import ReadOptions
from adapters.decoding.resample import Regrid
from adapters.devices.conversation import LOST_S, check_lost_s, conversation
from adapters.devices.line_listener import LineListener
from adapters.devices.transport import check_baudrate, check_port, open_link
from adapters.formats.pb840 import RATE_HZ, Decoder
from streamer.model.chunk import Channel, Chunk
from streamer.model.errors import ConfigError
from streamer.model.records import Notice
from streamer.model.units import S_PER_MIN

TURN_L_S = 0.05
"""Flow that makes a breath mark of the emulator's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options of a live source.

    Attributes:
        port: The serial port, or ``tcp://HOST:PORT`` of a serial-to-network converter.
        baudrate: As set on the ventilator; waveforms need 38400.
        bytesize: Data bits, likewise.
        parity: Likewise.
        lost_s: Silence after which the port is opened again.

    Raises:
        ConfigError: No such port can be.
    """

    port: str
    baudrate: int = 38_400
    bytesize: Literal[7, 8] = 8
    parity: Literal["N", "E", "O"] = "N"
    lost_s: float = LOST_S

    def __post_init__(self) -> None:
        check_port(self.port)
        check_baudrate(self.baudrate)
        check_lost_s(self.lost_s)


def chunks(settings: Settings) -> AsyncGenerator[Chunk | Notice]:
    """What the ventilator sends, until it is gone. Raises ``SourceLost``."""
    link = open_link(settings.port, baudrate=settings.baudrate, bytesize=settings.bytesize, parity=settings.parity)
    decoder = Decoder(ReadOptions(), live=True)
    expected = f"'flow, pressure' lines at {settings.baudrate} baud, {settings.bytesize}{settings.parity}1"
    return conversation(link, LineListener(decoder, RATE_HZ, expected), lost_s=settings.lost_s)


class Emulator:
    """Says what a PB 840 would. Breath marks go by the sign of flow: readers of ours ignore them."""

    def __init__(self, rate_hz: float, channels: frozenset[Channel]) -> None:
        del rate_hz
        missing = {Channel.FLOW, Channel.PAW} - channels
        if missing:
            raise ConfigError(
                f"a PB 840 sends flow and pressure; the recording has no {' and no '.join(sorted(missing))}"
            )
        self._rows = Regrid(RATE_HZ, (Channel.FLOW, Channel.PAW))
        self._breaths = 0
        self._inspires = False

    def hear(self, piece: bytes) -> bytes:
        """The ventilator answers nothing."""
        del piece
        return b""

    def send(self, chunk: Chunk) -> bytes:
        """Lines; none for what is missing."""
        said = []
        for flow, paw in self._rows.push(chunk):
            if not math.isfinite(flow + paw):
                continue
            if not self._breaths or (flow > TURN_L_S and not self._inspires):
                said.append("BE\n" if self._breaths else "")
                self._breaths += 1
                said.append(f"BS, S:{self._breaths},\n")
            self._inspires = flow > -TURN_L_S and (self._inspires or flow > TURN_L_S)
            said.append(f"{flow * S_PER_MIN:.2f}, {paw:.2f}\n")
        return "".join(said).encode("ascii")
