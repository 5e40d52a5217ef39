"""Run recordings through the core, offline: one or many, in parallel, into tables."""
