"""Changes from baseline, or the reason why two values are not compared (algorithms §8.2, §12 ``method_changed``).

Estimated is not compared with measured, Bohr not with Enghoff, one sensor or method not with another: the difference
would show the method, not the patient. A blood gas drawn outside the window does not belong to its time point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamer.study.points import BASELINE
from streamer.study.quantities import QUANTITIES, SETTINGS, Quantity, Rule
from streamer.study.refusals import Refusal
from streamer.study.values import Value

LOWER, HIGHER, SAME = "lower", "higher", "no change"
SENSORS = ("mainstream", "sidestream")

Values = Mapping[str, Value]
"""Name of a quantity → its value at one time point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The change of one quantity from baseline to a time point, or the ``reason`` why there is none."""

    change: float | None = None
    share: float | None = None
    smallest: float | None = None
    direction: str | None = None
    reason: str = ""
    detail: str = ""
    settings: str = ""


def change_of(quantity: Quantity, baseline: Values, later: Values, label: str) -> Change:
    """The change of a quantity, with the settings that differ between the two."""
    ends = {BASELINE: baseline[quantity.name], label: later[quantity.name]}
    reason, detail = _refused(quantity, {BASELINE: baseline, label: later}, ends)
    settings = _settings(baseline, later)
    first, second = (one.value for one in ends.values())
    if reason or first is None or second is None:
        return Change(reason=reason, detail=detail, settings=settings)
    difference, smallest = second - first, quantity.smallest_change(first)
    direction = SAME if abs(difference) < smallest else HIGHER if difference > 0 else LOWER
    share = difference / first if first else None
    return Change(change=difference, share=share, smallest=smallest, direction=direction, settings=settings)


def _refused(quantity: Quantity, points: Mapping[str, Values], ends: Mapping[str, Value]) -> tuple[str, str]:
    """Reason and detail of a refusal; both empty if the values may be compared."""
    first, second = ends.values()
    missing = [label for label, end in ends.items() if end.value is None]
    if missing:
        rivalry = _rivalry(quantity, points, ends, missing)
        return (Refusal.METHOD_CHANGED, rivalry) if rivalry else _absent({label: ends[label] for label in missing})
    if first.method != second.method:
        return Refusal.METHOD_CHANGED, " → ".join(_method(end) for end in (first, second))
    differing = [
        f"{key} {_shown(before)} → {_shown(after)}"
        for key, before, after in zip(quantity.sensor, first.sensor, second.sensor, strict=True)
        if before != after
    ]
    return (Refusal.METHOD_CHANGED, "; ".join(differing)) if differing else ("", "")


def _absent(ends: Mapping[str, Value]) -> tuple[str, str]:
    """The reason of the first end, and the detail of each; a detail that both share appears once."""
    reason = next(iter(ends.values())).reason
    said: dict[str, list[str]] = {}
    for label, end in ends.items():
        said.setdefault(", ".join(filter(None, ("" if end.reason == reason else end.reason, end.detail))), []).append(
            label
        )
    return reason, "; ".join(": ".join(filter(None, (" and ".join(labels), what))) for what, labels in said.items())


def _rivalry(
    quantity: Quantity, points: Mapping[str, Values], ends: Mapping[str, Value], missing: Sequence[str]
) -> str:
    """The other method, if one end has only that. Empty for a quantity that needs a gas: its own reason says more."""
    if len(missing) == len(ends) or quantity.rule is Rule.GAS:
        return ""
    (absent,), (there,) = missing, set(ends) - set(missing)
    others = [points[absent][rival] for rival in quantity.rivals if points[absent][rival].value is not None]
    if not others:
        return ""
    what = f"{_named(ends[there])} at {there}, {_named(others[0])} at {absent} ({ends[absent].reason})"
    return f"{what}: not compared with each other"


def _named(end: Value) -> str:
    return f"{end.quantity.label}{f' ({end.method})' if end.method else ''}"


def _method(end: Value) -> str:
    """``mainstream (bohr_mainstream)``: the kind of sensor first, where the method tells it."""
    kind = next((kind for kind in SENSORS if end.method.endswith(kind)), "")
    return f"{kind} ({end.method})" if kind else end.method


def _shown(told: object) -> str:
    return "not stated" if told is None else f"{told:g}" if isinstance(told, float) else str(told)


def _settings(baseline: Values, later: Values) -> str:
    """The settings that differ: ``PEEP 8.0 → 12.0 cmH2O; FiO2 0.70 → 0.60``."""
    found = []
    for name in SETTINGS:
        quantity, before, after = QUANTITIES[name], baseline[name].value, later[name].value
        if before is None or after is None or abs(after - before) < quantity.smallest_change(before):
            continue
        unit = "" if quantity.unit == "1" else f" {quantity.unit}"
        found.append(f"{quantity.label} {before:.{quantity.digits}f} → {after:.{quantity.digits}f}{unit}")
    return "; ".join(found)
