"""Labels of a breath, and what follows from each: ``CONSEQUENCES`` is the only place that says so.

A new label gets a row, or ``tests/model/test_flags.py`` fails. The sets below are read off the table: no other module
lists labels by what follows from them.

Examples:
    >>> CONSEQUENCES[Flag.COUGH].reason
    <Reason.COUGH: 'cough'>
    >>> Flag.COUGH in ENDS_HISTORY, Flag.COUGH in INCOMPLETE
    (True, False)
    >>> [flag.value for flag, _ in withheld_for(Asks.RATE)]
    ['cough']
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from streamer.model.reasons import Reason


class Flag(StrEnum):
    """Labels of a breath; a breath may carry several. Rules and sources: algorithms §2.4.

    Examples:
        >>> Flag("double_trigger") is Flag.DOUBLE_TRIGGER
        True
    """

    HOLD = "hold"
    AFTER_GAP = "after_gap"
    GAP = "gap"
    GAP_SHORT = "gap_short"
    TRUNCATED = "truncated"
    APNOEA = "apnoea"
    STACKED = "stacked"
    DISCONNECT = "disconnect"
    DOUBLE_TRIGGER = "double_trigger"
    INEFFECTIVE_EFFORT = "ineffective_effort"
    AUTOTRIGGER_SUSPECT = "autotrigger_suspect"
    SHORT_CYCLE = "short_cycle"
    LONG_CYCLE = "long_cycle"
    FLOW_STARVATION = "flow_starvation"
    REVERSE_TRIGGER_SUSPECT = "reverse_trigger_suspect"
    COUGH = "cough"
    SUCTION = "suction"
    NO_FLOW = "no_flow"
    ONSET_GAP = "onset_gap"
    TIMES_SUSPECT = "times_suspect"
    FLOW_SUSPECT = "flow_suspect"
    PAW_SUSPECT = "paw_suspect"
    PCO2_SUSPECT = "pco2_suspect"


class Asks(StrEnum):
    """What a metric asks of a breath; declared with the metric, answered by the labels in ``CONSEQUENCES``."""

    ANY = "any"
    """Nothing but a whole breath in a closed circuit."""
    RATE = "rate"
    """A breath that counts as breathing: a cough does not."""
    TIMES = "times"
    """Flow without a gap."""
    VALUES = "values"
    """A breath to measure: no gap, cough or suction. What a metric asks that declares nothing."""
    MECHANICS = "mechanics"
    """VALUES, and one inspiration followed by its own expiration."""
    FLOW_STOP = "flow_stop"
    """MECHANICS, and no patient who pulls while flow is set."""
    PASSIVE = "passive"
    """MECHANICS, and a lung on which no muscle worked. Measured holds are judged by what pressure did in them."""
    FITTED = "fitted"
    """PASSIVE, and no sample that was filled in: a fit needs measured ones (algorithms §1)."""
    CO2 = "co2"
    """A capnogram without a gap, with or without flow."""
    SAMPLES = "samples"
    """MECHANICS, and no sample that was filled in: integrals and fits over a whole phase."""


class Family(StrEnum):
    """Metrics by the module that declares them, where suspicions of a signal withhold not all of them alike."""

    TIMING = "timing"
    VOLUMES = "volumes"
    PRESSURES = "pressures"
    CAPNOGRAPHY = "capnography"
    EXPIRED_CO2 = "expired_co2"
    DEAD_SPACE = "dead_space"
    GASES = "gases"
    """Withheld with what they need."""
    OTHER = "other"
    """Mechanics, power, and what another distribution declares: flow and pressure together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequences:
    """What follows from one label.

    Attributes:
        whole: False: the breath is not complete. It adds nothing to coverage and gets no label of a whole breath.
        ends_history: The next breath is not compared with this one or those before: its state is not theirs.
        ends_pressure: The pressure at its end says nothing about the onset of the next breath.
        onset_seen: False: the time of its onset, as its gas shows it, is not known.
        drawn: False: not chosen for a figure unless a user asks for this breath.
        doubled: It is half of a double breath.
        effort: The patient's muscles worked in it.
        reason: Why metrics are withheld; None where none are.
        withholds_all: Every metric is.
        withholds: Metrics that ask for these are.
        families: Metrics of these families are.
    """

    whole: bool = True
    ends_history: bool = False
    ends_pressure: bool = False
    onset_seen: bool = True
    drawn: bool = True
    doubled: bool = False
    effort: bool = False
    reason: Reason | None = None
    withholds_all: bool = False
    withholds: frozenset[Asks] = frozenset()
    families: frozenset[Family] = frozenset()


_PASSIVE = frozenset({Asks.PASSIVE, Asks.FITTED})
_MECHANICS = _PASSIVE | {Asks.MECHANICS, Asks.FLOW_STOP, Asks.SAMPLES}
_FLOW = _MECHANICS | {Asks.VALUES}
_VALUES = _FLOW | {Asks.CO2}

CONSEQUENCES: Mapping[Flag, Consequences] = MappingProxyType(
    {
        Flag.TRUNCATED: Consequences(
            whole=False, onset_seen=False, drawn=False, reason=Reason.TRUNCATED, withholds_all=True
        ),
        Flag.AFTER_GAP: Consequences(whole=False, onset_seen=False, drawn=False, reason=Reason.GAP, withholds_all=True),
        Flag.APNOEA: Consequences(
            whole=False, ends_history=True, onset_seen=False, reason=Reason.APNOEA, withholds_all=True
        ),
        Flag.DISCONNECT: Consequences(ends_history=True, reason=Reason.DISCONNECT, withholds_all=True),
        Flag.NO_FLOW: Consequences(drawn=False, reason=Reason.FLOW_MISSING, withholds=_FLOW | {Asks.TIMES}),
        Flag.GAP: Consequences(
            whole=False,
            ends_history=True,
            ends_pressure=True,
            onset_seen=False,
            reason=Reason.GAP,
            withholds=_VALUES | {Asks.TIMES},
        ),
        Flag.COUGH: Consequences(
            ends_history=True, ends_pressure=True, reason=Reason.COUGH, withholds=_VALUES | {Asks.RATE}
        ),
        Flag.SUCTION: Consequences(ends_history=True, ends_pressure=True, reason=Reason.SUCTION, withholds=_VALUES),
        Flag.DOUBLE_TRIGGER: Consequences(doubled=True, reason=Reason.DOUBLE_TRIGGER, withholds=_MECHANICS),
        Flag.STACKED: Consequences(doubled=True, reason=Reason.DOUBLE_TRIGGER, withholds=_MECHANICS),
        Flag.INEFFECTIVE_EFFORT: Consequences(effort=True, reason=Reason.PATIENT_EFFORT, withholds=_PASSIVE),
        Flag.FLOW_STARVATION: Consequences(
            effort=True, reason=Reason.PATIENT_EFFORT, withholds=_PASSIVE | {Asks.FLOW_STOP}
        ),
        Flag.REVERSE_TRIGGER_SUSPECT: Consequences(effort=True, reason=Reason.PATIENT_EFFORT, withholds=_PASSIVE),
        Flag.GAP_SHORT: Consequences(
            onset_seen=False, reason=Reason.GAP, withholds=frozenset({Asks.FITTED, Asks.CO2, Asks.SAMPLES})
        ),
        Flag.ONSET_GAP: Consequences(reason=Reason.GAP, families=frozenset({Family.TIMING})),
        Flag.TIMES_SUSPECT: Consequences(
            reason=Reason.SIGNAL_SUSPECT, families=frozenset(Family) - {Family.CAPNOGRAPHY, Family.GASES}
        ),
        Flag.FLOW_SUSPECT: Consequences(
            ends_history=True,
            reason=Reason.SIGNAL_SUSPECT,
            families=frozenset({Family.VOLUMES, Family.EXPIRED_CO2, Family.DEAD_SPACE, Family.OTHER}),
        ),
        Flag.PAW_SUSPECT: Consequences(
            ends_history=True, reason=Reason.SIGNAL_SUSPECT, families=frozenset({Family.PRESSURES, Family.OTHER})
        ),
        Flag.PCO2_SUSPECT: Consequences(
            reason=Reason.SIGNAL_SUSPECT,
            families=frozenset({Family.CAPNOGRAPHY, Family.EXPIRED_CO2, Family.DEAD_SPACE}),
        ),
        Flag.HOLD: Consequences(),
        Flag.AUTOTRIGGER_SUSPECT: Consequences(),
        Flag.SHORT_CYCLE: Consequences(),
        Flag.LONG_CYCLE: Consequences(),
    }
)
"""Label → what follows (algorithms §1.2, §2.4). Of several that withhold a metric, the first row names the reason."""

INCOMPLETE = frozenset(flag for flag, row in CONSEQUENCES.items() if not row.whole)
ENDS_HISTORY = frozenset(flag for flag, row in CONSEQUENCES.items() if row.ends_history)
ENDS_PRESSURE = frozenset(flag for flag, row in CONSEQUENCES.items() if row.ends_pressure)
ONSET_UNSEEN = frozenset(flag for flag, row in CONSEQUENCES.items() if not row.onset_seen)
NOT_DRAWN = frozenset(flag for flag, row in CONSEQUENCES.items() if not row.drawn)
DOUBLED = frozenset(flag for flag, row in CONSEQUENCES.items() if row.doubled)
NOT_PASSIVE = frozenset(flag for flag, row in CONSEQUENCES.items() if row.effort)

Withheld: TypeAlias = tuple[tuple[Flag, Reason], ...]
"""Labels that withhold a metric, each with its reason; the first that a breath has counts."""
WITHHELD: Withheld = tuple((flag, row.reason) for flag, row in CONSEQUENCES.items() if row.withholds_all and row.reason)
"""Labels that withhold every metric."""


def withheld_for(asks: Asks, family: Family | None = None) -> Withheld:
    """Labels that withhold a metric, besides those in ``WITHHELD``, in the order of ``CONSEQUENCES``.

    Args:
        asks: What the metric asks of a breath.
        family: The family it belongs to; None leaves out what is withheld by family.
    """
    return tuple(
        (flag, row.reason)
        for flag, row in CONSEQUENCES.items()
        if row.reason and not row.withholds_all and (asks in row.withholds or family in row.families)
    )
