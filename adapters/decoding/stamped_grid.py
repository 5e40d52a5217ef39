"""Rows with time stamps → an even grid of samples with declared gaps. Used by formats that stamp their rows.

Stamps are not the clock: devices round them, and programs take them when a row *arrives*. The clock is the count
of rows; stamps say how fast it ticks and where it jumps.

1. **Rate.** Given, or learnt from the first ``LEARN`` rows: the mean of the steps near their median, taken as a
   round number when the stamps cannot tell the two apart. Too irregular, and a rate must be given; given and
   learnt more than 0.5 % apart, and the recording is refused.
2. **Tolerance.** Half a sample, as everywhere, and twice the jitter of those rows; 1 s where the stamps are so
   irregular that they only show long breaks.
3. **Jumps.** A stamp off the grid by more than the tolerance is a jump if the stamps after it agree with it, and a
   bad stamp (its row keeps its slot) if they do not. A jump starts a new stretch of samples at its own stamp. A
   row that is off the grid and not later than the row before is left out and counted.
4. **Resets.** Back by more than ``RESET_S``, and the stamps after agree: the clock was set (a counter that begins
   again, a time zone). In a recorded file a clock that returns to its beginning has been set however short its run
   was: exports are stacked, unless these are the file's first rows again (``rows_sent_again.py``). The time between is
   unknown, so it is shown as a pause (``Samples.pause``); device time goes on, and so never runs backwards. A block
   of rows sent twice reaches back less far and is left out.
5. **Drift.** A grid that slides against the stamps by up to 0.5 % is followed without a word, for the device's
   and the recorder's clocks always differ a little.
6. **Packets.** Where rows share their stamps (one for each packet, or for each second), the first row of a packet has
   the stamp and the others none: they lie between the stamps (``packet_stamps.py``).

Every decision about a row depends on rows before it and at most ``AHEAD`` after it (with packets: the rows of
``AHEAD_PACKETS``), so cutting cannot matter.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from adapters.decoding.packet_stamps import (
    AHEAD_PACKETS,
    LEARN_PACKETS,
    is_packed,
    learn_packets,
    of_packets,
    rounded_hz,
)
from adapters.decoding.rows_sent_again import Beginning
from adapters.decoding.sample_assembler import Samples
from adapters.decoding.stamp_verdicts import DRIFT, DROP, RESET, place_stamps
from streamer.model.chunk import MAX_RATE_HZ, MIN_RATE_HZ, FloatArray
from streamer.model.errors import DecodeError
from streamer.model.records import NoticeKind

LEARN = 1000
LEARN_WITHIN = 10_000
AHEAD = 8
IRREGULAR_S = 1.0
RESOLUTION_S = 1e-6


@np.errstate(over="ignore", invalid="ignore")  # stamps may be any numbers
def learn(stamps: FloatArray, given_hz: float | None, remedy: str) -> tuple[float, float]:
    """Rate in Hz and tolerance in s from the first stamps. Raises ``DecodeError`` that ends in ``remedy``."""
    steps = np.diff(stamps)
    if (steps < 0).sum() > max(0.5 * steps.size, 1):
        raise DecodeError("the time stamps run backwards: sort the rows by time, the oldest first")
    steps = steps[steps > 0]  # none across a damaged row (NaN), none back
    if steps.size == 0:
        if given_hz is None:
            raise DecodeError(f"the time stamps do not advance, so they give no rate; {remedy}")
        return given_hz, 0.5 / given_hz
    middle = float(np.sort(steps)[steps.size // 2])
    near = steps[np.abs(steps - middle) <= 0.5 * middle]
    mean = float(near.mean())
    jitter = float(np.quantile(np.abs(steps - mean), 0.9))
    if jitter > 0.5 * middle:
        if given_hz is None:
            span = f"{1e3 * float(steps.min()):.3g} to {1e3 * float(steps.max()):.3g} ms"
            raise DecodeError(f"the time stamps are too irregular to give the rate (steps of {span}); {remedy}")
        return given_hz, IRREGULAR_S
    learnt_hz = rounded_hz(mean, float(np.abs(near - mean).max()), near.size)
    if given_hz is not None and abs(learnt_hz / given_hz - 1.0) > DRIFT:
        given = f"the rate is given as {given_hz:g} Hz (option, context or sidecar)"
        raise DecodeError(f"{given}, but the time stamps say {learnt_hz:.6g} Hz; mend one")
    if not MIN_RATE_HZ <= learnt_hz <= MAX_RATE_HZ:
        limits = f"{MIN_RATE_HZ:g}-{MAX_RATE_HZ:g} Hz"
        raise DecodeError(f"the time stamps say {learnt_hz:.6g} Hz, outside {limits}; is time_s in seconds?")
    return given_hz or learnt_hz, 0.5 * mean + 2.0 * jitter + RESOLUTION_S


class Clock:
    """Rows with stamps, in order, into ``samples``: its rate, stretches, damage and drops.

    Attributes:
        settled: Rows that are decided, damaged ones included.
        shifts: What is added to the stamps, from which row on: it grows as a clock begins again.
    """

    def __init__(
        self,
        samples: Samples,
        given_hz: float | None,
        remedy: str,
        *,
        learn: int = LEARN,
        tolerance_s: float | None = None,
        live: bool = False,
    ) -> None:
        """What is known of the rows beforehand.

        Args:
            samples: Where they go.
            given_hz: Their rate; None: learn it.
            remedy: What an error says that would give the rate else.
            learn: Rows that it is learnt from.
            tolerance_s: With a rate: how far stamps may be off; nothing is learnt then.
            live: Rows may be sent again, so only a clock set back by more than ``RESET_S`` is a reset.
        """
        self._known = (given_hz, tolerance_s) if given_hz and tolerance_s else None
        self._learn, self._learn_within = learn, LEARN_WITHIN * learn // LEARN
        self.settled = 0
        self.shifts: list[tuple[int, float]] = [(0, 0.0)]
        self._shift_s = 0.0
        self._live = live
        self._packed, self._ahead, self._packet_s, self._last_s = False, AHEAD, 0.0, np.nan
        self._before_s: float | None = None
        self._beginning = Beginning()
        self._samples = samples
        self._given_hz = given_hz
        self._remedy = remedy
        self._stamps: list[FloatArray] = []
        self._values: list[FloatArray] = []
        self._damage: dict[int, tuple[int, str]] = {}
        self._held = 0
        self._state: FloatArray | None = None
        self._tolerance = 0.0

    def rows(self, stamps: FloatArray, values: FloatArray) -> None:
        """Good rows: ``stamps (n,)`` s, ``values (n, columns)``."""
        self._stamps.append(self._placed(stamps) if self._packed else stamps)
        self._values.append(values)
        self._held += len(stamps)

    def damaged(self, line: int, what: str, columns: int) -> bool:
        """A line that should have been a row of ``columns`` values; False: before the first stamp it is none."""
        if self._state is None and self._held == 0:
            self._samples.damaged(line, what, slots=0)
            return False
        self._damage[self._held] = (line, what)
        self.rows(np.full(1, np.nan), np.full((1, columns), np.nan))
        return True

    def _placed(self, stamps: FloatArray) -> FloatArray:
        """With packets: the stamps that place a row."""
        known = stamps[np.isfinite(stamps)]
        last_s, self._last_s = self._last_s, known[-1] if known.size else self._last_s
        return of_packets(stamps, last_s)

    def begin_again(self) -> None:
        """What comes next is another recording of the same file, with a clock of its own."""
        self.settle(final=True)
        if self._state is not None:
            self._before_s = float(self._state[3])
            self._samples.restart(self._samples.now_s)  # what was collected goes out at the rate before
        self._state = None
        self._packed, self._ahead, self._packet_s, self._last_s = False, AHEAD, 0.0, np.nan

    def settle(self, *, final: bool = False) -> None:
        """Hand on every row that is decided."""
        if self._held == 0 or (self._state is None and self._held < self._learn and not final):
            return
        stamps, values = np.concatenate(self._stamps), np.concatenate(self._values)
        if self._state is None:
            started = self._start(stamps, values, final=final)
            if started is None:
                self._stamps, self._values = [stamps], [values]
                return
            stamps = started
        verdict = np.zeros(len(stamps), np.int8)
        step_s = 1.0 / self._samples.rate_hz
        again = self._beginning.again(stamps, values, self.settled)
        judged = (self._tolerance, self._ahead, self._packet_s, again, self._state, verdict)
        settled = place_stamps(stamps, final, step_s, *judged)
        self._hand_on(stamps, values, verdict, settled)
        self.settled += settled
        self._stamps, self._values, self._held = [stamps[settled:]], [values[settled:]], len(stamps) - settled
        self._damage = {row - settled: flaw for row, flaw in self._damage.items() if row >= settled}

    def _start(self, stamps: FloatArray, values: FloatArray, *, final: bool) -> FloatArray | None:
        """Learn the rate; None while there are too few stamps. Returns those that place rows. The first row has one."""
        good = np.flatnonzero(np.isfinite(stamps[: self._learn_within]))[: self._learn]
        if good.size < self._learn and not final and stamps.size < self._learn_within:
            return None
        end = int(good[-1]) + 1
        if self._known is None and (stamps[:end] != stamps[0]).any() and is_packed(stamps[:end], values[:end]):
            return self._start_packed(stamps, end, final=final)
        self._samples.rate_hz, self._tolerance = self._known or self._learnt(stamps[:end])
        self._begin(float(stamps[0]))
        if self._tolerance == IRREGULAR_S:
            self._tell_loose()
        return stamps

    def _learnt(self, stamps: FloatArray) -> tuple[float, float]:
        """Rate and tolerance; a later recording too short to show its own has that of the one before."""
        try:
            return learn(stamps, self._given_hz, self._remedy)
        except DecodeError:
            if self._before_s is None:
                raise
        return self._samples.rate_hz, 0.5 / self._samples.rate_hz

    def _start_packed(self, stamps: FloatArray, end: int, *, final: bool) -> FloatArray | None:
        """Likewise where rows share stamps: a rate needs some packets."""
        lesson = of_packets(stamps[: self._learn_within], np.nan)
        firsts = np.flatnonzero(np.isfinite(lesson))
        enough = firsts.size > LEARN_PACKETS
        if not enough and not final and stamps.size < self._learn_within:
            return None
        lesson = lesson[: max(end, int(firsts[LEARN_PACKETS]) + 1) if enough else None]
        found = learn_packets(lesson, self._given_hz, self._remedy, IRREGULAR_S)
        self._samples.rate_hz, self._tolerance = found.rate_hz, found.tolerance_s
        self._packed, self._packet_s = True, 1.5 * found.rows / found.rate_hz
        self._ahead = min(max(AHEAD, AHEAD_PACKETS * found.rows), self._learn_within)
        placed = self._placed(stamps)
        placed[0] = found.start_s
        self._begin(found.start_s)
        what = f"some {found.rows} rows share each time stamp: it is taken as that of the first of them"
        self._samples.note(NoticeKind.NOTE, f"{what}, and rows as even at {found.rate_hz:.6g} Hz")
        return placed

    def _begin(self, start_s: float) -> None:
        """The first row of the clock; one of a later recording that is not behind the one before is a reset."""
        self._state = np.array([start_s, 0.0, 0.0, -np.inf, -np.inf if self._live else start_s])
        if self._before_s is not None and start_s <= self._before_s:
            self._reset(start_s, 0)
        self._samples.restart(start_s + self._shift_s)

    def _tell_loose(self) -> None:
        what = f"the time stamps are irregular: rows are taken as even at {self._samples.rate_hz:g} Hz"
        self._samples.note(NoticeKind.NOTE, f"{what}, and only jumps over {IRREGULAR_S:g} s are seen as gaps")

    def _hand_on(self, stamps: FloatArray, values: FloatArray, verdict: Any, settled: int) -> None:
        special = set(np.flatnonzero(verdict[:settled]).tolist()) | {row for row in self._damage if row < settled}
        done = 0
        for row in sorted(special):
            self._samples.rows(values[done:row])
            done = row + 1
            if row in self._damage:
                self._samples.damaged(*self._damage[row])
            elif verdict[row] == DROP:
                self._samples.dropped(f"the row stamped {stamps[row]:.6g} s is not later than the one before")
            else:
                if verdict[row] == RESET:
                    self._reset(float(stamps[row]), row)
                self._samples.restart(float(stamps[row]) + self._shift_s)
                done = row
        self._samples.rows(values[done:settled])

    def _reset(self, stamp_s: float, row: int) -> None:
        """The stamps begin again; device time does not."""
        was_s = self._samples.now_s - self._shift_s
        what = f"the time stamps go back from {was_s:.6g} to {stamp_s:.6g} s"
        self._shift_s = self._samples.pause(what, stamp_s) - stamp_s
        self.shifts.append((self.settled + row, self._shift_s))
