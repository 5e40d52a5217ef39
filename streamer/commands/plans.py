"""From a configuration or a command line to what ``run`` takes. Floor 4."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streamer.commands.recordings import Recording, bed_id, on_device_clock, open_recording, source_of
from streamer.config import BedConfig, Config, merged
from streamer.context import Sidecar
from streamer.errors import ConfigError, DecodeError
from streamer.run import BedPlan, SourcePlan
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
    source = bed.sources[0]
    sidecar = _sidecar(source.options) if source.adapter == "recording" else Sidecar()
    is_simulated = source.kind == "simulated" or source_of(sidecar) is Source.SIMULATED
    return BedPlan(
        bed=bed.id,
        sources=(SourcePlan(adapter=source.adapter, options=source.options, speed=source.speed),),
        source=Source.SIMULATED if is_simulated else Source(source.kind),
        start_utc=sidecar.recording.start_utc,
        context=merged(sidecar.context, bed.context, bed.context_keys),
        events=(*sidecar.event, *bed.events),
        blood_gases=(*sidecar.blood_gas, *bed.blood_gases),
        core=config.core,
    )


def _sidecar(options: Any) -> Sidecar:
    """What is known of a recording; one that cannot be opened stops its own bed only, later."""
    try:
        return on_device_clock(open_recorded(options))
    except DecodeError:
        return Sidecar()


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
    settings: Any = importlib.import_module("adapters.recording").Settings
    plans: list[BedPlan] = []
    for number, path in enumerate(paths, start=1):
        label = bed_id(path) if bed is None else check_bed_id(bed if number == 1 else f"{bed}-{number}")
        if label in {plan.bed for plan in plans}:
            raise ConfigError(f"{path}: another recording is bed {label!r} already; name the beds with --bed ID")
        sidecar = on_device_clock(open_recording(path, context=context))
        plans.append(
            BedPlan(
                bed=label,
                sources=(SourcePlan(adapter="recording", options=settings(path=path, context=context), speed=speed),),
                source=source_of(sidecar),
                start_utc=sidecar.recording.start_utc,
                context=sidecar.context,
                events=sidecar.event,
                blood_gases=sidecar.blood_gas,
            ),
        )
    return plans
