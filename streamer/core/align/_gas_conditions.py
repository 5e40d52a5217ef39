"""Sign and gas conditions of flow, as the context declares them."""

from __future__ import annotations

from dataclasses import replace

from streamer.model.chunk import Channel, Chunk
from streamer.model.context import Context
from streamer.model.errors import ConfigError
from streamer.model.units import STANDARD_MMHG, atpd_to_btps, atps_to_btps, stpd_to_btps


def inward(chunk: Chunk, context: Context) -> Chunk:
    """A chunk whose flow is positive into the patient, whichever sign the context says that it has."""
    flow = chunk.channels.get(Channel.FLOW)
    if flow is None or context.flow_sign != "inspiration_negative":
        return chunk
    return replace(chunk, channels={**chunk.channels, Channel.FLOW: 0.0 - flow})  # no flow stays 0.0, not -0.0


def btps_factor(context: Context) -> float:
    """Flow as the sensor gives it → flow at body conditions; 1 where nothing is declared.

    Raises:
        ConfigError: ``ATPS`` or ``ATPD`` without the ambient temperature it needs.
    """
    conditions = context.flow_conditions
    if conditions in {None, "BTPS"}:
        return 1.0
    barometric_mmhg = STANDARD_MMHG if context.barometric_mmhg is None else context.barometric_mmhg
    if conditions == "STPD":
        return stpd_to_btps(context.standard_c or 0.0, barometric_mmhg)
    if context.ambient_c is None:
        raise ConfigError(f"context: flow_conditions = {conditions!r} needs ambient_c, the temperature at the sensor")
    factor = atps_to_btps if conditions == "ATPS" else atpd_to_btps
    return factor(context.ambient_c, barometric_mmhg)


def assumed(context: Context) -> str:
    """What a conversion takes for granted, for the reader of its numbers; empty where all is declared."""
    if context.flow_conditions != "STPD" or context.standard_c is not None:
        return ""
    return (
        "flow is of dry standard gas, taken at 760 mmHg and 0 degrees C; makers of sensors often mean 20 (volumes 7 % "
        "larger): say standard_c, or flow_conditions, under [context]"
    )
