"""Operations of the command line, the API and the console, each declared once.

A group is a module of this folder with the same name; an operation without a group is a group of one. The groups are
listed here without an import, so that the command line can print its help quickly.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

#: Group -> help text.
GROUPS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "audit": "Show the audit log, newest first: logins, failed logins, and what people changed or sent.",
        "deliveries": "List deliveries, and redrive or dismiss dead ones.",
        "events": "List received events with their properties, events that were not sent, and counts.",
        "incidents": "List incidents: outages, refused tokens, silent sources and other alerts.",
        "orders": "Show the amounts of orders.",
        "quarantine": "List, replay or discard events that were not sent and are stored encrypted (QUARANTINE_HOURS).",
    }
)
