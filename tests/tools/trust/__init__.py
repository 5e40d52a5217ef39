"""How far each estimate can be trusted: simulated lungs whose truth is known, through the public path.

    python -m tests.tools.trust [--write]

makes the tables of docs/trust.md; ``tests/laws/test_trust.py`` compares them with what is published.
"""
