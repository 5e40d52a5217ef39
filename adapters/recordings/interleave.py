"""Alternate the sources of one recording. Between a format and the reader of its chunks.

A file may hold a minute of one signal before the same minute of another, or all of it. Breaths wait for their
capnogram, but not for so long: so chunks are cut and given by the time of their last sample. A recording of one source
goes through as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import itemgetter

from streamer.model.chunk import Chunk
from streamer.model.records import Notice

PART_S = 0.5
"""Longest piece of a source while another waits."""
MAX_HELD_S = 1800.0
"""A source that lags by more has ended, or stands elsewhere in the file: the others wait for it no longer."""


def alternated(items: Iterable[Chunk | Notice]) -> Iterator[Chunk | Notice]:
    """The same samples and notices; the order within each source is kept."""
    turns = _Turns()
    for item in items:
        yield from turns.push(item)
    yield from turns.release(None)


class _Turns:
    def __init__(self) -> None:
        self._ends: dict[str, float] = {}
        self._held: list[tuple[float, Chunk | Notice]] = []

    def push(self, item: Chunk | Notice) -> Iterable[Chunk | Notice]:
        """What can be given on. The first chunk waits for the second, which shows whether there is one source."""
        if isinstance(item, Notice):
            if not self._held:
                return (item,)
            self._held.append((self._held[-1][0], item))  # behind what was read before it
            return ()
        is_first = not self._ends
        end_s = item.start_s + len(item) / item.rate_hz
        self._ends[item.source] = max(end_s, self._ends.get(item.source, end_s))
        if len(self._ends) == 1 and not is_first:
            return (*self.release(None), item)
        self._held += [(part.start_s + len(part) / part.rate_hz, part) for part in item.parts(PART_S)]
        return () if is_first else self.release(max(min(self._ends.values()), max(self._ends.values()) - MAX_HELD_S))

    def release(self, until_s: float | None) -> list[Chunk | Notice]:
        """What ends by then, or all of it, by time."""
        due = [entry for entry in self._held if until_s is None or entry[0] <= until_s]
        self._held = [] if until_s is None else [entry for entry in self._held if entry[0] > until_s]
        return [item for _, item in sorted(due, key=itemgetter(0))]
