"""The tables of docs/trust.md, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from adapters.simulator import simulate
from streamer.core.metrics import extract_features
from streamer.core.metrics.time_constant import from_time_constant
from tests.support.streams import segmented
from tests.tools.trust.co2 import gases
from tests.tools.trust.lungs import BREATHS, NOISE, QUIET, Case, named, random_case, repeated, supported
from tests.tools.trust.measure import Errors, breaths, compliance

MODES = ("vcv", "pcv")
PATIENTS = 60
"""Random lungs of a cell; each breathes some nine times that count."""
AMPLITUDES = (1, 2, 3, 5, 10)
PHASES = {
    "0.2 s before the onset, to it": (-0.2, 0.0),
    "first third of inspiration": (0.0, 0.33),
    "second third": (0.33, 0.67),
    "last third": (0.67, 1.0),
    "first half second of expiration": (1.0, 1.4),
}


def rows(heading: str, lines: Iterator[str]) -> list[str]:
    """A Markdown table."""
    columns = heading.count("|") - 1
    return [heading, "|---" * columns + "|", *lines]


def percent(value: float, digits: int = 0) -> str:
    return "-" if np.isnan(value) else f"{100 * value:.{digits}f}"


def signed(value: float) -> str:
    return "-" if np.isnan(value) else f"{100 * value:+.1f}"


def passive() -> Iterator[str]:
    """Random passive lungs: how many breaths carry the estimates, and how far those are off."""
    for mode in MODES:
        rng = np.random.default_rng(11)
        cases = [random_case(rng, mode) for _ in range(2 * PATIENTS)]
        trapped = [case for case in cases if trapping(case) > 1.0]
        for name, chosen in ((f"{mode.upper()}, all", cases), (f"{mode.upper()}, over 1 cmH2O of auto-PEEP", trapped)):
            errors, plateau, total = compliance(chosen), Errors(), Errors()
            for case in chosen:
                truths = simulate(case.scenario).truth.breaths
                for _, record in breaths(case):
                    truth = min(truths, key=lambda one: abs(one.start_s - record.start_s))
                    plateau.add(record, "pplat_est", truth.pplat, share=False)
                    total.add(record, "peep_total_est", truth.peep_total_before, share=False)
            yield (
                f"| {name} | {errors.total} | {percent(errors.given)} | {percent(errors.size(0.5), 1)} | "
                f"{percent(errors.size(0.95), 1)} | {plateau.size(0.5):.2f} / {plateau.size(0.95):.2f} | "
                f"{total.size(0.5):.2f} / {total.size(0.95):.2f} |"
            )


def trapping(case: Case) -> float:
    """Auto-PEEP of the last breath, cmH2O."""
    last = simulate(case.scenario).truth.breaths[-1]
    return last.peep_total_before - last.peep


def lungs() -> Iterator[str]:
    """Named lungs, quiet and noisy: bias ± spread of compliance in per cent, share withheld."""
    tau = {name: tau_method(case) for name, case in named("vcv", QUIET)}
    for mode in ("vcv", "pcv", "pcv, flow ends"):
        for (name, quiet), (_, noisy) in zip(named(mode, QUIET), named(mode, NOISE), strict=True):
            cells = [compliance([case]) for case in (quiet, noisy)]
            methods = "/".join(sorted({method for one in cells for method in one.methods})) or "-"
            reasons = {reason for one in cells for reason in one.reasons}
            given = " | ".join(
                f"{signed(cell.bias)} ± {percent(cell.spread, 1)}, {percent(1 - cell.given)}"
                if cell.found
                else "withheld"
                for cell in cells
            )
            beside = signed(tau[name]) if mode == "vcv" else ""
            yield f"| {mode.upper()} | {name} | {methods} | {given} | {', '.join(sorted(reasons)) or '-'} | {beside} |"


def tau_method(case: Case) -> float:
    """Error of the tau method with total PEEP, as a share: what equal resistances in and out would cost."""
    truths = simulate(case.scenario).truth.breaths
    breath = segmented(simulate(case.scenario).chunks(600.0)).breaths[BREATHS // 2]
    features = extract_features(breath)
    truth = min(truths, key=lambda one: abs(one.start_s - breath.start_s))
    found = from_time_constant(
        vt=features.tidal_insp,
        flow_end=features.square_flow,
        ppeak=features.square_stop_paw,
        p0=truth.peep_total_before,
        tau=features.tau,
    )
    return 1000 * found.compliance / case.crs - 1.0


def efforts() -> Iterator[str]:
    """By amplitude: share withheld, and share of all breaths that show a compliance wrong by more than 10 %."""
    for amplitude in AMPLITUDES:
        cells = [
            effort(mode, repeated(amplitude, **given), once="once" in given)
            for mode in MODES
            for given in ({}, {"jitter": True}, {"once": True})
        ]
        rng = np.random.default_rng(13)
        cells.append(cell(compliance([supported(rng, amplitude) for _ in range(PATIENTS // 4)])))
        yield f"| {amplitude} | {' | '.join(cells)} |"


def phases() -> Iterator[str]:
    """By the effort's onset, 2-10 cmH2O, varying from breath to breath."""
    for name, span in PHASES.items():
        yield f"| {name} | {' | '.join(effort(mode, repeated(None, span, jitter=True)) for mode in MODES)} |"


def effort(mode: str, pulls: Callable[..., object], *, once: bool = False) -> str:
    rng = np.random.default_rng(12)
    count = PATIENTS if once else PATIENTS // 2
    return cell(compliance([random_case(rng, mode, pulls) for _ in range(count)], isolated=once))  # type: ignore[arg-type]


def cell(errors: Errors) -> str:
    return f"{percent(1.0 - errors.given)} / {percent(errors.wrong, 1)}"


TABLES: dict[str, Callable[[], list[str]]] = {
    "passive": lambda: rows(
        "| lungs at random | breaths | given % | compliance off, median % | 95th percentile % "
        "| plateau off, cmH2O, median / 95th | total PEEP off, cmH2O |",
        passive(),
    ),
    "lungs": lambda: rows(
        "| mode | lung | method | quiet: bias ± spread %, withheld % | noisy | withheld because | tau method, bias % |",
        lungs(),
    ),
    "efforts": lambda: rows(
        "| effort, cmH2O | VCV, each breath alike | VCV, varying | VCV, one breath | PCV, each alike | PCV, varying "
        "| PCV, one breath | PSV |",
        efforts(),
    ),
    "phases": lambda: rows("| effort begins | VCV | PCV |", phases()),
    "gases": lambda: rows(
        "| changed | given %: VDaw, SIII | VDaw off, mL | Bohr off | VTCO2 off, % | SIII off, % |", gases()
    ),
}
"""Name → Markdown lines."""
