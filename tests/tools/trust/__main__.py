"""``python -m tests.tools.trust``.

Print tables of how far numbers can be trusted, or put them where they are published.

Without a choice: the tables of docs/trust.md. ``--situations``: those of docs/accuracy.md, and every wrong figure.
``--ranges``: rules over their whole ranges.
``--recordings``: what recordings made by others come to. ``--methods``: ways to find the airway dead space.
``--passive``: estimates of passive lungs that one compartment does not describe.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.tools.trust import accuracy, methods, passive, ranges, shares, situations
from tests.tools.trust.pages import TRUST, replaced
from tests.tools.trust.recordings import table
from tests.tools.trust.tables import TABLES


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--write", action="store_true", help="put the tables into their page")
    options.add_argument("--situations", action="store_true", help="situation by key: given, wrong, graded")
    options.add_argument("--tune", action="store_true", help="of the seeds for tuning, not the reported ones")
    options.add_argument("--only", default="", metavar="TEXT", help="situations whose name has this in it")
    options.add_argument("--runs", type=int, default=situations.RUNS, help="recordings of a situation")
    options.add_argument("--why", action="store_true", help="why the situations' numbers are withheld, instead")
    options.add_argument("--ranges", action="store_true", help="rules over their whole ranges, step by step")
    options.add_argument("--recordings", action="store_true", help="what recordings made by others come to")
    options.add_argument("--passive", action="store_true", help="passive lungs that one compartment does not describe")
    options.add_argument("--methods", action="store_true", help="ways to find the airway dead space")
    chosen = options.parse_args()
    if chosen.recordings:
        print("\n".join([*table(), "", *shares.table()]))
    elif chosen.passive:
        print("\n".join(passive.table(situations.TUNED if chosen.tune else situations.REPORTED)))
    elif chosen.methods:
        print("\n".join(methods.table()))
    elif chosen.ranges:
        print("\n".join(ranges.table(chosen.only, situations.TUNED if chosen.tune else situations.REPORTED)))
    elif chosen.situations:
        _situations(chosen)
    else:
        _publish(TRUST, {name: make() for name, make in TABLES.items()}, write=chosen.write)


def _situations(chosen: argparse.Namespace) -> None:
    names = [name for name in situations.named() if chosen.only in name]
    half = situations.TUNED if chosen.tune else situations.REPORTED
    found = dict(situations.results(names, half=half, runs=chosen.runs))
    if chosen.why:
        print("\n".join(line for name, result in found.items() for line in situations.why_lines(name, result)))
        return
    is_whole = not (chosen.tune or chosen.only) and chosen.runs == situations.RUNS
    if chosen.write and not is_whole:
        raise SystemExit("--write is for all situations with the reported seeds: leave out --tune, --only, --runs")
    _publish(accuracy.ACCURACY, {name: list(lines) for name, lines in accuracy.blocks(found)}, write=chosen.write)


def _publish(page: Path, tables: Mapping[str, Sequence[str]], *, write: bool) -> None:
    if not write:
        print("\n".join(_printed(tables)))
        return
    text = page.read_text(encoding="utf-8")
    for name, lines in tables.items():
        text = replaced(text, name, lines)
    page.write_text(text, encoding="utf-8")


def _printed(tables: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for name, lines in tables.items():
        yield from ("", name, "", *lines)


if __name__ == "__main__":
    main()
