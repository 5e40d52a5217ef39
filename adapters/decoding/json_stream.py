"""Lines that are JSON objects → chunks. Used by ``json_lines`` and ``mqtt_samples``."""

from __future__ import annotations

import numpy as np

from adapters.decoding import json_fields as objects
from adapters.decoding.columns import OF_BAROMETER, OF_STANDARD_GAS, WAVEFORMS, barometer_note
from adapters.decoding.contract import ReadOptions
from adapters.decoding.sample_assembler import LIVE_REFILL_S, Samples
from adapters.decoding.stamped_grid import LEARN, Clock
from adapters.decoding.text_rows import Line, Scanner
from streamer.model.chunk import MAX_RATE_HZ, MIN_RATE_HZ, Channel, Chunk, FloatArray
from streamer.model.errors import ConfigError, DecodeError
from streamer.model.records import Notice, NoticeKind

LIVE_LEARN = 100
"""Rows from which a live stream learns its rate: nothing comes out before."""
STRANGE = 200
"""Objects without a sample, before the first that has one, after which the mapping must be wrong."""
REMEDY = "give rate_hz"


class Decoder:
    """Bytes of lines → chunks and notices."""

    def __init__(self, options: ReadOptions, *, live: bool = False, source: str = "json") -> None:
        self._fields = objects.Fields(options.columns, options.barometric_mmhg)
        self._options = options
        self._given_hz = options.rate_hz
        self._learn, self._live = LIVE_LEARN if live else LEARN, live
        self._scanner = Scanner(0, ",")
        self._names: tuple[Channel, ...] = ()
        self._gas: frozenset[str] = frozenset()
        self._clock: Clock | None = None
        self._block_hz: float | None = None
        self._last_length = 1
        self._strangers = 0
        self._left_out: set[Channel] = set()
        self.samples = Samples(source, options.rate_hz or 1.0, self._channels)
        if live:
            self.samples.refill_s = LIVE_REFILL_S

    @property
    def is_timed(self) -> bool:
        """Whether the samples bring their times."""
        return self._clock is not None

    def feed(self, piece: bytes) -> list[Chunk | Notice]:
        """What the bytes so far complete. Raises ``DecodeError``, but not before all that was good has been given."""
        with self.samples.good_first():
            for part in self._scanner.feed(piece):
                self._take(part)
            if self._clock:
                self._clock.settle()
        return self.samples.take()

    def close(self) -> list[Chunk | Notice]:
        """The rest. Raises ``DecodeError`` when there was no usable sample."""
        with self.samples.good_first():
            for part in self._scanner.close():
                self._take(part)
            if self._clock:
                self._clock.settle(final=True)
        return self.samples.close()

    def _take(self, part: object) -> None:
        assert isinstance(part, Line)
        text = part.text.strip(b"\0 \t")
        if not text:
            return
        try:
            found = self._fields.read(text)
            self._check(found)
        except objects.Unusable as error:
            self._damaged(part.line, str(error))
            return
        if not found.waveforms:
            self._stranger(part.line)
        elif len(found):
            if not self._names:
                self._begin(part.line, found)
            self._rows(part.line, found)

    def _stranger(self, line: int) -> None:
        if self._names:
            return
        self._strangers += 1
        if self._strangers >= STRANGE:
            what = "no object so far has a field that is a waveform; say with columns which fields are"
            raise DecodeError(f"line {line}: {what}")

    def _begin(self, line: int, found: objects.Samples) -> None:
        """The first object with samples says which channels there are, and whether they bring their times."""
        self._gas = found.names & OF_STANDARD_GAS
        if self._gas and self._live and not self._options.columns:
            write = 'columns = { "flow_slm" = "flow_slm", … } and every other field'
            raise DecodeError(f"flow_slm is dry standard gas, which a live source must be said before: write {write}")
        self._names = tuple(found.waveforms)
        self._options.units.update({WAVEFORMS[name][0]: name for name in found.names})
        if not OF_BAROMETER.isdisjoint(found.names):
            self.samples.note(NoticeKind.NOTE, barometer_note(self._options.barometric_mmhg))
        rate_hz = self._given_hz or found.rate_hz
        if found.time_s is None:
            if rate_hz is None:
                raise DecodeError(f"line {line}: neither a time nor a rate; {REMEDY}")
            self.samples.rate_hz = rate_hz
        else:
            self._clock = Clock(self.samples, rate_hz, REMEDY, learn=self._learn, live=self._live)
        self._block_hz = found.rate_hz

    def _check(self, found: objects.Samples) -> None:
        if found.waveforms and self._clock is not None and found.time_s is None:
            raise objects.Unusable("it has no time, but the first sample had one")
        if self._names and Channel.FLOW in found.waveforms and found.names & OF_STANDARD_GAS != self._gas:
            raise objects.Unusable("its flow is of another gas than the first one's")
        if len(found) > 1 and not (found.rate_hz or self._given_hz):
            raise objects.Unusable("a block without rate_hz")

    def _rows(self, line: int, found: objects.Samples) -> None:
        self._tell_left_out(line, found)
        n = self._last_length = len(found)
        missing = np.full(n, np.nan)
        values: FloatArray = np.column_stack([found.waveforms.get(name, missing) for name in self._names])
        if found.rate_hz and self._given_hz is None and found.rate_hz != self._block_hz:
            self._change_rate(found.rate_hz)
        if self._clock is None or found.time_s is None:
            self.samples.rows(values)
        else:
            step_s = 1.0 / (found.rate_hz or self._given_hz or 1.0)
            stamps: FloatArray = found.time_s + np.arange(n, dtype=np.float64) * step_s
            self._clock.rows(stamps, values)

    def _change_rate(self, rate_hz: float) -> None:
        self._block_hz = rate_hz
        if self._clock is not None:
            self._clock.settle(final=True)
        self.samples.restart(self.samples.now_s)  # what was collected goes out at the rate before
        if self._clock is not None:
            self._clock = Clock(self.samples, rate_hz, REMEDY, learn=self._learn, live=self._live)
        else:
            self.samples.rate_hz = rate_hz

    def _tell_left_out(self, line: int, found: objects.Samples) -> None:
        late = set(found.waveforms) - set(self._names) - self._left_out
        if late:
            self._left_out |= late
            what = (
                f"{' and '.join(sorted(late))} came too late and is left out: the first sample must have every signal"
            )
            self.samples.note(NoticeKind.NOTE, f"line {line}: {what}")

    def _damaged(self, line: int, what: str) -> None:
        """A damaged block among others with times shows how long it was by the next one's."""
        if self._clock is not None:
            self._clock.damaged(line, what, len(self._names))
        else:
            self.samples.damaged(line, what, slots=self._last_length if self._names else 0)

    def _channels(self, values: FloatArray) -> dict[Channel, FloatArray]:
        return {name: values[:, at].copy() for at, name in enumerate(self._names)}


def check_barometer(barometric_mmhg: float | None) -> None:
    """Raises ``ConfigError`` for a pressure that no air has."""
    lowest, highest = 300, 900
    if barometric_mmhg is not None and not lowest <= barometric_mmhg <= highest:
        raise ConfigError(f"barometric_mmhg = {barometric_mmhg!r}: expected {lowest} to {highest} mmHg")


def check_rate_hz(rate_hz: float | None) -> None:
    """Raises ``ConfigError`` for a rate no chunk may have."""
    if rate_hz is not None and not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise ConfigError(f"rate_hz = {rate_hz!r}: expected {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} samples per second")
