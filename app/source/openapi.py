"""OpenAPI descriptions of request bodies and responses of events, because the handlers read raw bytes."""

from typing import Any

from msgspec.json import schema_components

from app.core.receipts import Receipt
from app.source.responses import REFUSALS

_TEXT = {"type": "string"}
_EVENT = {
    "type": "object",
    "required": ["type"],
    "properties": {"type": {"type": "string", "minLength": 1}},
    "additionalProperties": True,
}
EVENT_EXAMPLE = {
    "type": "track",
    "event": "Order Completed",
    "messageId": "m-1",
    "properties": {"order_id": "1001", "revenue": 22.5, "currency": "EUR"},
    "context": {"ip": "203.0.113.41", "userAgent": "Mozilla/5.0", "traits": {"email": "eva@example.com"}},
}
#: The records in responses, by name: the application adds them to the document.
_, RECORDS = schema_components((Receipt,), ref_template="#/components/schemas/{name}")
for untold in ("cancels", "refunds"):  # for the outbox, and in no response
    del RECORDS["PresetResult"]["properties"][untold]
_RECEIPT = {"$ref": "#/components/schemas/Receipt"}
_ERROR = {
    "type": "object",
    "required": ["code", "message", "error"],
    "properties": {"code": _TEXT, "message": _TEXT, "error": _TEXT},
}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _refused(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {
        status: _json(" / ".join(refusal.message for refusal in REFUSALS if refusal.status == status), _ERROR)
        for status in statuses
    }


def _with(member: str) -> dict[str, Any]:
    return {"type": "object", "required": [member], "properties": {member: {"type": "object"}}}


def _body(*schemas: dict[str, Any]) -> dict[str, Any]:
    lines = {"schema": {"type": "string", "description": "One event a line."}}
    json = {"schema": {"oneOf": list(schemas)}}
    return {"required": True, "content": {"application/json": json, "application/x-ndjson": lines}}


#: Of events; an invalid member is refused on its own.
_ARRAY = {"type": "array", "items": {}}

WEBHOOK_BODY = _body(_EVENT, _ARRAY)
WEBHOOK_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: _json("The result of each event, after the commit.", _RECEIPT),
    422: _json("The single event is refused, or invalid for every preset that it matches.", _RECEIPT),
    **_refused(400, 401, 408, 413, 415, 500, 503),
}

#: Any content that the source's file can read.
NAMED_BODY: dict[str, Any] = {"required": True, "content": {"application/json": {"schema": {}}}}
NAMED_PARAMETERS = [
    {"name": "source", "in": "path", "required": True, "schema": _TEXT},
    {"name": "key", "in": "query", "description": "Of a source whose file asks for a `key`.", "schema": _TEXT},
]
NAMED_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: _json("The result of each event, after the commit. For GET, a pixel.", _RECEIPT),
    422: _json("For a source of the kind `segment`: the single event cannot be used.", _RECEIPT),
    **_refused(400, 401, 404, 405, 408, 413, 415, 429, 500, 503),
}

_CALL = {"type": "object", "properties": {"type": {"type": ["string", "null"]}}, "additionalProperties": True}
_BATCH = {"type": "object", "required": ["batch"], "properties": {"batch": _ARRAY}, "additionalProperties": True}
CALL_BODY, BATCH_BODY = _body(_CALL, _ARRAY), _body(_BATCH, _ARRAY)
TRACKING_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: _json("The events are stored.", {"type": "object", "required": ["success"], "properties": {"success": {}}}),
    **_refused(400, 401, 408, 413, 415, 429, 500, 503),
}
SETTINGS_PARAMETERS = [{"name": "key", "in": "path", "required": True, "schema": _TEXT}]
SETTINGS_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: _json("The settings that Segment's CDN sends to an SDK.", _with("integrations")),
    **_refused(404, 421, 500),
}
SOURCE_CONFIG_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: _json("The settings that RudderStack's control plane sends to an SDK.", _with("source")),
    **_refused(401, 500),
}
