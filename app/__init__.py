"""Pinrelay: a self-hosted Pinterest Conversions destination."""

__version__ = "0.1.0"
