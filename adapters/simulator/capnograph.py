"""From the gas that passes the sensor to the capnograph's samples: a line, a response, a clock. Used by ``engine``.

A plain capnograph is the kernel's own sampling, late by a constant. Any other reads a trace that the kernel leaves at
``TRACE_HZ``: means over its intervals, so that no CO2 is lost on the way, and all that follows is exact for a gas that
is constant over each of them. Every sample is read, whatever the delay does: a step later reads some gas twice, one
earlier leaves some out.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from adapters.simulator.scenario import Capnograph, Scenario
from streamer.model.chunk import FloatArray
from streamer.model.jit import kernel

TRACE_HZ = 1000.0
RUN_IN = 12.0
"""Time constants before the first sample: what the response remembers of its beginning is below 1e-5."""
LEAST_FLOW = 0.1
"""Of sampling flow at PEEP: what a pump still draws however low the airway pressure."""


class Reader(Protocol):
    """What makes CO2 samples of a breath's gas.

    Attributes:
        clock: Instant of the kernel's CO2 sample 0, s, and its rate, Hz.
        lead_s: What it has to know of the time before the first sample and after the last.
    """

    clock: tuple[float, float]
    lead_s: float

    def read(self, first: tuple[int, int], paw: FloatArray, gas: FloatArray, peep: float) -> FloatArray:
        """The samples, from sample 0 on, that can be read now.

        Args:
            first: Numbers of the first sample of ``paw`` and of ``gas``; each goes on where it ended last time.
            paw: (n,) airway pressure at the scenario's rate, cmH2O.
            gas: (m,) what the kernel sampled, mmHg.
            peep: What ``paw`` is compared with, cmH2O.
        """


def reader(scenario: Scenario) -> Reader:
    """The one that the scenario asks for."""
    device = scenario.capnograph or Capnograph()
    plain = not (device.time_constant_s or device.mixing_s or device.flow_per_cmh2o or device.rate_hz)
    return _Plain(scenario) if plain and not scenario.co2_delay else _Line(scenario, device)


class _Plain:
    def __init__(self, scenario: Scenario) -> None:
        self.clock = (-scenario.co2_delay_s, scenario.rate_hz)
        self.lead_s = abs(scenario.co2_delay_s) + 2 / scenario.rate_hz

    def read(self, first: tuple[int, int], paw: FloatArray, gas: FloatArray, peep: float) -> FloatArray:
        """As the kernel sampled it."""
        del paw, peep
        return gas[max(-first[1], 0) :]


class _Line:
    """Gas drawn through a line, which holds what is drawn in one delay while pressure is at PEEP."""

    clock = (0.5 / TRACE_HZ, TRACE_HZ)  # intervals that begin with sample 0 of the trace at 0 s

    def __init__(self, scenario: Scenario, device: Capnograph) -> None:
        self._rate, self._paw_hz = scenario.co2_rate_hz, scenario.rate_hz
        self._parts = math.ceil(TRACE_HZ / self._rate)
        self._delays, self._gain = scenario.delays, device.flow_per_cmh2o
        self._stages = [(tau_s, np.full(1, np.nan)) for tau_s in (device.mixing_s, device.time_constant_s) if tau_s]
        run_in_s = RUN_IN * sum(tau_s for tau_s, _ in self._stages)
        self._longest_s = max(self._delays.longest_s, 0.0)  # gas read early needs the clock of now, too
        self._next = -math.ceil(run_in_s * self._rate)
        self.lead_s = max(self._longest_s, -self._delays.shortest_s) + run_in_s + 2 / self._rate + 2 / scenario.rate_hz
        self._edges_s, self._drawn_s = np.empty(0), np.empty(0)  # of samples of pressure, on the clock and in the line
        self._gas, self._first_gas = np.empty(0), 0

    def read(self, first: tuple[int, int], paw: FloatArray, gas: FloatArray, peep: float) -> FloatArray:
        """See ``Reader``."""
        self._draw(first, paw, gas, peep)
        last = math.floor(float(self._edges_s[-1]) * self._rate - 0.5)
        parts = np.arange(max(last + 1 - self._next, 0) * self._parts + 1) / self._parts
        edges_s = (self._next - 0.5 + parts) / self._rate
        middle_s, drawn_s = 0.5 * (edges_s[:-1] + edges_s[1:]), np.interp(edges_s, self._edges_s, self._drawn_s)
        delay_s = self._delays.at(middle_s)
        ends_s = (self._first_gas + self._gas.size) / TRACE_HZ
        known_s = min(float(self._drawn_s[-1]), float(np.interp(ends_s, self._edges_s, self._drawn_s)))
        late = np.flatnonzero(drawn_s[1:] - delay_s > known_s)
        count = (int(late[0]) if late.size else middle_s.size) // self._parts
        n = count * self._parts
        seen = self._between(drawn_s[:n] - delay_s[:n], drawn_s[1 : n + 1] - delay_s[:n])
        for tau_s, shown in self._stages:
            seen = respond(seen, tau_s * self._rate * self._parts, shown)
        skipped = min(max(-self._next, 0), count)
        self._next += count
        self._forget(float(drawn_s[n]))
        return np.asarray(seen.reshape(count, self._parts).mean(axis=1)[skipped:], dtype=np.float64)

    def _draw(self, first: tuple[int, int], paw: FloatArray, gas: FloatArray, peep: float) -> None:
        """More gas at the mouth of the line, and how much of it the pump has drawn."""
        if not self._edges_s.size:
            begin_s = (first[0] - 0.5) / self._paw_hz
            self._edges_s, self._drawn_s = np.array([begin_s]), np.array([begin_s])
            self._first_gas = first[1]
        flow = np.maximum(1.0 + self._gain * (paw - peep), LEAST_FLOW)
        edges_s = (first[0] + 0.5 + np.arange(paw.size)) / self._paw_hz
        ahead_s = self._drawn_s[-1] - self._edges_s[-1] + np.cumsum(flow - 1.0) / self._paw_hz
        self._edges_s = np.append(self._edges_s, edges_s)
        self._drawn_s = np.append(self._drawn_s, edges_s + ahead_s)
        self._gas = np.append(self._gas, gas)

    def _between(self, from_drawn_s: FloatArray, to_drawn_s: FloatArray) -> FloatArray:
        """(n,) mmHg: means of the gas drawn between."""
        edges_s = (self._first_gas + np.arange(self._gas.size + 1)) / TRACE_HZ
        passed = np.concatenate(([0.0], np.cumsum(self._gas))) / TRACE_HZ
        from_s, to_s = (np.interp(drawn_s, self._drawn_s, self._edges_s) for drawn_s in (from_drawn_s, to_drawn_s))
        return (np.interp(to_s, edges_s, passed) - np.interp(from_s, edges_s, passed)) / (to_s - from_s)

    def _forget(self, drawn_s: float) -> None:
        """What no later sample can reach back to."""
        oldest_s = float(np.interp(drawn_s - self._longest_s, self._drawn_s, self._edges_s))
        kept = max(int(np.searchsorted(self._edges_s, oldest_s)) - 2, 0)
        self._edges_s, self._drawn_s = self._edges_s[kept:], self._drawn_s[kept:]
        passed = max(math.floor(oldest_s * TRACE_HZ) - 2 - self._first_gas, 0)
        self._gas, self._first_gas = self._gas[passed:], self._first_gas + passed


@kernel
def respond(seen: FloatArray, tau: float, shown: FloatArray) -> FloatArray:
    """First-order response, exact for a gas constant over each interval: the means of what is shown.

    Args:
        seen: (n,) mmHg.
        tau: Time constant in intervals of ``seen``.
        shown: (1,) what is shown at the end, mmHg, kept from call to call; NaN: begin with what is seen.
    """
    means = np.empty(seen.size)
    kept = math.exp(-1.0 / tau)
    now = shown[0]
    for k in range(seen.size):
        if math.isnan(now):
            now = seen[k]
        means[k] = seen[k] + (now - seen[k]) * (1.0 - kept) * tau
        now = seen[k] + (now - seen[k]) * kept
    shown[0] = now
    return means
