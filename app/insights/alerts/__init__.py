"""Alerts for operators: sent once when a condition begins and once when it clears."""
