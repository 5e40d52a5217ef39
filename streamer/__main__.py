"""``python -m streamer``: the same as the command ``ventstream``."""

from __future__ import annotations

import sys

from streamer.cli import main

if __name__ == "__main__":
    sys.exit(main())
