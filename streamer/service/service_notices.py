"""What the shell itself has to say of a bed, as notices."""

from __future__ import annotations

from streamer.model.records import Notice, NoticeKind


def unread(bed: str, at_s: float, commands: int) -> Notice:
    """Commands that came faster than they could be obeyed."""
    detail = f"{commands} commands were left out: too many at a time; send them again"
    return Notice(bed=bed, at_s=at_s, kind=NoticeKind.DROPPED, detail=detail, values={"commands": float(commands)})


def lost(bed: str, at_s: float, messages: int) -> Notice:
    """Messages that found no room while the broker was away."""
    detail = f"{messages} messages were lost while the broker was away: no room for more to wait"
    return Notice(bed=bed, at_s=at_s, kind=NoticeKind.DROPPED, detail=detail, values={"messages": float(messages)})


def drifted(bed: str, at_s: float, drift_s: float) -> Notice:
    """The device's clock and arrivals have parted."""
    detail = f"the device's clock is {drift_s:+.1f} s off since the session began; its time is kept as it is"
    return Notice(bed=bed, at_s=at_s, kind=NoticeKind.CLOCK_DRIFT, detail=detail, values={"drift_s": drift_s})


def untaped(bed: str, at_s: float, reason: str) -> Notice:
    """What arrives is not written down any more."""
    detail = f"this session is not recorded any more: {reason}"
    return Notice(bed=bed, at_s=at_s, kind=NoticeKind.DROPPED, detail=detail, values={})
