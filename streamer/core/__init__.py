"""The core: samples in, breaths, numbers and notices out. Pure: no clock, no I/O."""
