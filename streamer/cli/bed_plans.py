"""From a configuration or a command line to what ``run`` takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from adapters.recordings.open import Recording, open_recording
from adapters.recordings.open import Settings as RecordingSettings
from streamer.analysis.recordings import on_device_clock, source_of, utc_of_zero_s
from streamer.model.bed_label import bed_id
from streamer.model.context import Context, Sidecar
from streamer.model.errors import ConfigError, DecodeError
from streamer.service import BedPlan, SourcePlan
from streamer.service.config import BedConfig, Config, SourceConfig, merged
from streamer.wire import Source, check_bed_id


def plans_of(config: Config) -> list[BedPlan]:
    """A plan per bed; what a recording's sidecar says is filled in where the configuration is silent.

    Raises:
        ConfigError: No bed; a sidecar that cannot be used.
    """
    if not config.beds:
        raise ConfigError(f"{config.name}: names no bed; add a [[bed]] with an id and sources")
    return [_plan(bed, config) for bed in config.beds]


def _plan(bed: BedConfig, config: Config) -> BedPlan:
    opened = [_opened(source) for source in bed.sources]
    sidecars = [Sidecar() if recording is None else on_device_clock(recording) for recording in opened]
    known, context = sidecars[0], sidecars[0].context
    is_simulated = bed.sources[0].kind == "simulated" or source_of(known) is Source.SIMULATED
    for beside in sidecars[1:]:
        context = _filled(context, beside.context)
    for one in bed.sources:
        context = _filled(context, getattr(one.options, "says", Context()))
    context = merged(context, bed.context, bed.context_keys)
    return BedPlan(
        bed=bed.id,
        sources=tuple(
            SourcePlan(
                adapter=one.adapter,
                options=_with_barometer(one.options, context),
                speed=one.speed,
                clock_offset_s=_offset_s(one, recording, opened[0]),
            )
            for one, recording in zip(bed.sources, opened, strict=True)
        ),
        source=Source.SIMULATED if is_simulated else Source(bed.sources[0].kind),
        start_utc=known.recording.start_utc,
        context=context,
        events=(*known.event, *bed.events),
        blood_gases=(*known.blood_gas, *bed.blood_gases),
        core=config.core,
    )


def _opened(source: SourceConfig) -> Recording | None:
    """A recording; None for another source, and for one that cannot be opened, which stops its own bed only, later."""
    try:
        return open_recorded(source.options) if source.adapter == "recording" else None
    except DecodeError:
        return None


def _with_barometer(options: Any, context: Context) -> Any:
    """Options of a source that reads CO2 in %: of the bed's barometric pressure, where they say none of their own."""
    if not hasattr(options, "barometric_mmhg") or options.barometric_mmhg is not None:
        return options
    return dataclasses.replace(options, barometric_mmhg=context.barometric_mmhg)


def _filled(context: Context, beside: Context) -> Context:
    """The first source's context; what it does not say comes from a further one's, a capnograph's."""
    missing = {key: getattr(beside, key) for key in Context.__struct_fields__ if getattr(context, key) is None}
    return msgspec.structs.replace(context, **missing)


def _offset_s(source: SourceConfig, recording: Recording | None, first: Recording | None) -> float | None:
    """As declared; else, of two recordings that say when they began, from that."""
    if source.clock_offset_s is not None or recording is None or first is None or recording is first:
        return source.clock_offset_s
    theirs, ours = utc_of_zero_s(recording), utc_of_zero_s(first)
    return None if theirs is None or ours is None else theirs - ours


def open_recorded(options: Any) -> Recording:
    """The recording that ``recording.Settings`` name. Raises as ``open_recording``."""
    return open_recording(options.path, format_name=options.format, rate_hz=options.rate_hz, context=options.context)


def plans_of_recordings(
    paths: Sequence[Path], *, speed: float, bed: str | None, context: Path | None = None
) -> list[BedPlan]:
    """A bed per recording, named after its file, or ``bed``, ``bed-2`` and so on; ``context`` wins over sidecars.

    Raises:
        ConfigError: Two recordings would be the same bed.
        DecodeError: A recording cannot be read.
    """
    plans: list[BedPlan] = []
    for number, path in enumerate(paths, start=1):
        label = bed_id(path) if bed is None else check_bed_id(bed if number == 1 else f"{bed}-{number}")
        if label in {plan.bed for plan in plans}:
            raise ConfigError(f"{path}: another recording is bed {label!r} already; name the beds with --bed ID")
        sidecar = on_device_clock(open_recording(path, context=context))
        plans.append(
            BedPlan(
                bed=label,
                sources=(
                    SourcePlan(adapter="recording", options=RecordingSettings(path=path, context=context), speed=speed),
                ),
                source=source_of(sidecar),
                start_utc=sidecar.recording.start_utc,
                context=sidecar.context,
                events=sidecar.event,
                blood_gases=sidecar.blood_gas,
            ),
        )
    return plans
