"""Rows of one table on their way to its sources: the main one, and CO2 at a rate of its own. Floor 0."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from adapters._clock import Clock
from adapters._columns import Columns
from adapters._from_volume import FlowFromVolume
from adapters._lanes import Between, Lanes
from adapters._samples import Samples, ToChannels
from streamer.chunk import Channel, Chunk, FloatArray
from streamer.records import Notice


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
        self._held: list[Chunk | Notice] = []
        self._held_co2: list[Chunk | Notice] = []
        self._have_begun = False

    def rows(self, stamps: FloatArray | None, values: FloatArray) -> None:
        """Good rows; ``stamps (n,)`` s where they have a time."""
        if self._clock is None:
            self.samples.rows(values)
            return
        if stamps is None:
            stamps = (self._row + np.arange(len(values))) / self._rate_hz
        self._row += len(values)
        if self._co2 is not None:
            there = np.isfinite(values[:, self._table.waveforms[Channel.PCO2][0]])
            if there.any():
                self._co2_clock.rows(stamps[there], values[there])
        self._main(stamps, values, final=False)

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
        self._clock.damaged(line, what, columns)

    def _flush(self, columns: int) -> None:
        if self._between is not None:
            self._main(np.empty(0), np.empty((0, columns)), final=True)

    def begin_again(self, line: int, columns: int) -> None:
        """The header again: another recording. Its stamps say where it begins; without them that is not known."""
        if self._clock is None:
            self.samples.pause(f"line {line}: the header again, so another recording begins")
            return
        self._flush(columns)
        for clock in (self._clock, self._co2_clock) if self._co2 is not None else (self._clock,):
            clock.begin_again()

    def settle(self, columns: int, *, final: bool = False) -> None:
        """Hand on what is decided."""
        if final:
            self._flush(columns)
        if self._clock is not None:
            self._clock.settle(final=final)
        if self._co2 is not None:
            self._co2_clock.settle(final=final)

    def take(self) -> list[Chunk | Notice]:
        """What is ready; nothing before both sources have begun, so that their chunks can be given in turn."""
        return self._together(self._flowing(self.samples.take()), final=False)

    def close(self) -> list[Chunk | Notice]:
        """The last of it. Raises ``DecodeError`` when no row had a number."""
        found = self._flowing(self.samples.close())
        found += self._slope.close() if self._slope is not None else ()
        return self._together(found, final=True)

    def _together(self, found: list[Chunk | Notice], *, final: bool) -> list[Chunk | Notice]:
        if self._co2 is None:
            return found
        self._held += found
        self._held_co2 += self._co2.take()
        if not final and not self._have_begun:
            first, co2 = _first_chunk(self._held), _first_chunk(self._held_co2)
            if not first or not co2:
                return []
            self._have_begun = True
        main, others = self._held, self._held_co2
        self._held, self._held_co2 = [], []
        first, co2 = _first_chunk(main), _first_chunk(others)
        return [*main[:first], *others[:co2], *main[first:], *others[co2:]]

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
