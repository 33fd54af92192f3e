"""The web page for people."""

from app.access.admission import Access
from app.console.router import create_console
from app.console.services import (
    ConsoleOutbox,
    ConsoleServices,
    DestinationView,
)

__all__ = [
    "Access",
    "ConsoleOutbox",
    "ConsoleServices",
    "DestinationView",
    "create_console",
]
