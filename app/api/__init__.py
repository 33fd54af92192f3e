"""The operators' HTTP interface, under /api."""
