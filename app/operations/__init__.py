"""What operators do: one audited function for each act, called by the console, the interface and the commands."""
