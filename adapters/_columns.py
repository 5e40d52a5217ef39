"""Canonical column names (contract.md §2) and what they mean. Floor 0; shared by the CSV and Parquet formats."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamer.chunk import Channel, FloatArray
from streamer.errors import DecodeError
from streamer.units import CMH2O_PER_KPA, CMH2O_PER_MBAR, ML_PER_L, MMHG_PER_KPA, S_PER_MIN

TIME = "time_s"
WAVEFORMS: Mapping[str, tuple[Channel, float, float]] = {
    "paw_cmh2o": (Channel.PAW, 1.0, 1.0),
    "paw_mbar": (Channel.PAW, CMH2O_PER_MBAR, 1.0),
    "paw_kpa": (Channel.PAW, CMH2O_PER_KPA, 1.0),
    "flow_l_s": (Channel.FLOW, 1.0, 1.0),
    "flow_l_min": (Channel.FLOW, 1.0, S_PER_MIN),
    "flow_ml_s": (Channel.FLOW, 1.0, ML_PER_L),
    "pco2_mmhg": (Channel.PCO2, 1.0, 1.0),
    "pco2_kpa": (Channel.PCO2, MMHG_PER_KPA, 1.0),
}
"""Column → channel, multiplier, divisor to the canonical unit (a division keeps decimals such as 12.34/60 exact)."""
EXACT: Mapping[Channel, str] = {Channel.PAW: "paw_cmh2o", Channel.FLOW: "flow_l_s", Channel.PCO2: "pco2_mmhg"}
"""Channel → the column in its canonical unit, which loses nothing."""
ARRIVAL = ("order", "chunk_start_s", "received_ns")
"""How the samples of a recorded session came (``session.py``); each of its files can be read without them."""
VOLUMES = ("volume_ml", "volume_l")
KNOWN = (TIME, *WAVEFORMS, *VOLUMES, *ARRIVAL)
_LOOKS_LIKE = ("time", "paw", "pressure", "flow", "pco2", "co2", "volume", "vol")


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a table are.

    Attributes:
        time: Position of ``time_s``, or None.
        waveforms: Channel → position, multiplier, divisor.
    """

    time: int | None
    waveforms: Mapping[Channel, tuple[int, float, float]]

    def channels(self, values: FloatArray) -> dict[Channel, FloatArray]:
        """``values (n, columns)`` → channels in canonical units."""
        return {
            channel: values[:, at] * multiplier / divisor
            for channel, (at, multiplier, divisor) in self.waveforms.items()
        }


def columns(names: Sequence[str]) -> Columns:
    """Read a header. Raises ``DecodeError`` for an unknown, repeated or missing column, with the nearest known one."""
    plain = [name.strip().strip('"').strip().lower() for name in names]
    waveforms: dict[Channel, tuple[int, float, float]] = {}
    for at, name in enumerate(plain):
        if name not in KNOWN:
            raise DecodeError(f"unknown column {name[:40]!r}; {_suggestion(name)}")
        if plain.index(name) != at:
            raise DecodeError(f"column {name!r} appears twice; leave one")
        if name in WAVEFORMS:
            channel, multiplier, divisor = WAVEFORMS[name]
            if channel in waveforms:
                raise DecodeError(
                    f"columns {plain[waveforms[channel][0]]!r} and {name!r} are the same signal; leave one"
                )
            waveforms[channel] = (at, multiplier, divisor)
    if not waveforms:
        raise DecodeError(f"no waveform column; known are {', '.join(WAVEFORMS)} (flow is positive into the patient)")
    return Columns(plain.index(TIME) if TIME in plain else None, waveforms)


def looks_like_header(names: Sequence[str]) -> bool:
    """Whether a user may have meant these as canonical columns."""
    plain = [name.strip().strip('"').strip().lower() for name in names]
    return any(name in KNOWN for name in plain) or (
        len(plain) > 1 and any(name.startswith(_LOOKS_LIKE) for name in plain)
    )


def _suggestion(name: str) -> str:
    for start, choices in (
        (("flow", "v'", "vdot"), [known for known in WAVEFORMS if known.startswith("flow")]),
        (("paw", "press", "p_aw", "airway"), [known for known in WAVEFORMS if known.startswith("paw")]),
        (("pco2", "co2", "capno", "etco2"), [known for known in WAVEFORMS if known.startswith("pco2")]),
        (("time", "t_", "sec"), [TIME]),
        (("vol", "vt"), list(VOLUMES)),
    ):
        if name.startswith(start):
            near = difflib.get_close_matches(name, choices, n=1, cutoff=0.85)
            return "did you mean " + (near[0] if near else " or ".join(choices)) + "? The unit is part of the name"
    near = difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(KNOWN)}"
