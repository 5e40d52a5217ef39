"""Our side of MEDIBUS: what to say, and what is made of what the device says. No I/O, no clock; see ``medibus``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from adapters.devices.medibus_frames import (
    CONFIG_CHANGED,
    CONFIGURE,
    IDENTIFY,
    INITIALISE,
    NOP,
    NOT_UNDERSTOOD,
    REALTIME_CONFIG,
    STOP,
    STREAMS_1_4,
    BadFrame,
    Frame,
    Item,
    Noise,
    Record,
    Splitter,
    command,
    realtime,
    response,
)
from adapters.devices.medibus_slots import Slots
from adapters.devices.medibus_streams import Plan, plan
from streamer.model.chunk import Chunk
from streamer.model.errors import DecodeError, SourceLost
from streamer.model.records import Notice

KEEP_ALIVE_S, REPLY_S, STALL_S = 1.0, 2.0, 5.0
"""Interval between two NOPs; longest wait for an answer; longest wait for records before they are requested again."""
MAX_TRIES = 5
"""Of one command, and of the whole dialogue without a sample in between."""
REPLY_BYTES, STALL_BYTES = 4096, 16_384
"""Useless bytes that stand for ``REPLY_S`` and ``STALL_S`` on a line that is busy with something else."""
MAX_UNSENT = 4096

_THEN: Mapping[int, int] = MappingProxyType({
    INITIALISE: IDENTIFY,
    IDENTIFY: REALTIME_CONFIG,
    REALTIME_CONFIG: CONFIGURE,
})  # fmt: skip
"""Command whose answer came → the next; after the last the streams are enabled."""
_ANEW: Mapping[int, int] = MappingProxyType({INITIALISE: IDENTIFY, STOP: INITIALISE, CONFIG_CHANGED: REALTIME_CONFIG})
"""Unsolicited message of the device → command with which the dialogue restarts."""
_ABOUT: Mapping[int, str] = MappingProxyType({
    INITIALISE: "to initialise communication",
    IDENTIFY: "to identify itself",
    REALTIME_CONFIG: "to say what realtime data it has",
    CONFIGURE: "to send realtime data",
})  # fmt: skip
_REMEDY = "are cable, baud rate and parity right, and is MEDIBUS.X chosen for this port in the device's configuration?"


class Dialogue:
    """Our side: bytes of the device → chunks and notices, and what to say to it. No I/O, no clock, bounded."""

    def __init__(self, *, baudrate: int = 19_200) -> None:
        """``baudrate`` limits how many samples are asked for; over a network it is the converter's."""
        self._baudrate = baudrate
        self._splitter = Splitter()
        self._slots = Slots()
        self._unsent = bytearray()
        self._wanted: Plan | None = None
        self._asked: int | None = None
        self._tries = self._refusals = self._beginnings = self._useless = 0
        self._silent_s = self._unheard_s = self._stalled_s = 0.0

    def opening(self) -> bytes:
        """What to say first."""
        self._begin(INITIALISE)
        return self.answer()

    def answer(self) -> bytes:
        """What to say now."""
        words = bytes(self._unsent)
        self._unsent.clear()
        return words

    def feed(self, piece: bytes) -> list[Chunk | Notice]:
        """What the bytes so far complete. Raises ``DecodeError`` or ``SourceLost``."""
        if piece and self._silent_s:
            self._slots.late(piece)
            self._silent_s = 0.0
        for item in self._splitter.feed(piece):
            self._take(item)
        return self._slots.take()

    def silence(self, silent_s: float) -> list[Chunk | Notice]:
        """Nothing came for so long. Raises ``SourceLost`` when the device does not answer."""
        if (last := self._splitter.settle()) is not None:
            self._take(last)
        more_s = silent_s - self._silent_s if silent_s > self._silent_s else silent_s
        self._silent_s = silent_s
        self._unheard_s += more_s
        self._stalled_s += more_s
        self._slots.quiet(more_s)
        if self._asked is not None:
            if self._unheard_s >= REPLY_S:
                self._repeat()
        elif self._stalled_s >= STALL_S:
            self._begin(REALTIME_CONFIG)
        else:
            self._keep_alive()
        return self._slots.take()

    def _take(self, item: Item) -> None:
        if isinstance(item, Frame) and item.is_command:
            self._told(item.code)
        elif isinstance(item, Frame):
            self._answered(item)
        elif isinstance(item, Record) and self._asked is None and self._wanted is not None:
            self._sample(item, self._wanted)
        elif isinstance(item, BadFrame):
            if item.is_command:
                self._say(response(NOT_UNDERSTOOD))
            self._waste(1)
        else:
            assert isinstance(item, Record | Noise)
            self._waste(item.size)

    def _told(self, code: int) -> None:
        """A command of the device."""
        self._say(response(code))
        if code in _ANEW:
            self._begin(_ANEW[code])
        else:
            self._waste(1)

    def _answered(self, frame: Frame) -> None:
        if frame.code == NOT_UNDERSTOOD and self._asked is not None:
            self._refusals += 1
            if self._refusals >= MAX_TRIES:
                raise DecodeError(f"the device refuses {_ABOUT[self._asked]} ({self._asked:02X}H)")
            self._ask(self._asked)
        elif frame.code != self._asked:
            self._waste(1)
        else:
            if self._asked == REALTIME_CONFIG:
                self._wanted = plan(frame.data, self._baudrate)
            self._refusals = self._tries = 0
            self._ask(_THEN.get(self._asked))

    def _sample(self, record: Record, wanted: Plan) -> None:
        length_s, is_good = self._slots.record(record, wanted)
        self._unheard_s += length_s
        self._keep_alive()
        if is_good:
            self._useless = self._beginnings = 0
            self._stalled_s = 0.0
        else:
            self._waste(record.size)

    def _waste(self, size: int) -> None:
        """Bytes came, but they were of no use."""
        self._useless += size
        if self._asked is not None and self._useless >= REPLY_BYTES:
            self._repeat()
        elif self._asked is None and self._useless >= STALL_BYTES:
            self._begin(REALTIME_CONFIG)

    def _keep_alive(self) -> None:
        if self._unheard_s >= KEEP_ALIVE_S:
            self._say(command(NOP))
            self._unheard_s = 0.0

    def _begin(self, code: int) -> None:
        """The dialogue from ``code`` on."""
        self._beginnings += 1
        if self._beginnings > MAX_TRIES:
            raise SourceLost(f"it answers, but sends no samples; {_REMEDY}")
        self._tries = self._refusals = 0
        self._ask(code)

    def _repeat(self) -> None:
        assert self._asked is not None
        if self._tries >= MAX_TRIES:
            raise SourceLost(f"no answer when asked {_ABOUT[self._asked]} ({self._asked:02X}H); {_REMEDY}")
        self._ask(self._asked)

    def _ask(self, code: int | None) -> None:
        """Say a command, or enable the streams after the last."""
        self._asked = code
        self._tries += 1
        self._useless = 0
        self._unheard_s = 0.0
        wanted = self._wanted
        if code is not None:
            self._say(command(code, wanted.request() if code == CONFIGURE and wanted else b""))
        elif wanted is not None:
            self._stalled_s = 0.0
            self._splitter.forget()
            self._slots.begin(wanted)
            self._say(realtime(0, commands=((STREAMS_1_4, wanted.streams),)))

    def _say(self, words: bytes) -> None:
        if len(self._unsent) + len(words) <= MAX_UNSENT:
            self._unsent += words
