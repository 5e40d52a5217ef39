"""What people write and the program reads: TOML, sidecars, patient files, addresses, secrets.

And files written whole.
"""
