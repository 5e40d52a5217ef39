"""ventstream's core and shell. Research software, not a medical device.

The public names are imported on use, so that a command which needs no arrays does not wait for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamer.core.bed import Bed, CoreSettings
    from streamer.core.rls import RecursiveFit
    from streamer.model.breath import Breath
    from streamer.model.chunk import Channel, Chunk
    from streamer.model.context import BloodGas, Context, SessionEvent
    from streamer.model.flags import Flag
    from streamer.model.records import BreathRecord, Event, Notice, NoticeKind, Stat, Summary

__all__ = [
    "Bed", "BloodGas", "Breath", "BreathRecord", "Channel", "Chunk", "Context", "CoreSettings", "Event", "Flag",
    "Notice", "NoticeKind", "RecursiveFit", "SessionEvent", "Stat", "Summary",
]  # fmt: skip

__distribution__ = "ventstream"

_HOME = {
    name: module
    for module, names in {
        "core.bed": ("Bed", "CoreSettings"),
        "core.rls": ("RecursiveFit",),
        "model.breath": ("Breath",),
        "model.chunk": ("Channel", "Chunk"),
        "model.context": ("BloodGas", "Context", "SessionEvent"),
        "model.records": ("BreathRecord", "Event", "Flag", "Notice", "NoticeKind", "Stat", "Summary"),
    }.items()
    for name in names
}
"""Public name → the module that has it."""


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'streamer' has no attribute {name!r}")
    return getattr(import_module(f"streamer.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
