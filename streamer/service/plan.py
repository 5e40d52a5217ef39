"""What to run: a bed, its source, how fast. Filled in from a configuration or a command line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from streamer.core.session_events import ContextChange
from streamer.model.chunk import Chunk
from streamer.model.context import BloodGas, Context, SessionEvent
from streamer.model.errors import ConfigError
from streamer.model.records import Event, Notice
from streamer.service.publish import Publisher
from streamer.service.settings import RecordSettings, RunSettings
from streamer.wire import Source, WireSettings, check_bed_id


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePlan:
    """One stream of one bed.

    Attributes:
        adapter: Name of an adapter (``recording``, ``simulator``, a device), or a dotted module with ``Settings`` and
            ``chunks``.
        options: An instance of its ``Settings``.
        speed: 1 for the recorded timing, 10 for ten times as fast, ``math.inf`` for as fast as possible; None for a
            live source, which sets its own pace and is opened again when it is lost.
        clock_offset_s: Seconds to add to its device time to get that of the bed's first source. None: derived from
            the times of arrival; recorded sources are taken to share one clock.

    Examples:
        >>> from adapters.devices.pb840 import Settings
        >>> SourcePlan(adapter="pb840", options=Settings(port="/dev/ttyUSB0")).speed is None
        True
    """

    adapter: str
    options: Any
    speed: float | None = None
    clock_offset_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BedPlan:
    """One bed.

    Attributes:
        bed: Label of the bed, never a patient identity.
        sources: Its streams. A session begins and ends with the first one, whose clock is the bed's.
        source: ``source`` in every payload: live, recorded or simulated.
        start_utc: Aware instant of a recording's first sample, if known.
        context: What the operator knows of patient and sensors.
        events: Changes of position, manoeuvres and notes.
        blood_gases: Arterial samples.
        core: Settings of the core (``CoreSettings``); None for its defaults.

    Examples:
        >>> from pathlib import Path
        >>> from adapters.recordings.open import Settings
        >>> recording = SourcePlan(adapter="recording", options=Settings(path=Path("replay_data/pcv.csv")), speed=1.0)
        >>> BedPlan(bed="icu-04", sources=(recording,), source=Source.RECORDED).core is None
        True
    """

    bed: str
    sources: tuple[SourcePlan, ...]
    source: Source = Source.LIVE
    start_utc: datetime | None = None
    context: Context = Context()  # noqa: RUF009 (frozen)
    events: Sequence[SessionEvent] = ()
    blood_gases: Sequence[BloodGas] = ()
    core: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BedOutcome:
    """The outcome of one bed: counts over all its sessions, and the error that ended it.

    Attributes:
        bed: Its label.
        samples: Samples read.
        breaths: Breaths published.
        notices: Notices published.
        damaged: Rows of a recording that could not be used.
        gaps: Interruptions of its samples.
        duplicates: Samples and rows left out because their time had passed.
        clock_resets: Resets of the device's clock.
        dropped: Messages lost because the broker was away for too long.
        error: The error that ended the bed early, in one line; empty if there was none.

    Examples:
        >>> BedOutcome(bed="icu-04", breaths=22).dropped
        0
    """

    bed: str
    samples: int = 0
    breaths: int = 0
    notices: int = 0
    damaged: int = 0
    gaps: int = 0
    duplicates: int = 0
    clock_resets: int = 0
    dropped: int = 0
    error: str = ""


class Core(Protocol):
    """The shape of ``streamer.core.bed.Bed``."""

    def push(self, item: Chunk | Notice, /) -> list[Event]:
        """Feed samples or a notice of the source."""
        ...

    def tell(self, change: ContextChange, /) -> list[Event]:
        """A change of context. Raises ``ConfigError`` when it cannot change within a session."""
        ...

    def close(self) -> list[Event]:
        """What is still open, at the end."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The clocks of the service; tests replace them by ones that cost no time.

    Attributes:
        sleep: Waits for a number of seconds.
        now: Monotonic time, s.
        now_ns: UTC, ns.

    Examples:
        >>> Clock(now_ns=lambda: 0).now_ns()
        0
    """

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    now: Callable[[], float] = time.monotonic
    now_ns: Callable[[], int] = time.time_ns


def new_core(plan: BedPlan) -> Core:
    """A fresh ``Bed`` for one run of the plan's source."""
    from streamer.core.bed import Bed  # noqa: PLC0415 (the compiled core is slow to load)

    settings = {} if plan.core is None else {"settings": plan.core}
    return Bed(plan.bed, context=plan.context, events=plan.events, blood_gases=plan.blood_gases, **settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """What all beds of a run share.

    Attributes:
        publisher: Where messages go.
        settings: Stalls and retries.
        record: Whether what arrives is written down.
        wire: Topic root.
        clock: The shell's clocks.
        make_core: Makes the core of a session.
        on_progress: Called with a bed and its newest device time.
    """

    publisher: Publisher
    settings: RunSettings = field(default_factory=RunSettings)
    record: RecordSettings = field(default_factory=RecordSettings)
    wire: WireSettings = field(default_factory=WireSettings)
    clock: Clock = field(default_factory=Clock)
    make_core: Callable[[BedPlan], Core] = new_core
    on_progress: Callable[[str, float], None] | None = None


def check_plans(plans: Sequence[BedPlan]) -> None:
    """Refuse what cannot run together.

    Raises:
        ConfigError: No bed, a bad or repeated bed id, no source, several speeds, or one that is none.
    """
    if not plans:
        raise ConfigError("no bed to run")
    seen: set[str] = set()
    for plan in plans:
        if check_bed_id(plan.bed) in seen:
            raise ConfigError(f"bed {plan.bed!r} appears twice")
        seen.add(plan.bed)
        if not plan.sources:
            raise ConfigError(f"bed {plan.bed!r} has no source")
        if len({source.speed for source in plan.sources}) > 1:
            raise ConfigError(f"bed {plan.bed!r}: its sources must be all live, or all played at one speed")
        speed = plan.sources[0].speed
        if speed is not None and not speed > 0:
            raise ConfigError(f"bed {plan.bed!r}: speed {speed!r} is not above 0")
