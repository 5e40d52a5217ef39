"""What each command does, one module per group. Floor 4; ``cli.py`` imports them when they are called."""
