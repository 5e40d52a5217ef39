"""Dräger ventilators over a serial port: MEDIBUS and MEDIBUS.X with realtime data. Flow, pressure, CO2; often 100 Hz.

The dialogue: initialise (51H) → identify (52H) → what realtime data is there (53H) → which of it is wanted (54H) →
enable the streams → records. The device gives the connection up after 3 s without a command: a NOP (30H) goes out
once in each second of samples or of silence. What the device asks is answered, by an echo of its code without data,
which means "known or not, I have nothing to say"; a command with a wrong checksum by 15H.

**Time** is the count of records. A record carries no number and no checksum, so:

- A damaged record keeps its slot as NaN and gives a notice: values missing or too many, a sync byte that became
  something else (the length of what stands between good records says how many they were), the device's own "corrupt
  data" (CFH).
- A value whose bits flipped but not its frame is not noticed, and a whole record that vanished without a trace cannot
  be: time is then short by that sample. A flipped value that looks like the usual sync byte makes it long by one.
- Records that stop while the line is quiet for over a second, or until they are requested again: the next record starts
  later by the time waited, and a notice says so. Records that then come all at once were only late, and make up for it.

The last record waits for the sync byte of the next, or a second of silence. A stream the device stops sending is NaN in
its channel alone.

**Where this is from.** Dräger publishes the protocol ("RS 232 MEDIBUS, Protocol Definition", 90 28 258; for MEDIBUS.X
"Rules and Standards for Implementation" and "Profile Definition for Data Communication"), but of those texts only the
table of contents of the first could be read here. Frames, codes of commands and signals, the layout of 53H and 54H,
sync commands, the order of the six bits, the 3 s, 19200 baud with even parity are as two public programs that talk to
such devices have them: VSCaptureDrgVent (John George K.) and MD PnP's OpenICE. How values scale, and that the largest
binary value is hexadecimal, shows in a recording made over MEDIBUS.X (ReSurfEMG, ``draeger-medibus-testlung``): its
pressures and flows lie exactly on the grids -80…120 mbar and -180…180 L/min in F9FH steps; flow into the patient is
positive.

**Assumed**, for no capture of the serial bytes was at hand: the bits of the sync byte follow the order in 54H; a record
comes at each interval with all its streams; the interval is in microseconds; CFH stands for one sample; the answer to
53H without data is a refusal. DC1 and DC3 (flow control) are not obeyed: what we say is a few bytes a second.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Literal

from adapters.devices.conversation import LOST_S, check_lost_s, converse
from adapters.devices.medibus_dialogue import Dialogue
from adapters.devices.medibus_emulator import Emulator
from adapters.devices.medibus_frames import STOP, command
from adapters.devices.transport import check_baudrate, check_port, open_link
from streamer.model.chunk import Chunk
from streamer.model.errors import SourceLost
from streamer.model.records import Notice

__all__ = ["Dialogue", "Emulator", "Settings", "chunks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options of a live source.

    Attributes:
        port: The serial port, or ``tcp://HOST:PORT`` of a serial-to-network converter.
        baudrate: As set on the ventilator, or on the converter; fewer samples are asked of a slow line.
        parity: As set on the ventilator.
        stopbits: Likewise.
        lost_s: Silence after which the port is opened again.

    Raises:
        ConfigError: No such port can be.
    """

    port: str
    baudrate: int = 19_200
    parity: Literal["N", "E", "O"] = "E"
    stopbits: Literal[1, 2] = 1
    lost_s: float = LOST_S

    def __post_init__(self) -> None:
        check_port(self.port)
        check_baudrate(self.baudrate)
        check_lost_s(self.lost_s)


async def chunks(settings: Settings) -> AsyncGenerator[Chunk | Notice]:
    """What the ventilator sends. On closing, we sign off; otherwise the ventilator would warn of a lost connection.

    Raises:
        SourceLost: It is gone, or does not answer.
        DecodeError: It has no realtime data that can be used.
    """
    baudrate = settings.baudrate
    async with open_link(settings.port, baudrate=baudrate, parity=settings.parity, stopbits=settings.stopbits) as link:
        try:
            async with aclosing(converse(link, Dialogue(baudrate=baudrate), lost_s=settings.lost_s)) as items:
                async for item in items:
                    yield item
        finally:
            with suppress(SourceLost):
                await link.write(command(STOP))
