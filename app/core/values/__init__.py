"""Readers for single values: amounts, flags, placeholders, times."""
