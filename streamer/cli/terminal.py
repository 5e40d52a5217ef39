"""What a terminal shows of the MQTT messages: a live table, or plain lines in a pipe. ``watch`` and ``demo``.

Fed with topics and payloads as any subscriber gets them, and with nothing else, so what it shows is what was published.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from streamer.core.metrics.display import SHOWN
from streamer.files.output import say
from streamer.model.errors import DecodeError
from streamer.wire import Received, WireSettings, decode

SAFETY = "Research software, not a medical device: no alarms, no advice."
HELD = ("pplat", "crs")
"""Measured in holds only, so the last one stays on the screen, dimmed, and its age beside it."""
STATES = {"online": "green", "stalled": "yellow", "offline": "dim", "ended": "dim"}
MAX_ENDED = 20
RECENT = 3
STATE_WIDTH = 9
FIXED_WIDTH, KEY_WIDTH = 25, 6
"""Columns of the screen that the table needs besides bed ids and keys, and for each key."""


@dataclass
class BedView:
    """The newest of each kind of message of one bed."""

    state: Mapping[str, Any] = field(default_factory=dict)
    breath: Mapping[str, Any] = field(default_factory=dict)
    summaries: dict[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass
class Board:
    """All beds that were heard of.

    Attributes:
        wire: The root of the topics.
        beds: Bed id → its newest messages.
        unreadable: Messages that could not be understood.
    """

    wire: WireSettings
    beds: dict[str, BedView] = field(default_factory=dict)
    service: Mapping[str, Any] = field(default_factory=dict)
    recent: list[str] = field(default_factory=list)
    unreadable: int = 0

    def take(self, topic: str, payload: bytes) -> str | None:
        """Take one message; a line for a reader when it is worth one: a breath, an event, a change of state."""
        bed, _, kind = topic.removeprefix(f"{self.wire.prefix}/").partition("/")
        try:
            received = decode(payload)
        except DecodeError as error:
            self.unreadable += 1
            return _clean(f"{topic}: {error}")
        if received is None:
            self._end(bed, kind)
            return None
        if received.kind == "status":
            return self._service(received.row)
        if received.kind == "schema" or not kind:
            return None
        return self._bed(bed, kind, received)

    def _end(self, bed: str, kind: str) -> None:
        """An emptied retained topic: the bed ended in order. Its last numbers stay until there are many such beds."""
        if kind == "state" and bed in self.beds:
            self.beds[bed].state = {"state": "ended"}
            ended = [name for name, view in self.beds.items() if view.state.get("state") == "ended"]
            for name in ended[:-MAX_ENDED]:
                del self.beds[name]

    def _service(self, row: Mapping[str, Any]) -> str | None:
        changed = row.get("status") != self.service.get("status")
        self.service = row
        return _clean(f"service {row.get('status')} {row.get('reason') or ''}") if changed else None

    def _bed(self, bed: str, kind: str, received: Received) -> str | None:
        view = self.beds.setdefault(bed, BedView())
        row = received.row
        line = None
        if received.kind == "breath":
            view.breath, line = row, breath_line(bed, row)
        elif received.kind == "summary":
            view.summaries[kind.removeprefix("summary/")] = row
        elif received.kind == "state":
            if row.get("state") != view.state.get("state"):
                line = _clean(f"{bed}  {row.get('state')} {row.get('reason') or ''}")
            elif _doubts(row) != _doubts(view.state):
                line = _clean(f"{bed}  doubts: {_doubts(row) or 'none any more'}")
            view.state = row
        elif received.kind == "event":
            line = _clean(f"{bed}  {_seconds(row.get('at_s'))}  {row.get('kind')}: {row.get('detail')}")
            self.recent = [*self.recent, line][-RECENT:]
        return line

    def table(self, width: int = 200) -> RenderableType:
        """One line per bed, the newest events, and the safety note; as many keys as the terminal is wide."""
        room = width - FIXED_WIDTH - max((len(bed) for bed in self.beds), default=0)
        keys = list(SHOWN)[: max(0, room // KEY_WIDTH)]
        table = _table("bed", "state", "time")
        for key in keys:
            heading, unit, _ = SHOWN[key]
            unit = unit.replace("/cm", "/\ncm")
            table.add_column(f"{heading}\n[dim]{unit}[/]", justify="right", no_wrap=True)
        table.add_column("last\nhold", justify="right", no_wrap=True)
        for bed in sorted(self.beds):
            table.add_row(*_bed_cells(bed, self.beds[bed], keys))
        doubted = {bed: _doubts(view.state) for bed, view in sorted(self.beds.items())}
        below = [_clean(f"{bed}  doubts: {told}") for bed, told in doubted.items() if told] + self.recent
        below += [f"{self.unreadable} unreadable messages"] if self.unreadable else []
        return Group(table, *(Text(line, style="dim") for line in below), Text(SAFETY, style="dim italic"))

    def rolling(self, bed: str) -> RenderableType:
        """The windows of one bed: median, or total over time, of each key shown."""
        view = self.beds.get(bed, BedView())
        table = _table("window")
        for heading, _, _ in SHOWN.values():
            table.add_column(heading, justify="right", no_wrap=True)
        for window, row in sorted(view.summaries.items(), key=lambda item: _span(item[1])):
            centres = (row.get(f"{key}_median", row.get(f"{key}_mean")) for key in SHOWN)
            table.add_row(_clean(window), *(_number(key, value) for key, value in zip(SHOWN, centres, strict=True)))
        return table


class Display:
    """Shows a board as messages come: a live table on a terminal, one line per message worth it in a pipe.

    Args:
        wire: The root of the topics.
        rolling_of: A bed whose windows are shown below the table.
    """

    def __init__(self, wire: WireSettings, *, rolling_of: str | None = None) -> None:
        self.board = Board(wire)
        self._rolling_of = rolling_of
        self._console = Console()
        self._live = Live(get_renderable=self._screen, console=self._console) if self._console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._live is not None:
            self._live.stop()

    def take(self, topic: str, payload: bytes) -> None:
        """Show one message."""
        line = self.board.take(topic, payload)
        if line is not None and self._live is None:
            say(line)

    def _screen(self) -> RenderableType:
        below = [self.board.rolling(self._rolling_of)] if self._rolling_of is not None else []
        return Group(self.board.table(self._console.width), *below)


def breath_line(bed: str, row: Mapping[str, Any]) -> str:
    """``demo  812.4 s  breath 118  RR 15.0  VTe 420 …``; a withheld number shows its reason."""
    missing = row.get("missing") or {}
    parts = []
    if not any(row.get(key) is not None for key in SHOWN):
        parts.append(f"withheld ({' '.join(sorted({str(missing[key]) for key in SHOWN if key in missing}))})")
    for key, (heading, _, _) in SHOWN.items() if not parts else ():
        if row.get(key) is not None:
            parts.append(f"{heading} {_number(key, row[key])}")
        elif key in missing and key not in HELD:
            parts.append(f"{heading} -({missing[key]})")
    flags = " ".join(row.get("flags") or ())
    return _clean(
        f"{bed}  {_seconds(row.get('end_s'))}  breath {row.get('number')}  {'  '.join(parts)}  {flags}"
    ).rstrip()


def _table(*headings: str) -> Table:
    table = Table(pad_edge=False, padding=0, box=box.SIMPLE_HEAD)
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table


def _bed_cells(bed: str, view: BedView, keys: Sequence[str]) -> list[Text]:
    state = str(view.state.get("state", "?"))
    shown = str(view.state.get("source", state)) if state == "online" else state
    time = Text(_seconds(view.breath.get("end_s")))
    cells = [Text(_clean(bed)), Text(_clean(shown)[:STATE_WIDTH], style=STATES.get(state, "")), time]
    shortest = min(view.summaries.values(), key=_span, default={})
    for key in keys:
        value, last = view.breath.get(key), shortest.get(f"{key}_last") if key in HELD else None
        cells.append(Text(_number(key, last), style="dim") if value is None else Text(_number(key, value)))
    measured = view.breath.get(HELD[0]) is not None
    return [*cells, Text("now" if measured else _age(shortest.get(f"{HELD[0]}_age_s")), style="dim")]


def _doubts(state: Mapping[str, Any]) -> str:
    found = state.get("doubts")
    return ", ".join(map(str, found)) if isinstance(found, list) else ""


def _span(row: Mapping[str, Any]) -> float:
    start_s, end_s = row.get("start_s"), row.get("end_s")
    return end_s - start_s if isinstance(start_s, int | float) and isinstance(end_s, int | float) else math.inf


def _number(key: str, value: object) -> str:
    return f"{value:.{SHOWN[key][2]}f}" if isinstance(value, int | float) else "-"


def _seconds(value: object) -> str:
    return f"{value:.1f} s" if isinstance(value, int | float) else "-"


def _age(value: object) -> str:
    return f"{value:.0f} s" if isinstance(value, int | float) else "-"


def _clean(text: str) -> str:
    """Payloads come from a network: nothing in them may steer the terminal."""
    return "".join(char for char in text if char.isprintable())[:300].rstrip()
