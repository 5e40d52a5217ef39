"""What the Acme distribution adds to ventstream."""
