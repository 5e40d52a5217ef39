"""Rows of one table on their way to its sources: the main one, and CO2 at a rate of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from adapters.decoding.columns import Columns
from adapters.decoding.flow_from_volume import FlowFromVolume
from adapters.decoding.sample_assembler import Samples, ToChannels
from adapters.decoding.stamped_grid import Clock
from adapters.formats.text_table.rate_groups import Between, Lanes
from streamer.model.chunk import Channel, Chunk, FloatArray
from streamer.model.errors import DecodeError
from streamer.model.records import Notice

TURN = 4096
"""Rows after which the sources take turns."""


class Sources:
    """Takes rows ``(n, columns)`` and gives chunks and notices.

    Attributes:
        samples: Of the main source, which also has the damage.
    """

    def __init__(
        self,
        table: Columns,
        lanes: Lanes,
        *,
        label: str,
        rate_hz: float | None,
        remedy: str,
        slope: FlowFromVolume | None,
    ) -> None:
        """Say what there is.

        Args:
            table: Where its channels are, and its time; without one, ``rate_hz`` is that of the rows.
            lanes: Which channels go together.
            label: Of the main source.
            rate_hz: Where it is given.
            remedy: What an error says that would give it else.
            slope: Makes flow of volume.
        """
        self._table, self._lanes, self._slope = table, lanes, slope
        self._rate_hz = rate_hz or 1.0
        self._row = 0
        alone = {Channel.PCO2} if lanes.co2_hz else set[Channel]()
        main = [channel for channel in table.waveforms if channel not in alone and channel not in lanes.left_out]
        self.samples = Samples(label, self._rate_hz, _chosen(table, main))
        own_hz = None if lanes.flow_rows and table.time is None else rate_hz
        is_timed = table.time is not None or not lanes.is_plain
        self._clock = Clock(self.samples, own_hz, remedy) if is_timed else None
        self._leader = table.waveforms[Channel.FLOW if Channel.FLOW in main else main[0]][0] if main else 0
        paw = table.waveforms.get(Channel.PAW)
        self._between = Between(paw[0], 2 * lanes.between) if lanes.between and paw else None
        self._co2: Samples | None = None
        if alone:
            self._co2 = Samples(f"{label}.co2", lanes.co2_hz, _chosen(table, [Channel.PCO2]))
            self._co2_clock = Clock(self._co2, None, remedy)
        self._waiting: list[tuple[NDArray[np.intp], FloatArray, FloatArray]] = []
        self._before = 0
        self._main_held: list[Chunk | Notice] = []
        self._co2_held: list[Chunk | Notice] = []
        self._ready: list[Chunk | Notice] = []
        self._have_begun = False
        self._failed: DecodeError | None = None

    @contextmanager
    def good_first(self) -> Iterator[None]:
        """Around the reading of a piece: an error waits where there is something good to give before."""
        if self._failed:
            raise self._failed
        try:
            yield
        except DecodeError as error:
            self._collect(final=True)
            if not self._ready:
                raise
            self._failed = error

    def rows(self, stamps: FloatArray | None, values: FloatArray) -> None:
        """Good rows; ``stamps (n,)`` s where they have a time."""
        if self._clock is None:
            self.samples.rows(values)
            return
        if stamps is None:
            stamps = (self._row + np.arange(len(values))) / self._rate_hz
        if self._co2 is None:
            self._row += len(values)
            self._main(stamps, values, final=False)
            return
        done = 0
        while done < len(values):  # where the sources take turns is a matter of rows alone
            end = min(done + TURN - self._row % TURN, len(values))
            self._both(stamps[done:end], values[done:end])
            self._row += end - done
            done = end
            if self._row % TURN == 0:
                self._decide(final=False)
                self._collect()

    def _both(self, stamps: FloatArray, values: FloatArray) -> None:
        there = np.isfinite(values[:, self._table.waveforms[Channel.PCO2][0]])
        before = np.arange(len(values)) + self._before
        if self._lanes.flow_rows:
            lead = np.isfinite(values[:, self._leader])
            before = self._before + np.cumsum(lead) - lead
            self._before += int(lead.sum())
        else:
            self._before += len(values)
        self._waiting.append((before[there], stamps[there], values[there]))
        self._main(stamps, values, final=False)

    def _follow(self, *, final: bool) -> None:
        """Give CO2 the rows that the main source has decided on, on its clock: a run is one of both."""
        assert self._clock is not None
        if not self._waiting:
            return
        before, stamps, values = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
        ready = before.size if final else int(np.searchsorted(before, self._clock.settled))
        self._waiting = [(before[ready:], stamps[ready:], values[ready:])]
        if ready:
            first, shift_s = (np.array(one) for one in zip(*self._clock.shifts, strict=True))
            shifted = stamps[:ready] + shift_s[np.searchsorted(first, before[:ready], side="right") - 1]
            self._co2_clock.rows(shifted, values[:ready])

    def _main(self, stamps: FloatArray, values: FloatArray, *, final: bool) -> None:
        assert self._clock is not None
        if self._between is not None:
            stamps, values = self._between.push(stamps, values, final=final)
        if self._lanes.flow_rows:
            there = np.isfinite(values[:, self._leader])
            stamps, values = stamps[there], values[there]
        if len(values):
            self._clock.rows(stamps, values)

    def damaged(self, line: int, what: str, columns: int, slots: int) -> None:
        """A line that is no row; without times it has the place of ``slots`` of them."""
        if self._clock is None:
            self.samples.damaged(line, what, slots=slots)
            return
        self._flush(columns)
        self._row += slots
        if self._clock.damaged(line, what, columns):
            self._before += 1

    def _flush(self, columns: int) -> None:
        if self._between is not None:
            self._main(np.empty(0), np.empty((0, columns)), final=True)

    def begin_again(self, line: int, columns: int) -> None:
        """The header again: another recording. Its stamps say where it begins; without them that is not known."""
        if self._clock is None:
            self.samples.pause(f"line {line}: the header again, so another recording begins")
            return
        self._flush(columns)
        self._clock.begin_again()
        if self._co2 is not None:
            self._follow(final=True)
            self._co2_clock.begin_again()

    def settle(self, columns: int, *, final: bool = False) -> None:
        """Hand on what is decided."""
        if final:
            self._flush(columns)
        if final or self._co2 is None:
            self._decide(final=final)

    def _decide(self, *, final: bool) -> None:
        if self._clock is not None:
            self._clock.settle(final=final)
        if self._co2 is not None:
            self._follow(final=final)
            self._co2_clock.settle(final=final)

    def take(self) -> list[Chunk | Notice]:
        """What is ready."""
        if self._co2 is None:
            self._collect()
        ready, self._ready = self._ready, []
        return ready

    def close(self) -> list[Chunk | Notice]:
        """The last of it. Raises ``DecodeError`` when no row had a number."""
        if self._failed:
            raise self._failed
        self._main_held += self._flowing(self.samples.close())
        self._main_held += self._slope.close() if self._slope is not None else ()
        self._collect(final=True)
        return self.take()

    def _collect(self, *, final: bool = False) -> None:
        """Make ready what is decided; nothing before both sources have begun, so that their chunks come in turn."""
        self._main_held += self._flowing(self.samples.take())
        if self._co2 is None:
            self._ready += self._main_held
            self._main_held = []
            return
        self._co2_held += self._co2.take()
        first, other = _first_chunk(self._main_held), _first_chunk(self._co2_held)
        self._have_begun = self._have_begun or bool(first and other)
        if self._have_begun or final:
            main, co2 = self._main_held, self._co2_held
            self._main_held, self._co2_held = [], []
            self._ready += [*main[:first], *co2[:other], *main[first:], *co2[other:]]

    def _flowing(self, items: list[Chunk | Notice]) -> list[Chunk | Notice]:
        return items if self._slope is None else list(self._slope.push(items))


def _chosen(table: Columns, channels: list[Channel]) -> ToChannels:
    def to_channels(values: FloatArray) -> Mapping[Channel, FloatArray]:
        found = table.channels(values)
        return {channel: found[channel] for channel in channels}

    return to_channels


def _first_chunk(items: list[Chunk | Notice]) -> int:
    """How many items there are up to the first chunk; 0 where there is none."""
    return next((at + 1 for at, item in enumerate(items) if isinstance(item, Chunk)), 0)
