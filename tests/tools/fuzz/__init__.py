"""Coverage-guided fuzzing of every decoder.

``python -m tests.tools.fuzz FORMAT|all``, with the extra ``fuzz`` installed.

What must hold for any bytes: nothing but our errors leaves, in one printable line; no sample is infinite; however the
bytes are cut, what comes out is the same; memory and time are bounded. What it finds becomes a test of that format.
"""
