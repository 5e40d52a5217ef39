"""Every conversion factor and gas law of the project, once, named. Floor 0.

Canonical units inside: L/s, L, cmH2O, s, mmHg. Sources: exact SI definitions; the vapour pressure of
water after Arden Buck; gas conditions from the ideal gas law (BTPS: 37 °C, saturated with 47 mmHg).
"""

from __future__ import annotations

import math

CMH2O_PER_MBAR = 1.0197162129779283
"""1 mbar = 1 hPa = 100 Pa; 1 cmH2O = 98.0665 Pa exactly."""
CMH2O_PER_KPA = 10.0 * CMH2O_PER_MBAR
MMHG_PER_KPA = 7.500615613026439
"""1 mmHg = 133.322387415 Pa."""
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


def btps_to_stpd(barometric_mmhg: float = STANDARD_MMHG) -> float:
    """Factor from a volume at body conditions to 0 °C, 760 mmHg, dry."""
    return ICE_POINT_K / BODY_K * (barometric_mmhg - PH2O_BODY_MMHG) / STANDARD_MMHG


def predicted_body_weight_kg(sex: str, height_cm: float) -> float:
    """Predicted body weight in kg (ARDSNet): 50 kg male or 45.5 kg female, and 0.91 kg per cm above 152.4 cm."""
    base = {"male": 50.0, "female": 45.5}[sex]
    return base + 0.91 * (height_cm - 152.4)
