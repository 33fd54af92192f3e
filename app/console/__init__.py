"""The web page for people."""

from app.console.router import create_console
from app.console.services import ConsoleServices, DestinationView

__all__ = ["ConsoleServices", "DestinationView", "create_console"]
