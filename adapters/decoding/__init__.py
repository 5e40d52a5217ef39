"""The kit of decoders: text rows, stamps, grids, names and units of signals."""
