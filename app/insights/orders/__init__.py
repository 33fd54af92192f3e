"""The value and the state of orders."""
