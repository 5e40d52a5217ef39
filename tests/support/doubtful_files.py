"""A recording of the repository, damaged so that each kind of doubt arises."""

from __future__ import annotations

from pathlib import Path

REPLAY = Path(__file__).parents[2] / "replay_data"
PCV = (REPLAY / "pcv.csv").read_text().splitlines()
ROWS = 1500
"""Half a minute."""


def rows() -> list[str]:
    return PCV[: 1 + ROWS]


def outward(lines: list[str]) -> list[str]:
    """Flow negative into the patient."""
    at = lines[0].split(",").index("flow_l_min")
    turned = [line.split(",") for line in lines[1:]]
    for cells in turned:
        cells[at] = f"{-float(cells[at]):g}"
    return [lines[0], *map(",".join, turned)]


def twice(lines: list[str]) -> list[str]:
    """A block of rows that was sent again."""
    return [*lines[:900], *lines[800:900], *lines[900:]]


def hurt(lines: list[str]) -> list[str]:
    return [*lines[:700], "1,2", "x,y,z,w", *lines[702:]]


def again(_: list[str]) -> list[str]:
    """Two exports in one file, each with its clock from 0."""
    return [*PCV, *PCV[1:]]
