"""Records, values, log and metrics that all packages share."""
