"""The web page for people."""

from app.console.access import Access
from app.console.router import create_console
from app.console.services import (
    Answer,
    ConditionReport,
    ConsoleCatalog,
    ConsoleOutbox,
    ConsoleServices,
    DestinationView,
    Draft,
    EventReport,
    EventTester,
    FieldReport,
    PresetReport,
    PresetView,
    ProcessView,
    SourceFile,
)

__all__ = [
    "Access",
    "Answer",
    "ConditionReport",
    "ConsoleCatalog",
    "ConsoleOutbox",
    "ConsoleServices",
    "DestinationView",
    "Draft",
    "EventReport",
    "EventTester",
    "FieldReport",
    "PresetReport",
    "PresetView",
    "ProcessView",
    "SourceFile",
    "create_console",
]
