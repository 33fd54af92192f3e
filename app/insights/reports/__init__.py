"""Pinterest's own reports about our events: quality, attribution, known names. Optional."""
