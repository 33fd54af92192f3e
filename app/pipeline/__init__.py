"""The request's half of the flow: what becomes of received events, and how that is told."""
