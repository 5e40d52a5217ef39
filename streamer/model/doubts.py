"""What is doubtful about a recording or a live source, from its notices: the list beside every result.

Four kinds. Suspicions: the signals do not look like what they are said to be. Damage: rows or samples that cannot be
used. Dropped: rows, sources or entries left out. Assumptions: what a file does not say and a reader had to take for
granted. The first three make ``--strict`` fail; an assumption that stands in the list does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from streamer.model.context import UNUSUALLY_LOW, BloodGas, SessionEvent, Sidecar, low_gas
from streamer.model.records import Notice, NoticeKind

MAX_ROWS = 1e15
MAX_WORD = 40
MAX_TEXT = 1000
MAX_DETAILS = 20
"""Doubts of one kind that are kept with their text; more are counted."""


class DoubtKind(StrEnum):
    """Kinds of doubt, the gravest first."""

    SUSPICION = "suspicion"
    DAMAGE = "damage"
    DROPPED = "dropped"
    ASSUMPTION = "assumption"


STRICT = frozenset(DoubtKind) - {DoubtKind.ASSUMPTION}
"""Kinds that ``--strict`` does not let pass."""
KINDS = {
    NoticeKind.SUSPICION: DoubtKind.SUSPICION,
    NoticeKind.DAMAGED: DoubtKind.DAMAGE,
    NoticeKind.IMPLAUSIBLE: DoubtKind.DAMAGE,
    NoticeKind.DROPPED: DoubtKind.DROPPED,
    NoticeKind.OVERLAP: DoubtKind.DROPPED,
    NoticeKind.NOTE: DoubtKind.ASSUMPTION,
    NoticeKind.CLOCK_RESET: DoubtKind.ASSUMPTION,
    NoticeKind.CLOCK_OFFSET: DoubtKind.ASSUMPTION,
}
ROWS = frozenset({"damaged_rows", "dropped_rows"})
"""Codes that stand for counted rows: one entry each, with the first of them as its text."""
ONCE = ROWS | {str(kind) for kind in (NoticeKind.CLOCK_RESET, NoticeKind.CLOCK_OFFSET, NoticeKind.IMPLAUSIBLE)}
"""Codes of what comes again and again: one entry each, and how often it came."""


_WRITTEN = re.compile(rf"(?P<code>\w+) (?P<kind>{'|'.join(DoubtKind)}): ?(?P<detail>.*)")


@dataclass(frozen=True, slots=True)
class Doubt:
    """One entry of the list.

    Attributes:
        kind: What kind.
        code: A word for the column ``doubts``: the rule of a suspicion, ``dropped_rows``, ``assumption`` …
        detail: One line for a reader.
        at_s: Device clock, seconds; None where it holds for the whole.
        rows: Rows or samples that it stands for, as far as they are counted.
    """

    kind: DoubtKind
    code: str
    detail: str
    at_s: float | None = None
    rows: int = 0

    def __str__(self) -> str:
        since = ""
        if self.at_s is not None and self.kind is DoubtKind.SUSPICION:
            since = f" (from {round(self.at_s)} s on)"
        elif self.at_s and self.kind is DoubtKind.DAMAGE and not self.rows:
            since = f" (at {round(self.at_s)} s)"
        rows = f"{self.rows} row{'' if self.rows == 1 else 's'}: " if self.rows else ""
        return f"{self.kind}: {rows}{self.detail}{since}"


def doubts_of(notice: Notice) -> Iterator[Doubt]:
    """What a notice says that is doubtful; nothing for a session event, a gap, or the end of a suspicion."""
    if notice.kind is NoticeKind.BLOOD_GAS:
        yield from _gas_doubts(notice)
        return
    kind = KINDS.get(notice.kind)
    if kind is None or "event" in notice.values or "over" in notice.values:
        return
    yield Doubt(kind, _code(notice, kind), notice.detail, notice.at_s, _rows(notice))


def _gas_doubts(notice: Notice) -> Iterator[Doubt]:
    for key, least in UNUSUALLY_LOW.items():
        value = notice.values.get(key)
        if isinstance(value, float) and value < least:
            detail = f"blood gas: {low_gas(key, value)}"
            yield Doubt(DoubtKind.SUSPICION, "blood_gas_unit", detail, notice.at_s)


def _code(notice: Notice, kind: DoubtKind) -> str:
    if notice.kind in {NoticeKind.CLOCK_RESET, NoticeKind.CLOCK_OFFSET, NoticeKind.IMPLAUSIBLE}:
        return str(notice.kind)
    if kind is DoubtKind.SUSPICION:
        return _word(notice.values.get("rule"), kind)
    if kind is DoubtKind.ASSUMPTION:
        return _word(notice.values.get("assumes"), kind)
    if notice.kind is NoticeKind.OVERLAP or notice.values.keys() & {"rows", "dropped_rows"}:
        return "dropped_rows" if kind is DoubtKind.DROPPED else "damaged_rows"
    return str(kind)


def _word(found: object, or_else: DoubtKind) -> str:
    return "_".join(re.findall(r"\w+", str(found or "")))[:MAX_WORD] or str(or_else)


def _rows(notice: Notice) -> int:
    found = notice.values.get("rows", notice.values.get("samples", 0.0))
    return _whole(found) if notice.kind in _COUNTED else 0


def _whole(found: object) -> int:
    """A count, whatever a source says."""
    return int(found) if isinstance(found, int | float) and 0 <= found < MAX_ROWS else 0


_COUNTED = frozenset({NoticeKind.DAMAGED, NoticeKind.DROPPED, NoticeKind.OVERLAP})


@dataclass(slots=True)
class DoubtList:
    """The doubts of one source, in the order in which they came up; bounded, whatever a source says.

    Attributes:
        damaged_rows: Rows that could not be read, so far.
        dropped_rows: Rows, or samples, that were left out, so far.
        more: Doubts that are not kept, by kind.
    """

    damaged_rows: int = 0
    dropped_rows: int = 0
    more: dict[DoubtKind, int] = field(default_factory=dict)
    _kept: dict[tuple[DoubtKind, str, str], Doubt] = field(default_factory=dict)
    _again: dict[tuple[DoubtKind, str, str], int] = field(default_factory=dict)
    _overlap: int = 0

    def hear(self, notice: Notice, *, forget_over: bool = False) -> None:
        """Take a notice of the source or of the core; ``forget_over``: a suspicion that is over leaves the list."""
        if forget_over and notice.kind is NoticeKind.SUSPICION and "over" in notice.values:
            self._kept.pop((DoubtKind.SUSPICION, _word(notice.values.get("rule"), DoubtKind.SUSPICION), ""), None)
        for doubt in doubts_of(notice):
            if "damaged_rows" in notice.values:  # a reader's last word: how many in all
                self.damaged_rows = _whole(notice.values["damaged_rows"])
                self.dropped_rows = _whole(notice.values.get("dropped_rows")) + self._overlap
                continue
            if doubt.code == "damaged_rows":
                self.damaged_rows += doubt.rows
            elif doubt.code == "dropped_rows":
                self.dropped_rows += doubt.rows
                self._overlap += doubt.rows if notice.kind is NoticeKind.OVERLAP else 0
            self.add(doubt)

    def add(self, doubt: Doubt) -> None:
        """Add one; what is in the list already is counted there."""
        key = doubt.kind, doubt.code, "" if doubt.code in ONCE or doubt.kind is DoubtKind.SUSPICION else doubt.detail
        if key in self._kept:
            self._again[key] = self._again.get(key, 0) + 1
            return
        if sum(kind is doubt.kind for kind, *_ in self._kept) >= MAX_DETAILS:
            self.more[doubt.kind] = self.more.get(doubt.kind, 0) + 1
            return
        self._kept[key] = doubt

    def settle(self, damaged_rows: int, dropped_rows: int) -> None:
        """What a reader counted in all, also where reading ended before it could say so."""
        self.damaged_rows = max(self.damaged_rows, damaged_rows)
        self.dropped_rows = max(self.dropped_rows, dropped_rows + self._overlap)

    def __iter__(self) -> Iterator[Doubt]:
        """The gravest first; counted rows with their number."""
        totals = {"damaged_rows": self.damaged_rows, "dropped_rows": self.dropped_rows}
        kept = [self._counted(key, doubt) for key, doubt in self._kept.items()]
        for code, kind in (("damaged_rows", DoubtKind.DAMAGE), ("dropped_rows", DoubtKind.DROPPED)):
            if totals[code] and not any(doubt.code == code for doubt in kept):
                kept.append(Doubt(kind, code, "not told one by one"))
        order = list(DoubtKind)
        for doubt in sorted(kept, key=lambda one: order.index(one.kind)):
            yield Doubt(doubt.kind, doubt.code, doubt.detail, doubt.at_s, totals.get(doubt.code, doubt.rows))

    def _counted(self, key: tuple[DoubtKind, str, str], doubt: Doubt) -> Doubt:
        again = self._again.get(key, 0) if doubt.code in ONCE - ROWS else 0
        return replace(doubt, detail=f"{doubt.detail} (and {again} more)") if again else doubt

    @property
    def rest(self) -> list[Doubt]:
        """Those that are not kept: one entry of each kind, with their number."""
        return [Doubt(kind, str(kind), f"and {count} more") for kind, count in self.more.items()]

    def __bool__(self) -> bool:
        return bool(self._kept or self.damaged_rows or self.dropped_rows)

    @property
    def codes(self) -> list[str]:
        """The words of the column ``doubts``, each once."""
        return list(dict.fromkeys(doubt.code for doubt in self))

    @property
    def is_strict(self) -> bool:
        """Whether there is none, or assumptions only."""
        return not any(doubt.kind in STRICT for doubt in self)


def written(found: DoubtList) -> tuple[str, ...]:
    """Doubts as a recording keeps them that is made from this one."""
    return tuple(" ".join(f"{doubt.code} {doubt}".split())[:MAX_TEXT] for doubt in found)


def kept(texts: Iterable[str]) -> Iterator[Doubt]:
    """Back from ``written``; a text of another kind is an assumption."""
    for text in texts:
        said = _WRITTEN.fullmatch(text)
        if said is None:
            yield Doubt(DoubtKind.ASSUMPTION, str(DoubtKind.ASSUMPTION), text)
        else:
            code = said["code"].replace("_rows", "_before")  # rows of this file are counted by themselves
            yield Doubt(DoubtKind(said["kind"]), code, f"{said['detail']} (in the file it was made from)")


def never_reached(sidecar: Sidecar, last_s: float) -> Iterable[Doubt]:
    """Events and blood gases of a sidecar that lie after the last sample: they take no part in any number."""
    entries: tuple[SessionEvent | BloodGas, ...] = (*sidecar.event, *sidecar.blood_gas)
    for entry in entries:
        if entry.at_s is not None and entry.at_s > last_s:
            what = f"event {entry.kind!r}" if isinstance(entry, SessionEvent) else "blood gas"
            detail = (
                f"{what} at {entry.at_s:g} s lies after the end of the recording at {last_s:.1f} s; correct its time"
            )
            yield Doubt(DoubtKind.DROPPED, "outside", detail, entry.at_s)
