"""What the operator knows about a session: patient context, events, blood gases. Floor 0.

The same structures come from a sidecar beside a recording, from ``--context`` and, live, over MQTT.
What is unknown stays None: it costs quality and is never guessed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Positive = Annotated[float, Meta(gt=0)]


class RecordingInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Table ``[recording]``: where the samples come from."""

    rate_hz: Annotated[float, Meta(ge=5, le=2000)] | None = None
    start_utc: Annotated[datetime, Meta(tz=True)] | None = None
    device: str = ""
    source: str = ""
    licence: str = ""
    command: str = ""


class Context(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Table ``[context]``: everything optional (contract.md §2).

    ``apparatus_volume_ml``: between the wye and the CO2 sensor (filter, tube), which fresh gas has to clear first.
    """

    passive: Literal["asserted", "not_asserted"] | None = None
    mode: Literal["vcv", "pcv", "psv", "other"] | None = None
    patient_class: Literal["adult", "paediatric", "neonate"] | None = None
    sex: Literal["male", "female"] | None = None
    height_cm: Annotated[float, Meta(ge=20, le=250)] | None = None
    weight_kg: Annotated[float, Meta(gt=0, le=500)] | None = None
    sensor_site: Literal["wye", "ventilator"] | None = None
    flow_conditions: Literal["BTPS", "ATPS", "ATPD"] | None = None
    barometric_mmhg: Annotated[float, Meta(ge=300, le=900)] | None = None
    ambient_c: Annotated[float, Meta(ge=-20, le=50)] | None = None
    circuit_compliance_ml_cmh2o: Annotated[float, Meta(ge=0, le=20)] | None = None
    apparatus_volume_ml: Annotated[float, Meta(ge=0, le=500)] | None = None
    co2_kind: Literal["mainstream", "sidestream"] | None = None
    co2_scale: Literal["BTPS", "dry"] | None = None
    co2_delay_s: Annotated[float, Meta(ge=-1, le=10)] | None = None
    co2_rise_s: Annotated[float, Meta(ge=0, le=5)] | None = None
    allow_sidestream_vcap: bool = False


class SessionEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Table ``[[event]]``: at ``at_s`` on the device clock, or ``at`` as an aware date-time."""

    kind: Literal["prone", "supine", "recruitment", "settings", "suction", "note"]
    at_s: float | None = None
    at: Annotated[datetime, Meta(tz=True)] | None = None
    text: Annotated[str, Meta(max_length=500)] = ""


class BloodGas(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Table ``[[blood_gas]]``: an arterial sample by its draw time."""

    at_s: float | None = None
    at: Annotated[datetime, Meta(tz=True)] | None = None
    pco2_art_mmhg: Annotated[float, Meta(ge=5, le=250)] | None = None
    po2_art_mmhg: Annotated[float, Meta(ge=10, le=760)] | None = None
    fio2: Annotated[float, Meta(ge=0.21, le=1.0)] | None = None
    ph: Annotated[float, Meta(ge=6.5, le=8.0)] | None = None


class Sidecar(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of ``NAME.toml`` beside a recording."""

    recording: RecordingInfo = RecordingInfo()
    context: Context = Context()
    event: tuple[SessionEvent, ...] = ()
    blood_gas: tuple[BloodGas, ...] = ()
