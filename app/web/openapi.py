"""Additions to the OpenAPI document: bodies, ids, and the authentication of each operation."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson

from app.access.admission import COOKIE
from app.api.operations import PREFIX, path_of
from app.api.problems import of_path, schemas_of_problems
from app.config import Settings
from app.operations.declaration import all_operations
from app.source.openapi import EVENT_EXAMPLE

#: Names of schemes that are all required.
_Together: TypeAlias = tuple[str, ...]

_TOKEN, _SESSION = "consoleToken", "consoleSession"
_SIGNATURE, _HEADER = "webhookSignature", "webhookHeader"
_KEYS: tuple[_Together, ...] = (("writeKey",), ("writeKeyInQuery",))
#: Responses of the access middleware (app/web/access_gate.py): for all paths, and for those with figures.
_OF_DOORWAY = {"403": "Allowed only from this machine by a localhost address, and not from pages of other sites."}
_OF_FIGURES = {
    "401": "The token is missing or wrong.",
    "429": "Too many wrong tokens.",
    "503": "The outbox, which stores the sessions, is unavailable.",
}
#: The path contains the write key.
_BY_PATH = "/v1/projects/"


def describe_proofs(document: dict[str, Any], settings: Settings) -> None:
    """Add the security schemes to an OpenAPI document, and those that each operation requires."""
    document["components"]["securitySchemes"] = _schemes(settings)
    webhook = (
        *([_SIGNATURE] if settings.webhook_shared_secrets else ()),
        *([_HEADER] if settings.webhook_header_name else ()),
    )
    alternatives: dict[str, tuple[_Together, ...]] = {
        "api": ((_TOKEN,),) if settings.has_tokens else (),
        "webhook": (webhook,) if webhook else (),
        "tracking": _KEYS if settings.write_keys else (),
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            asked = alternatives.get(operation["tags"][0], ())
            if path == "/metrics" and settings.reachable:
                asked = ((_TOKEN,), (_SESSION,))
            if path.startswith(_BY_PATH):
                asked = ()
            operation["security"] = [{name: [] for name in together} for together in asked]
            for status, told in (_OF_DOORWAY if path != "/metrics" else _OF_DOORWAY | _OF_FIGURES).items():
                operation["responses"].setdefault(status, {"description": told})


def _schemes(settings: Settings) -> dict[str, dict[str, str]]:
    schemes: dict[str, dict[str, str]] = {}
    if settings.has_tokens:
        schemes[_TOKEN] = {
            "type": "http",
            "scheme": "bearer",
            "description": "Password of the console, or a user's token.",
        }
    if settings.reachable:
        schemes[_SESSION] = {"type": "apiKey", "in": "cookie", "name": COOKIE}
    if settings.webhook_shared_secrets:
        said = "Segment's signature: HMAC-SHA1 of the body with the shared secret, in hex."
        schemes[_SIGNATURE] = {"type": "apiKey", "in": "header", "name": "X-Signature", "description": said}
    if settings.webhook_header_name:
        schemes[_HEADER] = {"type": "apiKey", "in": "header", "name": settings.webhook_header_name.lower()}
    if settings.write_keys:
        said = "Write key as user name, without a password. It can be in the body as `writeKey` instead."
        schemes["writeKey"] = {"type": "http", "scheme": "basic", "description": said}
        schemes["writeKeyInQuery"] = {"type": "apiKey", "in": "query", "name": "writeKey"}
    return schemes


_TAGS: Final = {
    "api": "For operators' programs. Errors are problem details (RFC 9457).",
    "webhook": "Segment's webhook, for senders of events.",
    "tracking": "Segment's HTTP Tracking API, for SDKs. Errors have the members that SDKs read.",
    "status": "For monitoring.",
}
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
#: By path; each is a possible body of the operation.
EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "/webhook": EVENT_EXAMPLE,
    "/v1/batch": _BATCH,
    "/v1/import": _BATCH,
    **_CALLS,
    "/api/v1/find": {"text": "1001"},
    "/api/v1/forget": {"user_id": "u-1", "email": "ada@example.com"},
    "/api/v1/reload": {},
    "/api/v1/switch": {"preset": "Lead", "on": False},
}


#: Responses of a real application, by `method /path`, and by status for refusals. A test compares them with the current
#: ones.
EXAMPLES_FILE: Final = Path(__file__).parent.parent / "api" / "examples.json"


def _add_answers(method: str, path: str, operation: dict[str, Any], answers: Mapping[str, Any]) -> None:
    for status, response in operation["responses"].items():
        example = answers.get(f"{method} {path}" if status == "200" else status)
        for content in response.get("content", {}).values():
            if example is not None and not content["schema"].get("$ref", "").endswith("FaultyFiles"):
                content["example"] = example


def _tell_items(schema: dict[str, Any]) -> None:
    """Describe the items after the members of a tuple, and bytes as JSON: linters and clients require both."""
    for each in (schema, schema.get("items"), *schema.get("anyOf", ())):
        if isinstance(each, dict) and "prefixItems" in each:
            each.setdefault("items", {})
        if isinstance(each, dict) and "contentMediaType" in each:
            each["contentMediaType"] = "application/json"


def add_details(document: dict[str, Any]) -> None:
    """Add the server, operation ids that only depend on the address, and examples of bodies."""
    answers = orjson.loads(EXAMPLES_FILE.read_bytes())
    document["components"]["schemas"] |= schemas_of_problems()
    document["tags"] = [{"name": name, "description": told} for name, told in _TAGS.items()]
    for schema in document["components"]["schemas"].values():
        for member in schema.get("properties", {}).values():
            _tell_items(member)
    document["servers"] = [{"url": "/", "description": "The process that answers."}]
    declared = {each.operation_id: each for each in all_operations()}
    bodies = EXAMPLES | {f"{PREFIX}{path_of(each)}": dict(each.example) for each in declared.values()}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if operation["operationId"] not in declared:
                operation["operationId"] = "_".join([method, *re.findall(r"\w+", path)])
            if of_path(path):
                _add_answers(method, path, operation, answers)
            if path in bodies and "requestBody" in operation:
                operation["requestBody"]["content"]["application/json"]["example"] = bodies[path]
