"""Local times of devices and the zone that a user adds: when a recording began, in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import msgspec

from streamer.model.context import Sidecar
from streamer.model.errors import ConfigError

_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})")
_REMEDY = "give an offset as +02:00, or a name as Europe/Berlin"


def zone_of(text: str) -> tzinfo:
    """A zone by its offset or its name. Raises ``ConfigError``."""
    if text.upper() in {"UTC", "Z"}:
        return UTC
    if found := _OFFSET.fullmatch(text):
        sign, hours, minutes = found.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        if offset < timedelta(hours=24):
            return timezone(-offset if sign == "-" else offset)
    try:
        return ZoneInfo(text)
    except (ValueError, OSError, KeyError):  # KeyError: there is none of this name
        raise ConfigError(f"zone = {text[:40]!r} is no time zone that is known here; {_REMEDY}") from None


def dated(sidecar: Sidecar) -> Sidecar:
    """With ``start_utc`` where a local start and its zone give it; what is stated stands. Raises ``ConfigError``."""
    known = sidecar.recording
    if not known.zone:
        return sidecar
    zone = zone_of(known.zone)
    if known.start_local is None or known.start_utc is not None:
        return sidecar
    start = known.start_local.replace(tzinfo=zone)
    doubts = known.doubts
    if start.utcoffset() != start.replace(fold=1).utcoffset():
        when = f"{known.start_local.isoformat(' ', 'minutes')} in {known.zone}"
        doubts = (
            *doubts,
            f"zone assumption: clocks are changed at {when}: summer is taken; or give start_utc",
        )
    return msgspec.structs.replace(
        sidecar, recording=msgspec.structs.replace(known, start_utc=start.astimezone(UTC), doubts=doubts)
    )


def plausible(start: datetime | None) -> datetime | None:
    """A start that a recorder's clock may show; None for one that was never set, or was blanked."""
    first, last = 1990, 2300  # shared records are shifted by centuries to hide patients
    return start if start is not None and first < start.year < last else None
