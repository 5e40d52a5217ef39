"""Recordings as files: opened, written, and the folder of a recorded session."""
