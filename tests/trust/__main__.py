"""``python -m tests.trust [--write] [--recordings] [--methods]``: print the tables, or put them into README.md."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.trust import methods, shares
from tests.trust.readme import README, replaced
from tests.trust.recordings import table
from tests.trust.tables import TABLES


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--write", action="store_true", help="put the tables into README.md")
    options.add_argument("--recordings", action="store_true", help="what recordings made by others come to, instead")
    options.add_argument("--methods", action="store_true", help="ways to find the airway dead space, instead")
    chosen = options.parse_args()
    if chosen.recordings:
        print("\n".join([*table(), "", *shares.table()]))
        return
    if chosen.methods:
        print("\n".join(methods.table()))
        return
    tables = {name: make() for name, make in TABLES.items()}
    if chosen.write:
        text = README.read_text(encoding="utf-8")
        for name, lines in tables.items():
            text = replaced(text, name, lines)
        Path(README).write_text(text, encoding="utf-8")
    else:
        for name, lines in tables.items():
            print(f"\n{name}\n\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
