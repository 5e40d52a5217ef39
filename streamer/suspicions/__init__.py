"""Whether samples can be what they are said to be. Floor 1: an operator beside ``align``.

Nothing is converted: a wrong unit or a broken sensor is a fact that only the owner of the recording can settle. Yet
what rests on a suspect channel is withheld from then on (``Doubts``), until the suspicion is over. A source is judged
on its first 10 s, for which its breaths wait, and then every 30 s: a look costs a fixed time and memory. What is too
short to judge is not doubted. The rules are data (``_rules``).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from streamer.chunk import Channel, Chunk, FloatArray
from streamer.records import Flag, Notice, NoticeKind
from streamer.suspicions._breath import Standing
from streamer.suspicions._rules import RULES
from streamer.suspicions._signals import signals_of

__all__ = ["RULES", "Doubts", "Standing", "Suspicions"]

FIRST_S, LOOK_S = 10.0, 30.0
"""Of samples: the first look, and each after it. At the end of a stream the rest is judged if it is as long as the
first."""
CALM_LOOKS = 2
"""So many looks in a row without it end a suspicion."""
HALF_SAMPLE = 0.5 + 1e-3


class Suspicions:
    """Chunks in, notices of what is doubtful in them, or no longer so, out; one per bed."""

    def __init__(self, patient_class: str | None = None) -> None:
        from streamer.suspicions import _scan  # noqa: PLC0415 (loads the compiler: a list of rules should not)

        self._scan: Any = _scan
        self._patient_class = patient_class
        self._sources: dict[tuple[str, frozenset[Channel]], _Source] = {}
        self.is_waiting = False
        """Whether the first source of flow is still in its first look."""
        self._flow: _Source | None = None

    def push(self, chunk: Chunk) -> list[Notice]:
        """Notices of the looks that ``chunk`` completes."""
        if not len(chunk):
            return []
        key = chunk.source, frozenset(chunk.channels)
        source = self._sources.get(key)
        if source is None or source.rate_hz != chunk.rate_hz:
            source = self._sources[key] = _Source(chunk, source)
        if self._flow is None and Channel.FLOW in chunk.channels:
            self._flow, self.is_waiting = source, True
        source.place(chunk)
        notices: list[Notice] = []
        first = 0
        while first < len(chunk):
            first += source.take(chunk, first)
            if source.is_full:
                notices += self._judge(source)
        return notices

    def close(self) -> list[Notice]:
        """Notices on what came after the last looks."""
        self.is_waiting = False
        whole = [source for source in self._sources.values() if source.filled >= FIRST_S * source.rate_hz]
        return [notice for source in whole for notice in self._judge(source)]

    def _judge(self, source: _Source) -> list[Notice]:
        is_first = source is self._flow and source.looks == 0
        at_s = source.first_s if is_first else source.time_s(source.next)
        self.is_waiting = self.is_waiting and not is_first
        with np.errstate(all="ignore"):  # a source may send any number
            found = signals_of(
                source.look(), source.rate_hz, self._scan, pco2_top=source.pco2_top, patient_class=self._patient_class
            )
        source.pco2_top = found.pco2_top
        told = []
        for name, rule in RULES.items():
            if rule.channel not in source.samples:
                continue
            if rule.is_odd(found):
                if name not in source.calm:
                    told.append(_notice(name, source.name, at_s, rule.question.format(s=found, step=-found.paw_step)))
                source.calm[name] = 0
            elif name in source.calm:
                source.calm[name] += 1
                if source.calm[name] == CALM_LOOKS:
                    del source.calm[name]
                    told.append(_notice(name, source.name, at_s, f"{name}: no longer so", is_over=True))
        return told


class _Source:
    """Samples of one source since its last look, and what was told of it."""

    def __init__(self, chunk: Chunk, before: _Source | None) -> None:
        self.name, self.rate_hz = chunk.source, chunk.rate_hz
        self.first_s = self._origin_s = chunk.start_s
        self.next = self.filled = self.looks = 0
        self._length = round(FIRST_S * chunk.rate_hz)
        size = round(LOOK_S * chunk.rate_hz)
        self.samples: dict[Channel, FloatArray] = {name: np.empty(size) for name in chunk.channels}
        self.calm: dict[str, int] = before.calm if before else {}
        """Rule → looks in a row without it, for each suspicion that holds."""
        self.pco2_top: float = before.pco2_top if before else -math.inf

    @property
    def is_full(self) -> bool:
        return self.filled == self._length

    def time_s(self, index: int) -> float:
        """Counted from a chunk as the source gave it, so that times are equal in any cutting."""
        return self._origin_s + index / self.rate_hz

    def place(self, chunk: Chunk) -> None:
        """Count from ``chunk`` where it does not continue."""
        if abs(chunk.start_s - self.time_s(self.next)) * self.rate_hz > HALF_SAMPLE:
            self._origin_s, self.next = chunk.start_s, 0

    def take(self, chunk: Chunk, first: int) -> int:
        """Keep samples from ``first`` on, as many as the look has room for."""
        count = min(len(chunk) - first, self._length - self.filled)
        for name, kept in self.samples.items():
            kept[self.filled : self.filled + count] = chunk.channels[name][first : first + count]
        self.filled += count
        self.next += count
        return count

    def look(self) -> dict[Channel, FloatArray]:
        """The samples kept; another look begins."""
        kept = {name: samples[: self.filled] for name, samples in self.samples.items()}
        self.looks, self.filled, self._length = self.looks + 1, 0, round(LOOK_S * self.rate_hz)
        return kept


def _notice(name: str, source: str, at_s: float, detail: str, *, is_over: bool = False) -> Notice:
    rule = RULES[name]
    values: dict[str, float | str] = {
        "rule": name,
        "source": source,
        "channel": rule.channel.value,
        "withholds": " ".join(rule.withholds),
    }
    return Notice(
        bed="", at_s=at_s, kind=NoticeKind.SUSPICION, detail=detail, values=values | ({"over": 1.0} if is_over else {})
    )


class Doubts:
    """Suspicions that hold, from their notices: how breaths are labelled. Any operator may raise one.

    A notice of kind ``suspicion`` with ``rule`` and ``withholds``, the names of flags, holds until one with ``over``.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], frozenset[Flag]] = {}
        self.flags: frozenset[Flag] = frozenset()

    def hear(self, notice: Notice) -> None:
        """Take a notice whose time has come."""
        if notice.kind is not NoticeKind.SUSPICION or "withholds" not in notice.values:
            return
        key = str(notice.values.get("rule", "")), str(notice.values.get("source", ""))
        if "over" in notice.values:
            self._held.pop(key, None)
        else:
            self._held[key] = frozenset(Flag(name) for name in str(notice.values["withholds"]).split())
        self.flags = frozenset().union(*self._held.values())
