"""What the operator knows about a session: patient context, events, blood gases.

The same structures come from a sidecar beside a recording, from ``--context`` and, live, over MQTT.
What is unknown stays None: it costs quality and is never guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, inspect

from streamer.model.errors import ConfigError
from streamer.model.units import MMHG_PER_KPA
from streamer.model.validation_errors import friendly, literal, one_line

EventKind: TypeAlias = Literal["prone", "supine", "recruitment", "settings", "suction", "note"]
Minutes: TypeAlias = Annotated[float, Meta(ge=-10_080, le=10_080)]
Hours: TypeAlias = Annotated[float, Meta(ge=0, le=720, description="hours after the event")]

GAS_VALUES = ("pco2_art_mmhg", "po2_art_mmhg", "fio2", "ph")
"""What a blood gas may say."""
UNUSUALLY_LOW = {"pco2_art_mmhg": 15.0, "po2_art_mmhg": 20.0}
"""mmHg below which a value is hardly an arterial sample's, but a usual one in kPa."""


class Checked(msgspec.Struct, frozen=True):
    """Base of all that people state: a value outside its limits is a ``ConfigError`` in Python as it is in TOML."""

    def __post_init__(self) -> None:
        for name, kind, default in _rules(type(self)):
            value = getattr(self, name)
            if value is default:
                continue
            if hasattr(value, "item"):  # a number of NumPy's
                value = value.item()
                msgspec.structs.force_setattr(self, name, value)
            try:
                msgspec.convert(value, kind, builtin_types=(datetime,))
            except msgspec.ValidationError as error:
                problem = friendly(str(error).partition(" - at `$")[0], inspect.type_info(type(self)), (name,))
                raise ConfigError(one_line(f"{type(self).__name__}: {name} = {literal(value)}: {problem}")) from None


@cache
def _rules(kind: type[Checked]) -> tuple[tuple[str, Any, object], ...]:
    """Name, type with its limits, and default of each field."""
    return tuple((field.name, field.type, field.default) for field in msgspec.structs.fields(kind))


class RecordingInfo(Checked, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Table ``[recording]``: where the samples come from.

    ``columns``: name, or number from 0, of a column in the file → its canonical name, which has the unit.
    ``delimiter``, ``decimal``, ``header_line`` (0: there is none), ``missing``, ``dates``: how a text table is written;
    ``sheet``: of a workbook.
    ``start_local``: when its first sample was taken by the device's own clock, whose zone the file does not say;
    ``zone`` says it: a name as Europe/Berlin, or an offset as +02:00. Both together make ``start_utc``.
    ``doubts``: what was doubtful when this recording was made from another, as ``convert`` writes it.
    """

    rate_hz: Annotated[float, Meta(ge=5, le=2000)] | None = None
    start_utc: Annotated[datetime, Meta(tz=True)] | None = None
    start_local: Annotated[datetime, Meta(tz=False)] | None = None
    zone: Annotated[str, Meta(max_length=64)] = ""
    device: str = ""
    source: str = ""
    licence: str = ""
    command: str = ""
    columns: Annotated[dict[str, str], Meta(min_length=1, max_length=64)] | None = None
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] | None = None
    decimal: Literal[".", ","] | None = None
    header_line: Annotated[int, Meta(ge=0, le=1000)] | None = None
    missing: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=12)], ...], Meta(max_length=16)] = ()
    dates: Literal["ymd", "dmy", "mdy"] | None = None
    sheet: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    doubts: Annotated[tuple[Annotated[str, Meta(max_length=1000)], ...], Meta(max_length=200)] = ()


class Context(Checked, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Table ``[context]``: what is known of patient and sensors. Every key is optional.

    Attributes:
        passive: Whether the operator asserts that the patient makes no effort.
        mode: Ventilation mode.
        patient_class: Chooses the segmenter's thresholds.
        sex: With ``height_cm`` gives predicted body weight.
        height_cm: cm.
        weight_kg: kg.
        sensor_site: Where flow is measured.
        flow_conditions: Gas conditions of the flow signal; converted to BTPS.
        flow_sign: Of the flow in the file or from the device while gas goes into the patient.
        barometric_mmhg: Barometric pressure, mmHg.
        ambient_c: Temperature of the room, °C.
        standard_c: Temperature of the standard litre of ``flow_conditions = "STPD"``, °C. Makers define it
            differently; 0 when unknown.
        circuit_compliance_ml_cmh2o: Compliance of the circuit, mL/cmH2O.
        apparatus_volume_ml: Volume between the wye and the CO2 sensor (filter, tube), which fresh gas clears first, mL.
        co2_kind: Kind of the CO2 sensor.
        co2_scale: Whether PCO2 is given at body conditions or of dry gas.
        co2_delay_s: How much later than flow PCO2 arrives, s.
        co2_rise_s: 10-90 % rise time of the CO2 sensor, s.
        allow_sidestream_vcap: Allow volumetric capnography from a sidestream sensor.

    Raises:
        ConfigError: A value outside its limits.

    Examples:
        >>> Context(passive="asserted", sex="female", height_cm=162).mode is None
        True
        >>> Context(height_cm=1.62)
        Traceback (most recent call last):
            ...
        streamer.model.errors.ConfigError: Context: height_cm = 1.62: expected a number >= 20 (cm; 1.62 m is 162)
    """

    passive: Literal["asserted", "not_asserted"] | None = None
    mode: Literal["vcv", "pcv", "psv", "other"] | None = None
    patient_class: Literal["adult", "paediatric", "neonate"] | None = None
    sex: Literal["male", "female"] | None = None
    height_cm: Annotated[float, Meta(ge=20, le=250, description="cm; 1.62 m is 162")] | None = None
    weight_kg: Annotated[float, Meta(gt=0, le=500)] | None = None
    sensor_site: Literal["wye", "ventilator"] | None = None
    flow_sign: Literal["inspiration_positive", "inspiration_negative"] | None = None
    flow_conditions: Literal["BTPS", "ATPS", "ATPD", "STPD"] | None = None
    barometric_mmhg: Annotated[float, Meta(ge=300, le=900, description="mmHg; 1013 hPa is 760")] | None = None
    ambient_c: Annotated[float, Meta(ge=-20, le=50)] | None = None
    standard_c: Annotated[float, Meta(ge=0, le=30, description="degrees C of a standard litre")] | None = None
    circuit_compliance_ml_cmh2o: Annotated[float, Meta(ge=0, le=20)] | None = None
    apparatus_volume_ml: Annotated[float, Meta(ge=0, le=500)] | None = None
    co2_kind: Literal["mainstream", "sidestream"] | None = None
    co2_scale: Literal["BTPS", "dry"] | None = None
    co2_delay_s: Annotated[float, Meta(ge=-1, le=10)] | None = None
    co2_rise_s: Annotated[float, Meta(ge=0, le=5)] | None = None
    allow_sidestream_vcap: bool | None = None


class SessionEvent(Checked, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Table ``[[event]]``: a change of position or settings, a manoeuvre or a note.

    Attributes:
        kind: prone, supine, recruitment, settings, suction or note.
        at_s: Device clock, s; or give ``at``.
        at: Aware date-time.
        text: One line for a reader.

    Raises:
        ConfigError: An unknown kind or a value outside its limits.

    Examples:
        >>> SessionEvent(kind="prone", at_s=2400.0).kind
        'prone'
    """

    kind: EventKind
    at_s: float | None = None
    at: Annotated[datetime, Meta(tz=True)] | None = None
    text: Annotated[str, Meta(max_length=500)] = ""


class BloodGas(Checked, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Table ``[[blood_gas]]``: an arterial sample, by the time of its draw.

    Attributes:
        at_s: Device clock of the draw, s; or give ``at``.
        at: Aware date-time of the draw.
        pco2_art_mmhg: Arterial PCO2, mmHg.
        po2_art_mmhg: Arterial PO2, mmHg.
        fio2: Inspired oxygen fraction at the draw, 0.21 to 1.
        ph: Arterial pH.

    Raises:
        ConfigError: A value outside its limits; the message says so of a usual slip, such as kPa or %.

    Examples:
        >>> BloodGas(at_s=1500.0, pco2_art_mmhg=52.0, po2_art_mmhg=81.0, fio2=0.6).fio2
        0.6
        >>> BloodGas(at_s=1500.0, fio2=60)
        Traceback (most recent call last):
            ...
        streamer.model.errors.ConfigError: BloodGas: fio2 = 60: expected a number <= 1 (a fraction; 60 % is 0.6)
    """

    at_s: float | None = None
    at: Annotated[datetime, Meta(tz=True)] | None = None
    pco2_art_mmhg: Annotated[float, Meta(ge=5, le=250, description="mmHg; 1 kPa is 7.5")] | None = None
    po2_art_mmhg: Annotated[float, Meta(ge=10, le=760, description="mmHg; 1 kPa is 7.5")] | None = None
    fio2: Annotated[float, Meta(ge=0.21, le=1.0, description="a fraction; 60 % is 0.6")] | None = None
    ph: Annotated[float, Meta(ge=6.5, le=8.0)] | None = None


class Sidecar(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of ``NAME.toml`` beside a recording: one field a table.

    Examples:
        >>> Sidecar(context=Context(mode="vcv"), event=(SessionEvent(kind="prone", at_s=90.0),)).event[0].at_s
        90.0
    """

    recording: RecordingInfo = RecordingInfo()
    context: Context = Context()
    event: tuple[SessionEvent, ...] = ()
    blood_gas: tuple[BloodGas, ...] = ()


class PointSettings(Checked, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Table ``[points]``: which time points, and how they are cut (algorithms §8.2).

    Attributes:
        event: The first of this kind is time 0; the baseline lies before it.
        baseline_min: The baseline's window in minutes from it.
        hours: Kind of event → hours after the first of that kind at or after time 0.
        half_width_min: A point's window reaches so far to either side, minutes.
        settle_min: Minutes discarded after every change of position: turning and what follows it.
        min_coverage: Share of a window that whole breaths must fill, 0 to 1.
        trend_min: Width of the bins of a trend, minutes.

    Raises:
        ConfigError: A value outside its limits.

    Examples:
        >>> PointSettings(hours={"prone": (1.0, 16.0)}).half_width_min
        15.0
    """

    event: EventKind = "prone"
    baseline_min: tuple[Minutes, Minutes] = (-30.0, -5.0)
    hours: dict[str, tuple[Hours, ...]] = msgspec.field(default_factory=lambda: {"prone": (1.0, 4.0, 8.0)})
    half_width_min: Annotated[float, Meta(gt=0, le=720)] = 15.0
    settle_min: Annotated[float, Meta(ge=0, le=720)] = 10.0
    min_coverage: Annotated[float, Meta(ge=0, le=1, description="a share; 50 % is 0.5")] = 0.5
    trend_min: Annotated[float, Meta(ge=0.1, le=720)] = 5.0


def low_gas(key: str, value: float) -> str:
    """A question about a value in mmHg, and what to say if the answer is yes."""
    remedy = f"1 kPa is 7.50062 mmHg, {value:g} kPa are {MMHG_PER_KPA * value:.1f} mmHg"
    return f"{key} {value:g} is unusually low: is it in kPa? ({remedy})"


def doubts(gas: BloodGas) -> dict[str, str]:
    """Key → a question about a value that is allowed and yet hardly meant so; nothing is converted."""
    return {
        key: low_gas(key, value)
        for key, least in UNUSUALLY_LOW.items()
        if (value := getattr(gas, key)) is not None and value < least
    }


def check_told(context: Context | None, events: Sequence[SessionEvent], blood_gases: Sequence[BloodGas]) -> None:
    """Refuse what is of another type: a dict with the keys of a context, say. Raises ``ConfigError``."""
    told = ((context or Context(), Context), *((one, SessionEvent) for one in events))
    for found, kind in (*told, *((one, BloodGas) for one in blood_gases)):
        if not isinstance(found, kind):
            expected = f"expected a {kind.__name__}(…), not a {type(found).__name__}"
            raise ConfigError(f"{expected}: {kind.__name__}(**table) makes one of a dict")
