"""What every recording beside the repository comes to: breaths, and the share of them that carries each key.

``python -m tests.tools.trust --recordings`` prints it, before and after a change: what a rule refuses costs here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from streamer.model.records import BreathRecord
from tests.tools.recordings_table import files
from tests.tools.trust.recordings import measured

KEYS = (
    "rr", "vt", "vt_insp", "minute_volume", "ppeak", "peep", "pplat", "peep_total", "crs", "crs_est", "pplat_est",
    "peep_total_est", "mp", "mp_dyn", "petco2", "vtco2", "vd_aw", "vd_vt_bohr", "slope_3",
)  # fmt: skip
"""Those whose share is printed; one that this version does not have shows a dash."""
MIDDLES = ("rr", "vt_insp", "ppeak", "mp", "crs_est", "pplat")
"""Those whose median is printed as well."""
PASSIVE = ("respiraworks-quicklung", "getinge-servo-u", "draeger-medibus-testlung", "illinois-rapidvent-bench")
"""Folders of test lungs: passivity is asserted."""


@dataclass(frozen=True)
class Shares:
    """Complete breaths of one recording."""

    name: str
    breaths: Sequence[BreathRecord]

    def given(self, key: str) -> str:
        """Per cent of the breaths that carry the key, or a dash where the key is unknown."""
        known = [record for record in self.breaths if key in record.values or key in record.missing]
        if not known:
            return "-"
        return f"{100 * sum(key in record.values for record in known) / len(known):.0f}"

    def middle(self, key: str) -> str:
        """Median of the key over the breaths that carry it."""
        values = [record.values[key] for record in self.breaths if key in record.values]
        return f"{median(values):.4g}" if values else "-"


def shares(chosen: Sequence[Path] | None = None) -> Iterator[Shares]:
    """Every recording that holds breaths; those without are left out."""
    for path in chosen or files():
        try:
            breaths = measured(path, asserted=path.parent.name in PASSIVE)
        except (OSError, ValueError):
            continue
        if breaths:
            yield Shares(f"{path.parent.name}/{path.name[:16]}", breaths)


def table() -> Iterator[str]:
    """Markdown: per recording the breaths, the share given of each key in per cent, and medians."""
    heads = ("recording", "breaths", *KEYS, *(f"{key}, median" for key in MIDDLES))
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for one in shares():
        cells = [one.name, str(len(one.breaths)), *map(one.given, KEYS), *map(one.middle, MIDDLES)]
        yield f"| {' | '.join(cells)} |"
