"""One target under libFuzzer, in a process of its own.

``python -m tests.tools.fuzz.engine NAME [libFuzzer's options]``.
"""

from __future__ import annotations

import sys
import warnings

import atheris

with atheris.instrument_imports(include=["adapters"]):
    from tests.tools.fuzz.targets import target


def main() -> None:
    """Runs until libFuzzer ends the process."""
    name, *options = sys.argv[1:]
    warnings.simplefilter("error")
    atheris.Setup([sys.argv[0], *options], target(name))
    atheris.Fuzz()


main()
