"""``@metric``: one declaration per metric, and the order in which they are found. The one piece of magic here.

The function's name is the key. Its parameters name what it needs: a field of ``BreathFeatures``, another metric's key,
or one of ``GIVEN`` (``breath``, ``features``, ``given``, ``start``, ``flags``, ``estimate``, ``capnogram``). The order
is found once, at import, with ``graphlib``; an unknown name or a cycle fails there. A metric returns a number, or
``Graded``, or raises ``NotMeasurable(reason)``. NaN means ``absent``; a number outside ``bounds``, or a division by
zero, ``implausible``. What needs a missing metric is missing with the same reason; quality is the worst of what went
in.

Parameters that the declaration lists in ``maybe`` may be missing: they come as ``Maybe``, a ``Graded`` or the reason
why there is none, and the formula itself passes on the quality of those it used.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from streamer.core.metrics.features.breath_features import BreathFeatures
from streamer.model.flags import Asks, Family, Withheld, withheld_for
from streamer.model.reasons import Reason

GIVEN = frozenset({"breath", "features", "given", "start", "flags", "estimate", "capnogram"})
"""Names a metric may ask for besides folds and metrics."""


class Volume(IntEnum):
    """What a metric asks of measured volumes; each asks for what stands before it, too.

    Judged in ``volume_balance``.
    """

    NONE = 0
    MOVED = 1
    """Over recent breaths, inspired and expired volume agree once zero and leak are taken off: the sensors do."""
    TIGHT = 2
    """No more than a fifth of what goes in is a leak."""
    CLOSED = 3
    """In this very breath, what went in came back."""


class NotMeasurable(Exception):  # noqa: N818 (not an error: an answer)
    """Raised by a metric that cannot be measured in a breath.

    Attributes:
        reason: Why; stands in ``missing`` under the metric's key.

    Examples:
        >>> NotMeasurable(Reason.NO_HOLD).reason.value
        'no_hold'
    """

    def __init__(self, reason: Reason) -> None:
        self.reason = reason


class Graded(NamedTuple):
    """A number with its quality and its method.

    Attributes:
        value: In the unit of the metric.
        quality: ``A``, ``B`` or ``C``; None: the worst quality of what it rests on.
        method: One of ``Metric.methods``; None where there is only one.

    Examples:
        >>> Graded(34.2, "B", "quasi_static").quality
        'B'
    """

    value: float
    quality: str | None = None
    method: str | None = None


Maybe: TypeAlias = Graded | Reason
"""A metric that need not be there: what it gives, or why it gives nothing."""
Formula: TypeAlias = Callable[..., "float | Graded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A declared metric: what is published of it, and how it is computed.

    Attributes:
        key: Name in records, tables and messages.
        unit: Unit for readers.
        ucum: Unit as a UCUM code.
        about: The definition in one line.
        mdc: IEEE 11073-10101 code, if one with exactly this meaning exists.
        source: Source of the formula.
        weighted_by: Key that weights its mean in summaries; None: summaries give the median.
        held: Whether summaries keep the last value, with its age, beyond their window.
        methods: Names that it may give as its method.
        bounds: Numbers outside are ``implausible``.
        absent: Reason if the breath lacks what it needs (NaN).
        asks: What it asks of a breath; ``model.flags`` says which labels withhold it.
        also: Metrics that must have a value too, although the formula does not read them.
        maybe: Parameters that are metrics and may have no value.
        volume: Requirement on the measured volumes; metrics that need this one inherit it.
        formula: The function.
        needs: Names of its parameters.

    Examples:
        >>> from streamer.core.metrics import METRICS
        >>> METRICS["crs"].unit, METRICS["crs"].held
        ('mL/cmH2O', True)
    """

    key: str
    unit: str
    ucum: str
    about: str
    mdc: int | None = None
    source: str = ""
    weighted_by: str | None = None
    held: bool = False
    methods: tuple[str, ...] = ()
    bounds: tuple[float, float]
    absent: Reason = Reason.IMPLAUSIBLE
    asks: Asks = Asks.VALUES
    also: tuple[str, ...] = ()
    maybe: tuple[str, ...] = ()
    volume: Volume = Volume.NONE
    formula: Formula = field(repr=False)
    needs: tuple[str, ...]


_declared: dict[str, Metric] = {}


def metric(
    *, unit: str, about: str, bounds: tuple[float, float], ucum: str = "", **rest: Any
) -> Callable[[Formula], Formula]:
    """Declare the function below as a metric.

    The name of the function is the key; its parameters name what it needs: a feature of the breath, another metric's
    key, or one of ``GIVEN``. It returns a number or a ``Graded``, or raises ``NotMeasurable``::

        @metric(unit="cmH2O", ucum="cm[H2O]", about="Peak pressure less mean pressure", bounds=(0.0, 150.0))
        def paw_swing(ppeak: float, pmean: float) -> float:
            return ppeak - pmean

    Args:
        unit: Unit for readers.
        about: The definition in one line.
        bounds: Numbers outside are ``implausible``.
        ucum: Unit as a UCUM code; empty: the same as ``unit``.
        rest: Further fields of ``Metric``.

    Raises:
        TypeError: The key is declared already, or the function has no parameters.

    Examples:
        >>> from streamer.core.metrics import METRICS
        >>> METRICS["cdyn"].needs
        ('ppeak', 'vt', 'start')
    """

    def declare(formula: Formula) -> Formula:
        key = formula.__name__
        if key in _declared:
            raise TypeError(f"metric {key!r} is declared twice")
        needs = tuple(inspect.signature(formula).parameters)
        if not needs:
            raise TypeError(f"metric {key!r} needs nothing, so it measures nothing")
        _declared[key] = Metric(
            key=key, unit=unit, ucum=ucum or unit, about=about, bounds=bounds, formula=formula, needs=needs, **rest
        )
        return formula

    return declare


def declared() -> Mapping[str, Metric]:
    """Every metric so far, in the order of declaration."""
    return MappingProxyType(dict(_declared))


def in_order(metrics: Mapping[str, Metric]) -> tuple[Metric, ...]:
    """Each after what it needs.

    Raises:
        TypeError: A parameter names nothing that exists, a metric shadows a fold, or metrics that need each other.
    """
    known = GIVEN | set(BreathFeatures._fields)
    if shadowed := sorted(known & metrics.keys()):
        raise TypeError(f"metric {shadowed[0]!r} has the name of a fold or of a given value")
    for one in metrics.values():
        if unknown := [name for name in (*one.needs, *one.also) if name not in known and name not in metrics]:
            raise TypeError(f"metric {one.key!r} needs {unknown[0]!r}, which is no fold, metric or given value")
        if wrong := [name for name in one.maybe if name not in metrics or name not in one.needs]:
            raise TypeError(f"metric {one.key!r} may do without {wrong[0]!r}, which is no metric or no parameter of it")
        if one.weighted_by is not None and one.weighted_by not in metrics:
            raise TypeError(f"metric {one.key!r} is weighted by {one.weighted_by!r}, which is no metric")
    graph = {key: [name for name in (*one.needs, *one.also) if name in metrics] for key, one in metrics.items()}
    try:
        return tuple(metrics[key] for key in TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise TypeError(f"metrics need each other: {' → '.join(error.args[1])}") from None


def withheld(one: Metric) -> Withheld:
    """Labels that withhold a metric, by what it asks of a breath and by its family, the module that declares it."""
    module = one.formula.__module__.rpartition(".")[2]
    return withheld_for(one.asks, Family(module) if module in set(Family) else Family.OTHER)
