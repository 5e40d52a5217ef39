"""The features of a breath that labels need; NaN where absent."""

from __future__ import annotations

from typing import Protocol


class LabelFeatures(Protocol):
    """The features of a breath as labels see them. ``core.metrics.features`` computes them."""

    @property
    def insp_volume(self) -> float:
        """Inspired volume, L."""
        ...

    @property
    def exp_volume(self) -> float:
        """Expired volume, L."""
        ...

    @property
    def peak_exp_flow(self) -> float:
        """Largest magnitude of expiratory flow, L/s."""
        ...

    @property
    def peak_paw(self) -> float:
        """Highest airway pressure, cmH2O."""
        ...

    @property
    def end_paw(self) -> float:
        """Airway pressure at the end of expiration, cmH2O."""
        ...

    @property
    def start_min_paw(self) -> float:
        """Lowest pressure of the first 0.1 s, cmH2O."""
        ...

    @property
    def end_min_paw(self) -> float:
        """Lowest pressure of the last 0.2 s, cmH2O."""
        ...

    @property
    def low_paw(self) -> float:
        """Level below which pressure stayed for a whole second, cmH2O; NaN in a shorter breath."""
        ...

    @property
    def efforts(self) -> float:
        """Number of dips of pressure during expiration that slow the outflow."""
        ...

    @property
    def is_hold(self) -> bool:
        """Whether the breath has an end-inspiratory hold."""
        ...

    @property
    def is_exp_hold(self) -> bool:
        """Whether the breath has an end-expiratory hold."""
        ...

    @property
    def hold_s(self) -> float:
        """Duration of the end-inspiratory hold, s; NaN without one."""
        ...

    @property
    def hold_at_s(self) -> float:
        """Start of the end-inspiratory hold, s from sample 0."""
        ...

    @property
    def hold_p1(self) -> float:
        """Pressure when flow reached zero in the hold, cmH2O."""
        ...

    @property
    def hold_end_paw(self) -> float:
        """Mean pressure of the last 100 ms of the hold, cmH2O."""
        ...

    @property
    def exp_hold_s(self) -> float:
        """Duration of the end-expiratory hold, s; NaN without one."""
        ...

    @property
    def exp_hold_at_s(self) -> float:
        """Start of the end-expiratory hold, s from sample 0."""
        ...

    @property
    def is_square(self) -> bool:
        """Whether inspiratory flow is constant."""
        ...

    @property
    def square_flow(self) -> float:
        """Mean flow over 20-80 % of the flow time, L/s."""
        ...

    @property
    def square_stop_paw(self) -> float:
        """Pressure at the instant when constant flow stops, cmH2O."""
        ...

    @property
    def sag(self) -> float:
        """Depth of pressure below its chord over inspiration, cmH2O; NaN unless flow is steady."""
        ...

    @property
    def sag_at(self) -> float:
        """Centre of the area of the sag, as a share of the chord."""
        ...

    @property
    def sag_fall(self) -> float:
        """Fall of pressure while flow is constant, cmH2O."""
        ...

    @property
    def late_fall(self) -> float:
        """Fall of pressure in the second half of an inspiration with set flow, cmH2O."""
        ...

    @property
    def late_swing(self) -> float:
        """Trough of flow in late inspiration or early expiration, L/s."""
        ...

    @property
    def late_at_s(self) -> float:
        """Instant of that trough, s from sample 0."""
        ...

    @property
    def below(self) -> float:
        """Depth of pressure below the continued line of the first half of inspiration, cmH2O."""
        ...

    @property
    def below_at_s(self) -> float:
        """Instant where half of that depth is reached, s from sample 0."""
        ...

    @property
    def top_paw(self) -> float:
        """Highest pressure of the whole breath, cmH2O (3-point medians)."""
        ...

    @property
    def reversals(self) -> float:
        """Most reversals of flow within one second."""
        ...

    @property
    def sucked_s(self) -> float:
        """Longest time below -3 cmH2O with little inflow, s."""
        ...
