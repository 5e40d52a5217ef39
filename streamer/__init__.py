"""ventstream's core and shell. Research software, not a medical device.

The public names are imported on use, so that a command which needs no arrays does not wait for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamer.bed import Bed, CoreSettings
    from streamer.breath import Breath
    from streamer.chunk import Channel, Chunk
    from streamer.context import BloodGas, Context, SessionEvent
    from streamer.records import BreathRecord, Event, Flag, Notice, NoticeKind, Stat, Summary
    from streamer.rls import RecursiveFit

__all__ = [
    "Bed", "BloodGas", "Breath", "BreathRecord", "Channel", "Chunk", "Context", "CoreSettings", "Event", "Flag",
    "Notice", "NoticeKind", "RecursiveFit", "SessionEvent", "Stat", "Summary",
]  # fmt: skip

__distribution__ = "ventstream"

_HOME = {
    "Bed": "bed", "CoreSettings": "bed", "Breath": "breath", "Channel": "chunk", "Chunk": "chunk",
    "BloodGas": "context", "Context": "context", "SessionEvent": "context",
    "RecursiveFit": "rls",
}  # fmt: skip
"""Names that are not in ``records``."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'streamer' has no attribute {name!r}")
    return getattr(import_module(f"streamer.{_HOME.get(name, 'records')}"), name)
