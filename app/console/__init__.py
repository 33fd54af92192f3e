"""The web pages for people."""

from app.console.router import create_console
from app.console.services import ConsoleServices

__all__ = ["ConsoleServices", "create_console"]
