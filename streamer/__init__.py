"""ventstream's core and shell. Research software, not a medical device."""

__distribution__ = "ventstream"
