"""The web page for people."""

from app.console.router import create_console
from app.console.services import (
    ConsoleOutbox,
    ConsoleServices,
    DestinationView,
)

__all__ = [
    "ConsoleOutbox",
    "ConsoleServices",
    "DestinationView",
    "create_console",
]
