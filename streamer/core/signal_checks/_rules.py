"""The rules: what is suspicious, what is asked, and what it withholds. Data.

Limits are far from anything a patient does: 300 L/min is more than ventilators give, 3.5 cmH2O less than they push
with, and a capnogram between 3 and 9 is a usual one in kPa or percent. Units that differ by little (mbar and cmH2O:
2 %) cannot be told apart by what is plausible.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from streamer.core.signal_checks._signals import Signals
from streamer.model.chunk import Channel
from streamer.model.flags import Flag

BREATHS = (Flag.FLOW_SUSPECT, Flag.TIMES_SUSPECT)
"""Flow that cannot be cut into breaths either."""
NOTHING: tuple[Flag, ...] = ()
"""The breaths concerned are labelled themselves (``Standing``)."""
FLOW, PAW, PCO2 = (Flag.FLOW_SUSPECT,), (Flag.PAW_SUSPECT,), (Flag.PCO2_SUSPECT,)

LEAST_TOP = {"adult": 0.1}
"""L/s, by declared class: somebody of it, whom pressure moves, has exceeded it since the beginning, if only before a
tube was kinked."""
CALM_S = 30.0
"""What shows in some breaths only may not show in the next ones."""


class Rule(NamedTuple):
    """``withholds``: labels of the breaths from then on; what they mean is said in ``metrics``."""

    channel: Channel
    is_odd: Callable[[Signals], float]
    """Whether it applies: true, or not 0."""
    withholds: tuple[Flag, ...]
    question: str
    calm_s: float = CALM_S
    """Looks without it for so long end the suspicion."""


def _is_swapped(s: Signals) -> bool:
    """Whether "flow" never turns back, as pressure above PEEP, while "pressure" goes both ways about zero, as flow."""
    both_ways = s.paw.low < -0.1 * s.paw.high and abs(s.paw.mean) < 0.25 * s.paw.swing
    is_large = s.paw.low < -3.0 or s.flow.high > 5.0  # noqa: PLR2004
    return s.paw.high > 0.0 and both_ways and is_large and s.flow.high > 0.0 and s.flow.low >= -0.1 * s.flow.high


ANY: Mapping[str, tuple[str, str]] = {
    "wraps": ("is_wrapped", "{word} jumps between {at.bottom:.3g} and {at.top:.3g} {unit}: does a counter overflow?"),
    "clipped": (
        "is_clipped_high",
        "{word} stands at {at.top:.4g} {unit} at the top of breath after breath: is that the sensor's limit?",
    ),
    "stuck": (
        "is_stuck",
        "{word} repeats one value for {at.frozen_s:.3g} s while other signals move: is its sensor connected?",
    ),
    "frozen": (
        "is_frozen",
        "{word} repeats one value for {at.frozen_s:.3g} s while other signals move: is its sensor connected?",
    ),
}
"""What any channel may do: rule, the field of its spread that says so, the question."""
WORDS: Mapping[Channel, tuple[str, str, tuple[Flag, ...]]] = {
    Channel.FLOW: ("flow", "L/s", BREATHS),
    Channel.PAW: ("pressure", "cmH2O", PAW),
    Channel.PCO2: ("PCO2", "mmHg", PCO2),
}
"""What each is called, its unit, and what it withholds."""


def _rule(channel: Channel, name: str) -> Rule:
    """One of ``ANY`` for one channel."""
    field, asked = ANY[name]
    word, unit, withheld = WORDS[channel]
    place = Signals._fields.index(channel.value)

    def is_odd(s: Signals) -> float:
        return getattr(s[place], field)  # type: ignore[no-any-return]

    question = asked.replace("{word}", word).replace("{unit}", unit).replace("{at.", f"{{s.{channel.value}.")
    calm_s = 0.0 if name == "frozen" else CALM_S  # what moves is no longer frozen
    return Rule(channel, is_odd, NOTHING if name == "stuck" else withheld, question, calm_s)


def _is_pco2_frozen(s: Signals) -> bool:
    """Whether CO2 stands still although gas comes back that should bring some."""
    return bool(s.pco2.is_frozen) and not s.flow_out < 0.5 * s.flow_in


RULES: Mapping[str, Rule] = {
    **{f"{channel.value}_{name}": _rule(channel, name) for channel in WORDS for name in ANY},
    "pco2_frozen": _rule(Channel.PCO2, "frozen")._replace(is_odd=_is_pco2_frozen),
    "flow_too_large": Rule(
        Channel.FLOW, lambda s: s.flow.usual > 5.0 and max(s.flow_in, s.flow_out) > 1.0, BREATHS,  # noqa: PLR2004
        "flow reaches {s.flow.high:.3g} and {s.flow.low:.3g} L/s: is it in L/min or mL/s?",
    ),
    "flow_too_small": Rule(
        Channel.FLOW,
        lambda s: (s.flow.most < 0.03 or s.flow_top < LEAST_TOP.get(s.patient_class or "", 0.0))  # noqa: PLR2004
        and s.paw.swing > 3.0 and s.paw_step > 0.2 * s.paw.swing and s.is_whole  # noqa: PLR2004
        and s.patient_class != "neonate",
        BREATHS,
        "pressure swings by {s.paw.swing:.3g} cmH2O and flow stays below {s.flow.most:.2g} L/s: is it in another unit "
        "(L/s read as L/min, L/min as mL/s), or is patient_class another one?",
    ),
    "flow_reversed": Rule(
        Channel.FLOW,
        lambda s: s.paw_step < -2.0 and s.paw.swing > 5.0 and s.paw_above > -0.75 * s.paw_step and s.is_whole,  # noqa: PLR2004
        BREATHS,
        "pressure is {step:.3g} cmH2O higher while gas flows out: is flow positive out of the patient?",
    ),
    "flow_outward": Rule(
        Channel.FLOW,
        lambda s: s.flow_out > 3.0 * s.flow_in and s.flow_out > 0.02 and s.paw.swing > 3.0  # noqa: PLR2004
        and (s.is_first or s.balance_s >= 20.0),  # noqa: PLR2004
        BREATHS,
        "{s.flow_out:.2g} L/s flow out and {s.flow_in:.2g} L/s in, on the average: does a sensor miss the inflow?",
    ),
    "swapped": Rule(
        Channel.PAW, _is_swapped, (*BREATHS, *PAW),
        "flow stays between {s.flow.low:.3g} and {s.flow.high:.3g} L/s and pressure goes from {s.paw.low:.3g} to "
        "{s.paw.high:.3g} cmH2O: are they exchanged?",
    ),
    "paw_is_co2": Rule(
        Channel.PAW, lambda s: s.paw_step < -5.0 and s.paw.low < 3.0 and s.pco2_step > 1.0 and s.pco2.low > 1.0,  # noqa: PLR2004
        (*PAW, *PCO2),
        "pressure is {step:.3g} cmH2O higher while gas flows out, PCO2 {s.pco2_step:.3g} mmHg lower and never below "
        "{s.pco2.low:.3g}: are they exchanged?",
    ),
    "paw_too_large": Rule(
        Channel.PAW, lambda s: s.paw.swing > 150.0, PAW,  # noqa: PLR2004
        "pressure swings by {s.paw.swing:.3g} cmH2O: is it in Pa?",
    ),
    "paw_absolute": Rule(
        Channel.PAW, lambda s: s.paw.low > 500.0 and s.paw.swing <= 150.0, PAW,  # noqa: PLR2004
        "pressure is never below {s.paw.low:.4g} cmH2O: is it absolute, not relative to ambient?",
    ),
    "paw_too_small": Rule(
        Channel.PAW,
        lambda s: 0.2 < s.paw.swing < 3.5 and 0.2 < s.paw.high < 3.5  # noqa: PLR2004
        and s.flow.most > 0.05 and s.paw_step > 0.2 * s.paw.swing and s.is_whole,  # noqa: PLR2004
        PAW,
        "flow reaches {s.flow.most:.2g} L/s and pressure no more than {s.paw.high:.2g} cmH2O: is it in kPa?",
    ),
    "pco2_too_small": Rule(
        Channel.PCO2, lambda s: s.pco2.high > 3.0 and s.pco2_top < 9.0  # noqa: PLR2004
        and abs(s.pco2.low) < 0.2 * s.pco2.high and s.pco2.mean > 0.3 * s.pco2.high,
        PCO2,
        "PCO2 is no higher than {s.pco2.high:.2g} mmHg: is it in kPa or percent?",
    ),
    "pco2_too_large": Rule(
        Channel.PCO2, lambda s: s.pco2.high > 150.0, PCO2,  # noqa: PLR2004
        "PCO2 reaches {s.pco2.high:.4g} mmHg: is it in Pa?",
    ),
    "flow_clipped": Rule(
        Channel.FLOW, lambda s: s.flow.is_clipped_high or s.flow.is_clipped_low, FLOW,
        "flow stands at one value, between {s.flow.bottom:.4g} and {s.flow.top:.4g} L/s, in breath after breath: is "
        "that the sensor's limit?",
    ),
}  # fmt: skip
"""Name → rule."""
MARKS = ("_wraps", "_clipped", "_stuck", "_frozen")
LEVELS = frozenset(name for name in RULES if not name.endswith(MARKS))
"""Rules that ask for levels; the others ask for marks, which are rare."""
