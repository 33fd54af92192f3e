"""What the OpenAPI document says beside the routes: where, by which ids, and with bodies that are taken as they stand.

Source: https://spec.openapis.org/oas/v3.1.0
"""

import re
from typing import Any, Final

from app.source.openapi import EVENT_EXAMPLE

LICENSE: Final = {"name": "MIT", "identifier": "MIT"}

_BATCH: Final = {"batch": [EVENT_EXAMPLE]}
_OF_CALLS: Final[dict[str, dict[str, Any]]] = {
    "track": {"event": "Signed Up"},
    "page": {"properties": {"url": "https://shop.example/sofas"}},
    "screen": {"name": "Sofas"},
    "identify": {"traits": {"email": "eva@example.com"}},
    "group": {"groupId": "g-1"},
    "alias": {"previousId": "u-0"},
}
_CALLS: Final = {f"/v1/{call}": {"userId": "u-1", "messageId": "m-2", **own} for call, own in _OF_CALLS.items()}
#: By path; each is one of the bodies that its operation takes.
EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "/webhook": EVENT_EXAMPLE,
    "/v1/batch": _BATCH,
    "/v1/import": _BATCH,
    **_CALLS,
    "/api/find": {"text": "1001"},
    "/api/redrive": {"reason": "currency", "since": "2026-11-26T08:00:00Z"},
    "/api/dismiss": {"event_name": "lead", "because": "sent by hand"},
    "/api/forget": {"user_id": "u-1"},
    "/api/reload": {},
    "/api/switch": {"preset": "Lead", "on": False},
    "/api/quarantine/preview": {"exit": "invalid"},
    "/api/quarantine/replay": {"exit": "invalid"},
    "/api/quarantine/discard": {"all": True},
}


def add_details(document: dict[str, Any]) -> None:
    """Add where the interface is, an id for each operation that only its address decides, and examples of bodies."""
    document["servers"] = [{"url": "/", "description": "The process that tells this."}]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            operation["operationId"] = "_".join([method, *re.findall(r"\w+", path)])
            if path in EXAMPLES and "requestBody" in operation:
                operation["requestBody"]["content"]["application/json"]["example"] = EXAMPLES[path]
