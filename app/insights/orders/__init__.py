"""What orders are worth, and what became of each."""
