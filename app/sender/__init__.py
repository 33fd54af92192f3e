"""Send stored deliveries: claim, batch, send, record; and run retention."""
