"""What each command does, one module per group. ``cli.py`` imports them when they are called."""
