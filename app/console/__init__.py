"""The web page for people."""

from app.access.admission import Access
from app.console.router import create_console
from app.console.services import (
    ConsoleCatalog,
    ConsoleOutbox,
    ConsoleServices,
    DestinationView,
    EventTester,
    PresetView,
    SourceFile,
)

__all__ = [
    "Access",
    "ConsoleCatalog",
    "ConsoleOutbox",
    "ConsoleServices",
    "DestinationView",
    "EventTester",
    "PresetView",
    "SourceFile",
    "create_console",
]
