"""Every conversion factor and gas law of the project, once, named.

Canonical units inside: L/s, L, cmH2O, s, mmHg. Sources: exact SI definitions; the vapour pressure of
water after Arden Buck; gas conditions from the ideal gas law (BTPS: 37 °C, saturated with 47 mmHg).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

CMH2O_PER_MBAR = 1.0197162129779283
"""1 mbar = 1 hPa = 100 Pa; 1 cmH2O = 98.0665 Pa exactly."""
CMH2O_PER_KPA = 10.0 * CMH2O_PER_MBAR
MMHG_PER_KPA = 7.500615613026439
"""1 mmHg = 133.322387415 Pa."""
CMH2O_PER_MMHG = 133.322387415 / 98.0665
PA_PER_CMH2O = 98.0665
S_PER_MIN = 60.0
ML_PER_L = 1000.0

JOULE_PER_L_CMH2O = 0.0980665
"""K: work of one litre moved against one cmH2O; exact."""
ROUNDED_JOULE_PER_L_CMH2O = 0.098
"""K as the literature rounds it; only to reproduce published numbers."""

BODY_K = 310.15
ICE_POINT_K = 273.15
PH2O_BODY_MMHG = 47.0
STANDARD_MMHG = 760.0


def ph2o_mmhg(celsius: float) -> float:
    """Saturated vapour pressure of water in mmHg at ``celsius`` °C (Arden Buck equation, liquid water)."""
    hpa = 6.1121 * math.exp((18.678 - celsius / 234.5) * celsius / (257.14 + celsius))
    return hpa * MMHG_PER_KPA / 10.0


def atps_to_btps(ambient_c: float, barometric_mmhg: float = STANDARD_MMHG) -> float:
    """Factor from a volume at ambient temperature, saturated, to body conditions."""
    dry = barometric_mmhg - ph2o_mmhg(ambient_c)
    return dry / (barometric_mmhg - PH2O_BODY_MMHG) * BODY_K / (ICE_POINT_K + ambient_c)


def atpd_to_btps(ambient_c: float, barometric_mmhg: float = STANDARD_MMHG) -> float:
    """Factor from a volume at ambient temperature, dry, to body conditions."""
    return barometric_mmhg / (barometric_mmhg - PH2O_BODY_MMHG) * BODY_K / (ICE_POINT_K + ambient_c)


def stpd_to_btps(standard_c: float = 0.0, barometric_mmhg: float = STANDARD_MMHG) -> float:
    """Factor from a standard volume (dry, 760 mmHg, ``standard_c`` °C, which makers define) to body conditions."""
    return STANDARD_MMHG / (barometric_mmhg - PH2O_BODY_MMHG) * BODY_K / (ICE_POINT_K + standard_c)


def btps_to_stpd(barometric_mmhg: float = STANDARD_MMHG) -> float:
    """Factor from a volume at body conditions to 0 °C, 760 mmHg, dry."""
    return ICE_POINT_K / BODY_K * (barometric_mmhg - PH2O_BODY_MMHG) / STANDARD_MMHG


def predicted_body_weight_kg(sex: str, height_cm: float) -> float:
    """Predicted body weight in kg (ARDSNet): 50 kg male or 45.5 kg female, and 0.91 kg per cm above 152.4 cm."""
    base = {"male": 50.0, "female": 45.5}[sex]
    return base + 0.91 * (height_cm - 152.4)


SCALES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "paw": {
        "cmh2o": (1.0, 1.0),
        "mbar": (CMH2O_PER_MBAR, 1.0),
        "hpa": (CMH2O_PER_MBAR, 1.0),
        "kpa": (CMH2O_PER_KPA, 1.0),
        "pa": (1.0, PA_PER_CMH2O),
        "mmhg": (CMH2O_PER_MMHG, 1.0),
    },
    "flow": {
        "l_s": (1.0, 1.0),
        "l_min": (1.0, S_PER_MIN),
        "ml_s": (1.0, ML_PER_L),
        "ml_min": (1.0, ML_PER_L * S_PER_MIN),
        "slm": (1.0, S_PER_MIN),
    },
    "pco2": {
        "mmhg": (1.0, 1.0),
        "kpa": (MMHG_PER_KPA, 1.0),
        "mbar": (MMHG_PER_KPA, 10.0),
        "pa": (MMHG_PER_KPA, 1000.0),
        "percent": (STANDARD_MMHG, 100.0),
    },
}
"""Signal → unit as in the name of a column → multiplier and divisor to the canonical unit.

A division keeps decimals such as 12.34/60 exact. ``slm`` is of dry standard gas, see ``Unit.conditions``. ``percent``
is of the barometric pressure, here 760 mmHg.
"""
SHOWN: Mapping[str, str] = {
    "paw": "cmH2O, mbar, hPa, kPa, Pa, mmHg",
    "flow": "L/s, L/min, mL/s, mL/min, slm",
    "pco2": "mmHg, kPa, mbar, Pa, %",
}
"""Signal → its units, as an error lists them."""
LABELS: Mapping[str, str] = {
    f"{signal}_{unit}": label
    for signal, units in SCALES.items()
    for unit, label in zip(units, SHOWN[signal].split(", "), strict=True)
}
"""Canonical name → its unit for a reader: ``flow_l_min`` → ``L/min``."""
_SPELLED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "paw": {
        "cmh2o": ("cmh2o", "cmh20", "cmaq", "cmwc", "cmws", "cmwg", "cmh2o(4c)"),
        "mbar": ("mbar", "mb", "millibar", "mbars", "millibars"),
        "hpa": ("hpa",),
        "kpa": ("kpa",),
        "pa": ("pa", "pascal", "n/m2"),
        "mmhg": ("mmhg", "torr"),
    },
    "flow": {
        "l_s": ("l/s", "lps"),
        "l_min": ("l/min", "lpm"),
        "ml_s": ("ml/s", "mlps"),
        "ml_min": ("ml/min", "mlpm"),
        "slm": ("slm", "slpm", "sl/min", "stdl/min", "standardl/min", "nl/min", "nlpm", "nlm", "ln/min"),
    },
    "pco2": {
        "mmhg": ("mmhg", "torr", "mmhgco2"),
        "kpa": ("kpa", "kpaco2"),
        "mbar": ("mbar", "hpa", "mb"),
        "pa": ("pa", "pascal"),
        "percent": (
            "%",
            "vol%",
            "%vol",
            "v%",
            "%v/v",
            "v/v%",
            "%co2",
            "co2%",
            "percent",
            "pct",
            "volpercent",
            "percentco2",
        ),
    },
}
"""Signal → unit → how programs write it, as ``_plain`` leaves it."""
_UNITS = {
    signal: {spelled: unit for unit, known in units.items() for spelled in known} for signal, units in _SPELLED.items()
}
_CONDITIONS = re.compile(r"[\s(,;\[]*(btps|stpd|atps|atpd)[)\]\s]*$")
_DROPPED = re.compile(r"[\s._·⋅∙*^$\\{}\[\]\"']")
_WORDS = (
    (re.compile(r"per(?!cent)"), "/"),
    (re.compile(r"milli(?:litre|liter)s?|ccm(?=/|$)|cc|cm3"), "ml"),
    (re.compile(r"(?:litre|liter|ltr)s?|lt(?=/)"), "l"),
    (re.compile(r"/?minutes?|/?min-1|/m(?:n|in)?\b"), "/min"),
    (re.compile(r"/?sec(?:ond)?s?(?:-1)?\b|(?<=l)/?s-1"), "/s"),
    (re.compile(r"millimet(?:er|re)s?"), "mm"),
    (re.compile(r"centimet(?:er|re)s?"), "cm"),
    (re.compile(r"(?:of)?water$"), "h2o"),
    (re.compile(r"(?:of)?mercury$"), "hg"),
    (re.compile(r"-"), ""),
)


class Unit(NamedTuple):
    """What a unit in a file says.

    Attributes:
        name: As in the name of a column: ``l_min`` of ``flow_l_min``.
        conditions: ``BTPS``, ``STPD``, ``ATPS`` or ``ATPD`` where it says so, or empty.
    """

    name: str
    conditions: str


def unit_of(signal: str, text: str) -> Unit | None:
    """Read the unit of a signal, ``paw``, ``flow`` or ``pco2``, in whatever way it is written; None for any other.

    Case, blanks, dots, brackets and Unicode's variants do not matter: ``L·s⁻¹``, ``[l/sec]``, ``LPM``, ``cmH₂O``.
    """
    plain = unicodedata.normalize("NFKC", text[:64]).casefold().replace("\N{MINUS SIGN}", "-")
    said = _CONDITIONS.search(plain)
    plain = _DROPPED.sub("", plain[: said.start()] if said else plain)
    if plain.startswith("(") and plain.endswith(")"):
        plain = plain[1:-1]
    for word, instead in _WORDS:
        plain = word.sub(instead, plain)
    name = _UNITS[signal].get(plain)
    if name is None or (said and signal != "flow"):
        return None
    return Unit(name, said[1].upper() if said else "STPD" if name == "slm" else "")
