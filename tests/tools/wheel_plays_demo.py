"""``ventstream demo`` from a wheel, in an environment of its own: python -m tests.tools.wheel_plays_demo.

The compiler starts cold there, which takes one to three minutes: too long for the suite, whose tests/project/
test_packaging.py installs the same wheel.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.installed import built, environment, install


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "dist").mkdir()
        python = environment(place / "environment")
        install(python, built(place / "dist"))
        for when in ("first start", "second start"):
            began_s = time.monotonic()
            done = subprocess.run(
                [python.parent / "ventstream", "demo", "--speed", "100"],
                cwd=place,
                capture_output=True,
                text=True,
                check=False,
            )
            last = done.stdout.splitlines()[-1:] or [done.stderr]
            print(f"{when}: status {done.returncode}, {time.monotonic() - began_s:.0f} s, last line: {last[0]}")
            if done.returncode:
                print(done.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
