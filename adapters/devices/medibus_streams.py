"""What a MEDIBUS device offers as realtime data, and what of it is asked for. Pure; used by ``medibus``.

The device's answer to 53H has 23 characters for each signal: code (2, hexadecimal), interval (8, microseconds),
smallest and largest value (5 each), and the binary value that stands for the largest (3, hexadecimal).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from streamer.model.chunk import MAX_RATE_HZ, MIN_RATE_HZ, Channel, FloatArray
from streamer.model.errors import DecodeError
from streamer.model.units import CMH2O_PER_MBAR, MMHG_PER_KPA, S_PER_MIN, STANDARD_MMHG

CODES: Mapping[Channel, Mapping[int, tuple[float, float]]] = MappingProxyType({
    Channel.FLOW: {0x01: (1.0, S_PER_MIN)},
    Channel.PAW: {0x00: (CMH2O_PER_MBAR, 1.0)},
    Channel.PCO2: {0x06: (1.0, 1.0), 0x07: (MMHG_PER_KPA, 1.0), 0x08: (STANDARD_MMHG, 100.0)},
})  # fmt: skip
"""Channel → code of the signal → multiplier and divisor to the canonical unit; the first that is offered is taken.
L/min; mbar; mmHg, kPa, % of a barometric pressure that the device does not state."""
PERCENT = 0x08
SLOWEST_US = 20_000
"""CO2 whose interval has no shorter common multiple with flow's is left out, for 50 Hz is worth more."""
BITS_PER_BYTE, LINE_SHARE = 11, 0.8
"""A byte on a line with parity; how much of the line realtime data may fill."""

_ENTRY = re.compile(rb"([0-9A-Fa-f]{2})([ 0-9]{8})([-+ .0-9]{5})([-+ .0-9]{5})([ 0-9A-Fa-f]{3})")
_WIDTH = 23


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal as the device offers it: ``raw / top * (high - low) + low``, every ``interval_us``."""

    code: int
    interval_us: int
    low: float
    high: float
    top: int

    def entry(self) -> bytes:
        """Its 23 characters."""
        return b"%02X%8d%5g%5g%03X" % (self.code, self.interval_us, self.low, self.high, self.top)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for.

    Attributes:
        channels: In the order of the streams.
        signals: One for each channel.
        interval_us: Between samples, the same for all.
        notes: What the user should know.
    """

    channels: tuple[Channel, ...]
    signals: tuple[Signal, ...]
    interval_us: int
    notes: tuple[str, ...] = ()

    @property
    def rate_hz(self) -> float:
        """Samples per second."""
        return 1e6 / self.interval_us

    @property
    def streams(self) -> int:
        """A bit for each stream."""
        return (1 << len(self.signals)) - 1

    def request(self) -> bytes:
        """Data of the command that configures transmission: code and multiplier of the interval for each stream."""
        return b"".join(b"%02X%02X" % (each.code, self.interval_us // each.interval_us) for each in self.signals)

    def row(self, streams: int, values: tuple[int, ...]) -> FloatArray:
        """Values in the device's units ``(1, channels)``; NaN for a stream not sent, or a value above the top."""
        row = np.full((1, len(self.signals)), np.nan)
        sent = (stream for stream in range(len(values) + 4) if streams >> stream & 1)
        for stream, raw in zip(sent, values, strict=False):
            if stream < len(self.signals) and raw <= self.signals[stream].top:
                signal = self.signals[stream]
                row[0, stream] = raw / signal.top * (signal.high - signal.low) + signal.low
        return row

    def canonical(self, rows: FloatArray) -> dict[Channel, FloatArray]:
        """``(n, channels)`` in the device's units → canonical ones."""
        scales = [CODES[name][signal.code] for name, signal in zip(self.channels, self.signals, strict=True)]
        return {name: rows[:, at] * scales[at][0] / scales[at][1] for at, name in enumerate(self.channels)}


def offered(data: bytes) -> dict[int, Signal]:
    """Signals by code; an entry that cannot be understood is left out."""
    found = (_signal(data[at : at + _WIDTH]) for at in range(0, len(data), _WIDTH))
    return {signal.code: signal for signal in found if signal is not None}


def _signal(entry: bytes) -> Signal | None:
    match = _ENTRY.fullmatch(entry)
    if match is None:
        return None
    code, interval, low, high, top = (group.replace(b" ", b"") for group in match.groups())
    try:
        signal = Signal(int(code, 16), int(interval), float(low), float(high), int(top, 16))
    except ValueError:
        return None
    return signal if signal.interval_us > 0 and signal.top > 0 and signal.high > signal.low else None


def plan(data: bytes, baudrate: int) -> Plan:
    """What to ask of a device that answered 53H with ``data``, over a line of ``baudrate``.

    Raises:
        DecodeError: It offers no flow or no airway pressure, or at rates that cannot be used.
    """
    signals = offered(data)
    chosen = {name: [signals[code] for code in codes if code in signals] for name, codes in CODES.items()}
    seen = ", ".join(f"{code:02X}H" for code in sorted(signals)) or "nothing"
    for name, what in ((Channel.FLOW, "flow (01H)"), (Channel.PAW, "airway pressure (00H)")):
        if not chosen[name]:
            offer = f"the device offers no realtime {what}, only: {seen}"
            raise DecodeError(f"{offer}; is MEDIBUS.X with realtime data chosen in its configuration?")
    taken = {name: found[0] for name, found in chosen.items() if found}
    interval_us = math.lcm(taken[Channel.FLOW].interval_us, taken[Channel.PAW].interval_us)
    notes = []
    if co2 := taken.get(Channel.PCO2):
        common_us = math.lcm(interval_us, co2.interval_us)
        if common_us > max(interval_us, SLOWEST_US):
            notes.append(f"CO2 every {co2.interval_us} us does not fit flow every {interval_us} us and is left out")
            del taken[Channel.PCO2]
        else:
            interval_us = common_us
            if co2.code == PERCENT:
                notes.append(f"CO2 comes in %: taken as a share of {STANDARD_MMHG:g} mmHg")
    line_us = 1e6 * (1 + 2 * len(taken)) * BITS_PER_BYTE / (baudrate * LINE_SHARE)
    interval_us *= math.ceil(line_us / interval_us)
    found = Plan(tuple(taken), tuple(taken.values()), interval_us, tuple(notes))
    slowest = max(interval_us // each.interval_us for each in found.signals)
    if not MIN_RATE_HZ <= found.rate_hz <= MAX_RATE_HZ or slowest > 0xFF:  # noqa: PLR2004 (two digits)
        limits = f"{MIN_RATE_HZ:g}-{MAX_RATE_HZ:g} Hz"
        raise DecodeError(f"samples would come at {found.rate_hz:g} Hz, outside {limits}; is the baud rate right?")
    return found
