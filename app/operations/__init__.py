"""What operators do: one audited function for each act."""
