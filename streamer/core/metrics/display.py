"""The few numbers of a bedside glance, and how they are written."""

from __future__ import annotations

SHOWN = {
    "rr": ("RR", "/min", 1),
    "vt_exp": ("VTe", "mL", 0),
    "ppeak": ("Ppeak", "cmH2O", 1),
    "peep": ("PEEP", "cmH2O", 1),
    "pplat": ("Pplat", "cmH2O", 1),
    "crs": ("Crs", "mL/cmH2O", 1),
    "mp": ("MP", "J/min", 1),
    "petco2": ("PetCO2", "mmHg", 1),
    "vd_vt_bohr": ("VD/VT", "1", 2),
    "crs_est": ("Cest", "mL/cmH2O", 1),
}
"""Metric key → heading, unit, decimals: the few numbers of a bedside glance."""
