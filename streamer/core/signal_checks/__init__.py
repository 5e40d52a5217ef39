"""Whether samples can be what they are said to be. An operator beside ``align``.

Nothing is converted: a wrong unit or a broken sensor is a fact that only the owner of the recording can settle. Yet
what rests on a suspect channel is withheld from then on (``Doubts``), until the suspicion is over. A source is judged
on its first 10 s, for which its breaths wait, and then every 5 or 10 s (``_source``): a look costs a fixed time and
memory. What is too short to judge is not doubted. The rules are data (``_rules``).
"""

from __future__ import annotations

from typing import Any

from streamer.core.signal_checks._breath import Standing
from streamer.core.signal_checks._remedies import remedy
from streamer.core.signal_checks._rules import RULES
from streamer.core.signal_checks._source import Source
from streamer.core.signal_checks._turned import Turned
from streamer.model.chunk import Channel, Chunk
from streamer.model.context import Context
from streamer.model.flags import Flag
from streamer.model.records import Notice, NoticeKind

__all__ = ["RULES", "Doubts", "Standing", "Suspicions", "Turned"]


class Suspicions:
    """Chunks in, notices of what is doubtful in them, or no longer so, out; one per bed."""

    def __init__(self, context: Context | None = None) -> None:
        from streamer.core.signal_checks import _look  # noqa: PLC0415 (loads the compiler: a list of rules should not)

        self._kernels: Any = _look
        self._context = context or Context()
        self._sources: dict[tuple[str, ...], Source] = {}
        self.is_waiting = False
        """Whether the first source of flow is still in its first look."""
        self._flow: Source | None = None

    def push(self, chunk: Chunk) -> list[Notice]:
        """Notices of the looks that ``chunk`` completes."""
        size = len(chunk)
        if not size:
            return []
        key = chunk.source, *chunk.channels
        source = self._sources.get(key)
        if source is None or source.rate_hz != chunk.rate_hz:
            source = self._sources[key] = Source(chunk, source, self._kernels)
        if self._flow is None and Channel.FLOW in chunk.channels:
            self._flow, self.is_waiting = source, True
        source.place(chunk)
        notices: list[Notice] = []
        first = 0
        while first < size:
            first += source.take(chunk, first, size)
            if source.is_full():
                notices += self._judge(source)
        return notices

    def close(self) -> list[Notice]:
        """Notices on what came after the last looks."""
        self.is_waiting = False
        judged = [source for source in self._sources.values() if source.is_judged]
        return [notice for source in judged for notice in self._judge(source)]

    def _judge(self, source: Source) -> list[Notice]:
        is_first = source is self._flow and source.looks == 0
        at_s = source.first_s if is_first else source.time_s(source.next)
        self.is_waiting = self.is_waiting and not is_first
        lasted_s = source.filled / source.rate_hz
        found = source.look(self._context.patient_class)
        told = []
        for name, rule in source.rules if source.calm_s or found.is_marked else source.rules_of_levels:
            if rule.is_odd(found):
                if name not in source.calm_s:
                    question = rule.question.format(s=found, step=-found.paw_step)
                    told.append(_notice(name, source.name, at_s, f"{question} {remedy(name, self._context)}"))
                source.calm_s[name] = 0.0
            elif name in source.calm_s:
                source.calm_s[name] += lasted_s
                if source.calm_s[name] >= rule.calm_s:
                    del source.calm_s[name]
                    told.append(_notice(name, source.name, at_s, f"{name}: no longer so", is_over=True))
        return told


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
