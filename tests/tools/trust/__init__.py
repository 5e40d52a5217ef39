"""How far each estimate can be trusted: simulated lungs whose truth is known, through the public path.

    python -m tests.tools.trust [--write]

makes the tables of README.md, "How far to trust each number"; ``tests/laws/test_trust.py`` holds them to what is
published.
"""
