"""What a reader can do about each suspicion, in words that can be typed. Data."""

from __future__ import annotations

from collections.abc import Mapping

from streamer.model.context import Context

OUTWARD = "inspiration_negative"
SENSOR = "No setting mends a sensor: what rests on it is withheld."
LEFT_OUT = (
    "Check the sensor; to go on without it, list the other columns under [recording] in the sidecar: "
    'columns = {{ "its name" = "{0}", … }}.'
)


def _named(*names: str) -> str:
    """What a column is said to be."""
    return (
        f'If so, say columns = {{ "its name" = "{names[0]}", … }} under [recording] in the sidecar'
        f"{''.join(f', or {name}' for name in names[1:])}; list every column that is used."
    )


REMEDIES: Mapping[str, str] = {
    **{f"flow_{fault}": SENSOR for fault in ("wraps", "clipped", "stuck", "frozen", "outward")},
    **{
        f"{channel}_{fault}": LEFT_OUT.format("flow_l_min")
        for channel in ("paw", "pco2")
        for fault in ("wraps", "clipped", "stuck", "frozen")
    },
    "flow_too_large": _named("flow_l_min", "flow_ml_s"),
    "flow_too_small": _named("flow_l_s", "flow_l_min") + ' Or say patient_class = "neonate" under [context].',
    "flow_reversed": f'If so, say flow_sign = "{OUTWARD}" under [context] in the sidecar (live: [bed.context]).',
    "swapped": _named("paw_cmh2o") + " Flow likewise.",
    "paw_is_co2": _named("paw_cmh2o") + " PCO2 likewise.",
    "paw_too_large": _named("paw_pa"),
    "paw_absolute": "If so, subtract the ambient pressure of that day from the column.",
    "paw_too_small": _named("paw_kpa"),
    "pco2_too_small": _named("pco2_kpa", "pco2_percent"),
    "pco2_too_large": _named("pco2_pa"),
}
"""Rule → what to do."""
TURNED_TWICE = f'flow_sign = "{OUTWARD}" turns it: take that line out of [context].'


def remedy(rule: str, context: Context) -> str:
    """What to do about a suspicion, given what the context says."""
    is_turned = context.flow_sign == OUTWARD
    return TURNED_TWICE if rule == "flow_reversed" and is_turned else REMEDIES[rule]
