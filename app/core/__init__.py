"""Records, values, log and metrics that every room uses."""
