"""What Pinterest itself says of our events: their quality, what it attributed, which names it knows. Optional."""
